#include "comparison/peer_programs.hpp"

#include <filesystem>
#include <fstream>
#include <system_error>

#include <unistd.h>

namespace muster::perf {

namespace fs = std::filesystem;

namespace {

bool is_program(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

/// Meson puts each program into the folder of its sources.
std::string path_of(const fs::path& directory, const std::string& program) {
    for (const char* folder : {"", "asio", "tokio"}) {
        const auto path = directory / folder / program;
        if (is_program(path)) {
            return fs::absolute(path).string();
        }
    }
    return {};
}

/// The configuration's reason, one "peer-x: reason" a line.
std::string reason_in(const fs::path& file, const std::string& program) {
    std::ifstream lines{file};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(program + ": ")) {
            return line.substr(program.size() + 2);
        }
    }
    return {};
}

} // namespace

std::vector<peer_program> find_peers(const std::string& directory) {
    std::vector<peer_program> found;
    for (const peer each : all_peers) {
        const auto program = program_of(each);
        peer_program state{each, path_of(directory, program), {}};
        if (state.path.empty()) {
            const auto reason = reason_in(fs::path{directory} / "skipped.txt", program);
            state.skipped = reason.empty() ? "not built (ninja peers, or tools/run peers)" : reason;
        }
        found.push_back(std::move(state));
    }
    return found;
}

std::string own_path() {
    std::error_code failed;
    const auto path = fs::read_symlink("/proc/self/exe", failed);
    return failed ? "muster-perf" : path.string();
}

std::string default_peers_directory() {
    return (fs::path{own_path()}.parent_path() / "../../perf/peers").lexically_normal().string();
}

} // namespace muster::perf
