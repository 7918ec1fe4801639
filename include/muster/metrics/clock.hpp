#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace muster {

/// Time stamps for measuring durations: the processor's time-stamp counter where the kernel itself
/// keeps time by it, `steady_clock` elsewhere. Readings go in, durations in nanoseconds come out.
///
/// A reading is a bare number of ticks (about 9 ns to take instead of 22 here); only differences
/// mean something. Keep ticks on the hot path and convert where the result is read. One reading may
/// close one measurement and open the next. Readings are not ordered with the instructions around
/// them, and the counter may advance in steps of some 10 ns: means are good, single readings of a
/// few nanoseconds are not. Rates differ from the system's (slewed) clock by up to some hundred
/// parts in a million, so not for calendars.
///
/// A small value, the same for the whole process; copy it to where it is read. Thread-safe.
class tick_clock {
public:
    /// The process's clock. The first call takes about 2 ms (it calibrates), later ones nothing.
    tick_clock() : tick_clock{shared()} {}

    /// A clock whose ticks are `steady_clock` nanoseconds; for tests and for comparing.
    [[nodiscard]] static tick_clock steady() noexcept { return tick_clock{false, one_per_tick}; }

    [[nodiscard]] std::uint64_t now() const noexcept {
#if defined(__x86_64__)
        if (uses_tsc_) {
            return __rdtsc();
        }
#endif
        return steady_now();
    }

    /// `later - earlier`, or 0 if they are the wrong way round, as readings of two processors may
    /// be by a few ticks.
    [[nodiscard]] static constexpr std::uint64_t between(std::uint64_t earlier,
                                                         std::uint64_t later) noexcept {
        return later > earlier ? later - earlier : 0;
    }

    /// Ticks as nanoseconds, rounded down. The factor never changes, so neither does the order.
    [[nodiscard]] constexpr std::uint64_t to_nanos(std::uint64_t ticks) const noexcept {
        return static_cast<std::uint64_t>((static_cast<wide>(ticks) * nanos_per_tick_) >> 32);
    }

    /// Nanoseconds as ticks, rounded down; negative ones as 0.
    [[nodiscard]] constexpr std::uint64_t from_nanos(std::chrono::nanoseconds span) const noexcept {
        const auto count = span.count() > 0 ? static_cast<std::uint64_t>(span.count()) : 0;
        return static_cast<std::uint64_t>((static_cast<wide>(count) << 32) / nanos_per_tick_);
    }

    /// "tsc" or "steady_clock".
    [[nodiscard]] std::string_view source() const noexcept {
        return uses_tsc_ ? "tsc" : "steady_clock";
    }

private:
    __extension__ using wide = unsigned __int128;
    static constexpr std::uint64_t one_per_tick = std::uint64_t{1} << 32;

    constexpr tick_clock(bool tsc, std::uint64_t nanos_per_tick) noexcept
        : nanos_per_tick_{nanos_per_tick}, uses_tsc_{tsc} {}

    static const tick_clock& shared();
    static tick_clock calibrated();
    static std::uint64_t steady_now() noexcept {
        return static_cast<std::uint64_t>(
            std::chrono::steady_clock::now().time_since_epoch().count());
    }

    std::uint64_t nanos_per_tick_; // fixed point, 32 bits behind the point
    bool uses_tsc_;
};

} // namespace muster
