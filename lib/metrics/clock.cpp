#include <muster/metrics/clock.hpp>

#include <array>
#include <fstream>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace muster {
namespace {

constexpr std::chrono::milliseconds calibration_time{2};

#if defined(__x86_64__)

bool processor_counts_invariantly() noexcept {
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    // Advanced power management: bit 8 says that neither frequency nor sleep changes the rate.
    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & 1U << 8) != 0;
}

/// The kernel has compared the processors' counters before it trusts them; we trust the kernel.
bool kernel_keeps_time_by_tsc() {
    std::ifstream file{"/sys/devices/system/clocksource/clocksource0/current_clocksource"};
    std::string name;
    return file >> name && name == "tsc";
}

struct reading {
    std::uint64_t ticks;
    std::uint64_t nanos;
};

/// Both clocks at one instant: of several tries, the one least likely to have been interrupted.
reading read_both() noexcept {
    reading best{};
    std::uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < 8; ++i) {
        const std::uint64_t before = __rdtsc();
        const auto nanos = std::chrono::steady_clock::now().time_since_epoch().count();
        const std::uint64_t width = __rdtsc() - before;
        if (width < best_width) {
            best_width = width;
            best = {before + width / 2, static_cast<std::uint64_t>(nanos)};
        }
    }
    return best;
}

#endif

} // namespace

const tick_clock& tick_clock::shared() {
    static const tick_clock clock = calibrated();
    return clock;
}

tick_clock tick_clock::calibrated() {
#if defined(__x86_64__)
    if (processor_counts_invariantly() && kernel_keeps_time_by_tsc()) {
        const reading start = read_both();
        const auto end = std::chrono::steady_clock::now() + calibration_time;
        while (std::chrono::steady_clock::now() < end) {
        }
        const reading stop = read_both();
        const std::uint64_t ticks = stop.ticks - start.ticks;
        if (ticks != 0) {
            const auto nanos = static_cast<wide>(stop.nanos - start.nanos);
            return {true, static_cast<std::uint64_t>((nanos << 32) / ticks)};
        }
    }
#endif
    return steady();
}

} // namespace muster
