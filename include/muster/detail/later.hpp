#pragma once

#include <chrono>

namespace muster::detail {

/// `at + after`, as far as the clock can count: what lies beyond never comes.
[[nodiscard]] constexpr std::chrono::steady_clock::time_point
later(std::chrono::steady_clock::time_point at, std::chrono::nanoseconds after) noexcept {
    constexpr auto end = std::chrono::steady_clock::time_point::max();
    return after <= after.zero() || at < end - after ? at + after : end;
}

} // namespace muster::detail
