#pragma once

#include <cstdint>
#include <string_view>

namespace muster {

/// Where a session is in its life: `starting` → `running` → one of the terminal three. The first
/// terminal state wins.
enum class session_status : std::uint8_t { starting, running, done, crashed, killed };

/// Whether a person is looking at the session; at most one session is focused.
enum class visibility : std::uint8_t { background, focused };

[[nodiscard]] constexpr bool is_terminal(session_status status) noexcept {
    return status >= session_status::done;
}

[[nodiscard]] constexpr std::string_view to_string(session_status status) noexcept {
    switch (status) {
    case session_status::starting: return "starting";
    case session_status::running: return "running";
    case session_status::done: return "done";
    case session_status::crashed: return "crashed";
    case session_status::killed: return "killed";
    }
    return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(visibility value) noexcept {
    return value == visibility::focused ? "focused" : "background";
}

} // namespace muster
