// The timer wheel alone: no clock, no thread, no Asio; ticks are counted up.

#include "workloads/shared/measure.hpp"
#include "workloads/workloads.hpp"

#include <muster/time/timer_wheel.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <time.h>

namespace muster::work {
namespace {

/// What this thread has used: blind to whoever has the processor in between.
std::uint64_t thread_cpu_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

struct wheel {
    std::uint64_t timers = 100'000;
    std::uint64_t interval = 1'000;
    std::uint64_t fires = 4;
    std::uint64_t rounds = 20;
    std::string phase = "spread";

    void declare(param_set& params) {
        params.number("timers", timers, 1, 10'000'000, "entries in the wheel");
        params.number("interval", interval, 1, 1'000'000, "ticks between two fires of an entry");
        params.number("fires", fires, 1, 1U << 20U, "fires of each");
        params.number("rounds", rounds, 1, 1U << 20U, "how often all are scheduled and cancelled");
        params.choice("phase", phase, {"spread", "together"},
                      "deadlines over the interval, or all at once");
    }

    tick first_due(std::uint64_t entry) const {
        // Scattered, as the phases of sessions are: neighbours in memory are not due together.
        const auto offset = phase == "spread" ? entry * 7'919 % interval : 0;
        return tick(interval + offset);
    }

    /// CPU time of scheduling and cancelling everything, again and again; 1 to 60 s at 1 ms.
    std::uint64_t churn(timer_wheel& timing, std::vector<timer_entry>& entries) const {
        const auto begin = process_cpu_ns();
        for (std::uint64_t round = 0; round < rounds; ++round) {
            std::uint64_t index = 0;
            for (timer_entry& one : entries) {
                timing.schedule(one, timing.now() + (1'000 + index++ * 7'919 % 59'000));
            }
            for (timer_entry& one : entries) {
                timing.cancel(one);
            }
        }
        return process_cpu_ns() - begin;
    }

    /// One tick; whatever is due is scheduled again.
    void pass(timer_wheel& timing, std::uint64_t& fired) const {
        timing.advance(timing.now() + 1, [&](timer_entry& due) {
            ++fired;
            timing.schedule(due, due.due() + interval);
        });
    }

    /// Every tick until each entry has fired once more, timed by itself.
    samples time_ticks(timer_wheel& timing) const {
        std::vector<std::uint64_t> each;
        std::uint64_t fired = 0;
        while (fired < timers) {
            const auto begin = thread_cpu_ns();
            pass(timing, fired);
            each.push_back(thread_cpu_ns() - begin);
        }
        return samples(std::move(each));
    }

    outcome run() const {
        timer_wheel timing;
        std::vector<timer_entry> entries(timers);
        const auto churned = churn(timing, entries);
        for (std::uint64_t index = 0; index < timers; ++index) {
            timing.schedule(entries[index], first_due(index));
        }
        const samples from_afar = time_ticks(timing); // out of coarser slots, those far away
        const samples ticks = time_ticks(timing);
        std::uint64_t fired = 0;
        const stopwatch watch;
        while (fired < timers * fires) {
            pass(timing, fired);
        }
        const span time = watch.stop();
        timing.release_all([](timer_entry&) {});
        return outcome(timers * fires, fired, time)
            .cpu_per_operation("fire_rearm_ns")
            .ratio("schedule_cancel_ns", churned, timers * rounds)
            .percentiles("tick", ticks)
            .percentiles("tick_from_afar", from_afar);
    }
};

} // namespace

void add_wheel(registry& all) {
    all.add<wheel>("wheel", "The timer wheel alone: schedule and cancel, fire and re-arm");
}

} // namespace muster::work
