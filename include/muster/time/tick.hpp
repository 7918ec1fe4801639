#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace muster {

/// A point on a wheel's time line: so many ticks since its start. How long a tick is, only the
/// clock that drives the wheel knows.
///
/// A strong type, because a tick, a count of ticks and a nanosecond are three different things.
class tick {
public:
    constexpr tick() noexcept = default;
    constexpr explicit tick(std::uint64_t value) noexcept : value_(value) {}

    /// Later than every tick that can be reached.
    [[nodiscard]] static constexpr tick never() noexcept {
        return tick(std::numeric_limits<std::uint64_t>::max());
    }

    [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }

    friend constexpr auto operator<=>(tick, tick) noexcept = default;
    friend constexpr tick operator+(tick left, std::uint64_t ticks) noexcept {
        return tick(left.value_ + ticks);
    }
    friend constexpr std::uint64_t operator-(tick left, tick right) noexcept {
        return left.value_ - right.value_;
    }

private:
    std::uint64_t value_ = 0;
};

} // namespace muster
