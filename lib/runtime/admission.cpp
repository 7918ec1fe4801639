#include "admission.hpp"

#include "runtime_core.hpp"

#include <algorithm>
#include <fstream>

#include <unistd.h>

namespace muster::detail {
namespace {

constexpr std::chrono::milliseconds memory_check_interval{100};

/// What the process has in memory now; 0 where the system does not say.
std::uint64_t resident_bytes() {
    std::ifstream statm{"/proc/self/statm"};
    std::uint64_t total_pages = 0;
    std::uint64_t resident_pages = 0;
    statm >> total_pages >> resident_pages;
    return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace

bool admission_rule::admit(time_point now, std::uint64_t resident_bytes) noexcept {
    short_of_memory_ = limits_memory() && resident_bytes > limits_.memory_high_water_bytes;
    if (short_of_memory_ || is_full() || now < next_start_) {
        return false;
    }
    if (limits_.max_spawns_per_second > 0) {
        const std::chrono::duration<double> apart{1 / limits_.max_spawns_per_second};
        next_start_ = std::max(now, next_start_) +
                      std::chrono::duration_cast<std::chrono::nanoseconds>(apart);
    }
    ++spawning_;
    return true;
}

std::optional<std::chrono::nanoseconds> admission_rule::ask_again(time_point now) const noexcept {
    if (is_full()) {
        return std::nullopt;
    }
    if (short_of_memory_) {
        return memory_check_interval;
    }
    return next_start_ > now ? next_start_ - now : std::chrono::nanoseconds{0};
}

admission::admission(runtime_core& core, const wheel_service& timers,
                     const admission_limits& limits)
    : core_{core}, limits_anything_{admission_rule{limits}.limits_anything()}, rule_{limits},
      timers_{timers}, again_{timers} {}

void admission::finished() {
    const std::lock_guard lock{mutex_};
    rule_.finished();
    let_in();
}

void admission::open_up() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    let_in();
}

/// Under the lock. Lets in whoever may come, and sees to being called again for the others.
void admission::let_in() {
    if (waiting_.empty()) {
        return; // also when all is being torn down, the time source first
    }
    const auto now = timers_.state()->source().now();
    while (!waiting_.empty() &&
           (rule_.admit(now, rule_.limits_memory() ? resident_bytes() : 0) || open_)) {
        served_.fetch_add(1, std::memory_order_relaxed);
        waiting_.wake_one();
    }
    const auto later = waiting_.empty() ? std::nullopt : rule_.ask_again(now);
    if (!later) {
        again_.cancel();
        return;
    }
    again_.expires_after(*later);
    // An expired wait can no longer be cancelled, so it keeps us; `open_up` ends the others.
    again_.async_wait([this, core = core_ptr{&core_}](boost::system::error_code cancelled) {
        if (!cancelled) {
            const std::lock_guard lock{mutex_};
            let_in();
        }
    });
}

} // namespace muster::detail
