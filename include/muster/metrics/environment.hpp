#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// The machine, as a report names it. What could not be found out is empty.
struct environment_info {
    std::string host;
    std::string os;
    std::string kernel;
    std::string cpu_model;
    std::uint64_t cpus = 0;
    std::optional<std::array<double, 3>> load_avg; ///< over 1, 5 and 15 minutes
    std::string clock_source;                      ///< of `tick_clock`
    std::string boost;
    std::string asio;
};

/// One run of a tool, and what it was built from.
struct run_info {
    std::string id; ///< unique
    std::chrono::system_clock::time_point started_at;
    std::chrono::nanoseconds duration{0};
    std::string git_commit;        ///< empty outside a checkout
    std::optional<bool> git_dirty; ///< nothing outside a checkout
    std::string build_type;
    std::string compiler;
    std::string flags;
    std::string sanitizers; ///< comma-separated, empty for none
};

/// The machine now. Reads a few files under /proc and /etc.
[[nodiscard]] environment_info current_environment();

/// A run that starts now, of this build of the library. The id is the start's time and 32 random
/// bits.
[[nodiscard]] run_info start_run();

/// RFC 3339 in UTC with milliseconds: 2026-01-31T12:00:00.000Z.
[[nodiscard]] std::string to_rfc3339(std::chrono::system_clock::time_point instant);

} // namespace muster
