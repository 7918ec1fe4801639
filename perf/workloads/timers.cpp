// The timers of the shared wheel: scheduled and cancelled, fired and re-armed, armed far away.

#include "workloads/shared/loop.hpp"
#include "workloads/shared/prompts.hpp"
#include "workloads/workloads.hpp"

#include <muster/time/wheel_entry.hpp>
#include <muster/time/wheel_service.hpp>
#include <muster/time/wheel_timer.hpp>

#include <boost/asio/executor_work_guard.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace muster::work {
namespace {

using timer = basic_wheel_timer<executor>;

/// 1 to 60 s, the same for every peer.
std::uint64_t churn_delay_ms(std::uint64_t index) {
    return 1'000 + index * 7'919 % 59'000;
}

std::vector<timer> make_timers(asio::io_context& context, const wheel_service& service,
                               std::uint64_t count) {
    std::vector<timer> timers;
    timers.reserve(count);
    for (std::uint64_t index = 0; index < count; ++index) {
        timers.emplace_back(context.get_executor(), service);
    }
    return timers;
}

struct timer_churn {
    std::uint64_t rounds = 20;
    std::uint64_t batch = 50'000;

    struct totals {
        std::uint64_t schedule_ns = 0;
        std::uint64_t cancel_ns = 0;
        std::uint64_t checksum = 0;
        std::uint64_t cancelled = 0;
    };

    void declare(param_set& params) {
        params.number("rounds", rounds, 1, std::uint64_t(1) << 32U, "batches");
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
        for (timer& one : timers) {
            one.cancel();
        }
        context.restart();
        context.poll();
    }

    outcome run() const {
        asio::io_context context(1);
        const wheel_service service(context.get_executor());
        std::vector<timer> timers = make_timers(context, service, batch);
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
        if (sum.cancelled != rounds * batch) {
            throw std::runtime_error("not every timer was cancelled");
        }
        return outcome(rounds * batch, sum.checksum, time)
            .cpu_per_operation("schedule_cancel_ns")
            .ratio("schedule_ns", sum.schedule_ns, rounds * batch)
            .ratio("cancel_ns", sum.cancel_ns, rounds * batch);
    }
};

/// Counts fires, and stops the context with the last one.
struct fire_count {
    std::uint64_t fired = 0;
    std::uint64_t expected = 0;
    asio::io_context* context = nullptr;

    void fire() {
        if (++fired == expected) {
            context->stop();
        }
    }
};

/// Is called by the wheel on its cadence, the cheapest way there is.
class periodic_entry : wheel_entry {
public:
    periodic_entry(const wheel_service& service, fire_count& fires, std::uint64_t left,
                   std::uint64_t interval)
        : wheel_entry(service, &periodic_entry::due), fires_(fires), left_(left),
          interval_(interval) {}

    void start(tick first) { schedule(first); }

private:
    static tick due(wheel_entry& entry, tick due, tick now) noexcept {
        auto& self = static_cast<periodic_entry&>(entry);
        self.fires_.fire();
        return --self.left_ == 0 ? tick::never() : next_on_cadence(due, self.interval_, now);
    }

    fire_count& fires_;
    std::uint64_t left_;
    std::uint64_t interval_;
};

/// Waits as Asio's timers do, with a handler for each fire.
class periodic_timer {
public:
    periodic_timer(executor where, const wheel_service& service, fire_count& fires,
                   std::uint64_t left, clock::duration interval)
        : timer_(where, service), fires_(fires), left_(left), interval_(interval) {}

    void start(clock::time_point first) {
        timer_.expires_at(first);
        arm();
    }

private:
    struct expired {
        void operator()(error_code) const { self->fired(); }
        periodic_timer* self;
    };

    void arm() { timer_.async_wait(expired{this}); }

    void fired() {
        fires_.fire();
        if (--left_ != 0) {
            timer_.expires_at(timer_.expiry() + interval_);
            arm();
        }
    }

    timer timer_;
    fire_count& fires_;
    std::uint64_t left_;
    clock::duration interval_;
};

struct timer_periodic {
    std::uint64_t timers = 100'000;
    std::uint64_t fires = 2;
    std::uint64_t interval_ms = 1'000;
    std::string phase = "spread";
    std::string timer = "entry";

    void declare(param_set& params) {
        params.number("timers", timers, 1, 10'000'000, "timers");
        params.number("fires", fires, 1, 1U << 20U, "fires of each");
        params.number("interval_ms", interval_ms, 1, 3'600'000, "cadence");
        params.choice("phase", phase, {"spread", "together"},
                      "deadlines over the interval, or all at once");
        params.choice("timer", timer, {"entry", "wheel_timer"},
                      "an entry that the wheel calls, or a timer that is waited for");
    }

    /// From half an interval after the origin until the last one has fired.
    static span watch_fires(asio::io_context& context, clock::time_point begin,
                            const fire_count& count) {
        const auto staying = asio::make_work_guard(context);
        context.run_until(begin);
        const stopwatch watch;
        if (count.fired != count.expected) {
            context.run();
        }
        return watch.stop();
    }

    span run_entries(asio::io_context& context, const wheel_service& service, const cadence& on,
                     clock::time_point origin, fire_count& count) const {
        std::vector<std::unique_ptr<periodic_entry>> all;
        all.reserve(timers);
        for (std::uint64_t index = 0; index < timers; ++index) {
            all.push_back(std::make_unique<periodic_entry>(service, count, fires,
                                                           service.ticks_in(on.interval)));
            all.back()->start(service.tick_at(origin + on.offset(index) + on.interval));
        }
        return watch_fires(context, origin + on.interval / 2, count);
    }

    span run_timers(asio::io_context& context, const wheel_service& service, const cadence& on,
                    clock::time_point origin, fire_count& count) const {
        std::vector<std::unique_ptr<periodic_timer>> all;
        all.reserve(timers);
        for (std::uint64_t index = 0; index < timers; ++index) {
            all.push_back(std::make_unique<periodic_timer>(context.get_executor(), service, count,
                                                           fires, on.interval));
            all.back()->start(origin + on.offset(index) + on.interval);
        }
        return watch_fires(context, origin + on.interval / 2, count);
    }

    outcome run() const {
        asio::io_context context(1);
        const wheel_service service(context.get_executor());
        const cadence on{timers, fires,
                         std::chrono::milliseconds(static_cast<std::int64_t>(interval_ms)),
                         phase == "spread"};
        const auto origin = clock::now() + on.lead();
        fire_count count{0, timers * fires, &context};
        const span time = timer == "entry" ? run_entries(context, service, on, origin, count)
                                           : run_timers(context, service, on, origin, count);
        return outcome(timers * fires, count.fired, time).cpu_per_operation("cpu_ns_per_fire");
    }
};

struct timer_idle {
    std::uint64_t count = 1'000'000;
    std::uint64_t watch_ms = 1'000;

    void declare(param_set& params) {
        params.number("timers", count, 1, 10'000'000, "timers");
        params.number("watch_ms", watch_ms, 1, 60'000, "how long the process is watched");
    }

    outcome run() const {
        asio::io_context context(1);
        const wheel_service service(context.get_executor());
        std::vector<timer> timers = make_timers(context, service, count);
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
    all.add<timer_churn>("timer_churn", "Schedule a batch of timers, then cancel it; again");
    all.add<timer_periodic>("timer_periodic", "Periodic timers that fire and are re-armed");
    all.add<timer_idle>("timer_idle", "Timers armed an hour away, while nothing is due");
}

} // namespace muster::work
