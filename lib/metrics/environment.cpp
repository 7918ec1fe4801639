#include <muster/metrics/clock.hpp>
#include <muster/metrics/environment.hpp>

#include "build_info.hpp"

#include <boost/asio/version.hpp>
#include <boost/version.hpp>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include <sys/utsname.h>
#include <unistd.h>

namespace muster {
namespace {

/// What follows `key` and `separator` on the first line of `path` that starts with the key.
std::string value_in_file(const char* path, std::string_view key, char separator) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        const auto split = line.find(separator);
        if (line.starts_with(key) && split != std::string::npos) {
            const auto first = line.find_first_not_of(" \t\"", split + 1);
            const auto last = line.find_last_not_of(" \t\"");
            return first == std::string::npos ? std::string{}
                                              : line.substr(first, last - first + 1);
        }
    }
    return {};
}

std::string dotted(int number, int major_unit, int minor_unit) {
    return std::to_string(number / major_unit) + '.' +
           std::to_string(number / minor_unit % (major_unit / minor_unit)) + '.' +
           std::to_string(number % minor_unit);
}

std::optional<std::array<double, 3>> load_averages() {
    std::array<double, 3> load{};
    return ::getloadavg(load.data(), 3) == 3 ? std::optional{load} : std::nullopt;
}

std::string compiler_name() {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return {};
#endif
}

std::string utc(std::chrono::system_clock::time_point instant, const char* format) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(instant);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

std::string run_id(std::chrono::system_clock::time_point start) {
    std::array<char, 16> random{};
    std::snprintf(random.data(), random.size(), "-%08x",
                  static_cast<unsigned>(std::random_device{}()));
    return utc(start, "%Y%m%dT%H%M%SZ") + random.data();
}

} // namespace

environment_info current_environment() {
    environment_info result;
    utsname names{};
    if (::uname(&names) == 0) {
        result.host = names.nodename;
        result.kernel = std::string{names.sysname} + ' ' + names.release;
    }
    result.os = value_in_file("/etc/os-release", "PRETTY_NAME", '=');
    result.cpu_model = value_in_file("/proc/cpuinfo", "model name", ':');
    result.cpus = std::thread::hardware_concurrency();
    result.load_avg = load_averages();
    result.clock_source = tick_clock{}.source();
    result.boost = dotted(BOOST_VERSION, 100'000, 100);
    result.asio = dotted(BOOST_ASIO_VERSION, 100'000, 100);
    return result;
}

run_info start_run() {
    constexpr std::string_view revision = build_info::revision;
    constexpr std::string_view dirty = "-dirty";
    run_info result;
    result.started_at = std::chrono::system_clock::now();
    result.id = run_id(result.started_at);
    if (revision != "unknown") {
        result.git_dirty = revision.ends_with(dirty);
        result.git_commit = revision.substr(0, revision.find('-'));
    }
    result.build_type = build_info::build_type;
    result.compiler = compiler_name();
    result.flags = build_info::flags;
    result.sanitizers = build_info::sanitizers;
    return result;
}

std::string to_rfc3339(std::chrono::system_clock::time_point instant) {
    using std::chrono::milliseconds;
    const auto whole = std::chrono::floor<std::chrono::seconds>(instant);
    const auto rest = std::chrono::duration_cast<milliseconds>(instant - whole).count();
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(rest % 1000));
    return utc(whole, "%Y-%m-%dT%H:%M:%S") + fraction.data();
}

} // namespace muster
