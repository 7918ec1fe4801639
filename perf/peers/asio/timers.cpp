#include "workload.hpp"
#include "workloads/shared/loop.hpp"

#include <boost/asio/steady_timer.hpp>

// steady_timer: scheduled and cancelled, and armed far away.

namespace muster::work::peer {

namespace {

using timer = asio::steady_timer::rebind_executor<executor>::other;

/// 1 to 60 s, the same for every peer.
std::uint64_t churn_delay_ms(std::uint64_t index) {
    return 1'000 + index * 7'919 % 59'000;
}

std::vector<timer> make_timers(asio::io_context& context, std::uint64_t count) {
    std::vector<timer> timers;
    timers.reserve(count);
    for (std::uint64_t index = 0; index < count; ++index)
        timers.emplace_back(context.get_executor());
    return timers;
}

struct churn {
    std::uint64_t rounds = 20;
    std::uint64_t batch = 50'000;

    struct totals {
        std::uint64_t schedule_ns = 0;
        std::uint64_t cancel_ns = 0;
        std::uint64_t checksum = 0;
        std::uint64_t cancelled = 0;
    };

    void declare(param_set& params) {
        params.number("rounds", rounds, 1, 1ULL << 32U, "batches");
        params.number("batch", batch, 1, 10'000'000, "timers a batch");
    }

    static void schedule(std::vector<timer>& timers, totals& sum) {
        const auto now = clock::now();
        std::uint64_t index = 0;
        for (timer& one : timers) {
            const auto delay = churn_delay_ms(index++);
            sum.checksum += delay;
            one.expires_at(now + std::chrono::milliseconds(static_cast<std::int64_t>(delay)));
            one.async_wait([&sum](error_code error) { sum.cancelled += error ? 1U : 0U; });
        }
    }

    static void cancel(asio::io_context& context, std::vector<timer>& timers) {
        for (timer& one : timers)
            one.cancel();
        context.restart();
        context.poll();
    }

    outcome run() const {
        asio::io_context context(1);
        std::vector<timer> timers = make_timers(context, batch);
        totals sum;
        const stopwatch watch;
        for (std::uint64_t round = 0; round < rounds; ++round) {
            const auto begin = process_cpu_ns();
            schedule(timers, sum);
            const auto armed = process_cpu_ns();
            cancel(context, timers);
            sum.schedule_ns += armed - begin;
            sum.cancel_ns += process_cpu_ns() - armed;
        }
        const span time = watch.stop();
        if (sum.cancelled != rounds * batch)
            throw std::runtime_error("not every timer was cancelled");
        return outcome(rounds * batch, sum.checksum, time)
            .cpu_per_operation("schedule_cancel_ns")
            .ratio("schedule_ns", sum.schedule_ns, rounds * batch)
            .ratio("cancel_ns", sum.cancel_ns, rounds * batch);
    }
};

struct idle {
    std::uint64_t count = 1'000'000;
    std::uint64_t watch_ms = 1'000;

    void declare(param_set& params) {
        params.number("timers", count, 1, 10'000'000, "timers");
        params.number("watch_ms", watch_ms, 1, 60'000, "how long the process is watched");
    }

    outcome run() const {
        asio::io_context context(1);
        std::vector<timer> timers = make_timers(context, count);
        for (timer& one : timers) {
            one.expires_after(std::chrono::hours(1));
            one.async_wait([](error_code) {});
        }
        const auto slept = sleeps();
        const stopwatch watch;
        context.run_for(std::chrono::milliseconds(static_cast<std::int64_t>(watch_ms)));
        const span time = watch.stop();
        const auto woken = sleeps() - slept;
        return outcome(count, count, time).count("wake_ups", woken == 0 ? 0 : woken - 1);
    }
};

} // namespace

void add_timers(registry& all) {
    all.add<churn>("timer_churn", "Schedule a batch of timers, then cancel it, again and again");
    all.add<idle>("timer_idle", "Timers armed an hour away, while nothing is due");
}

} // namespace muster::work::peer
