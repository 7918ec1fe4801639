// From the workers to the subscribers: dispatch, and end to end.

#include "workloads/end_to_end.hpp"
#include "workloads/house.hpp"
#include "workloads/shared/loop.hpp"
#include "workloads/workloads.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <string>
#include <utility>
#include <vector>

namespace muster::work {
namespace {

constexpr auto most_events = std::uint64_t(1) << 32U;

struct dispatch : session_options {
    std::uint64_t events = 40'000;
    std::uint64_t burst = 40;
    std::string subscriber = "global";
    std::uint64_t global_capacity = 1'024;
    std::uint64_t payload = 64;
    std::string hand_over = "one_by_one";

    void declare(param_set& params) {
        declare_sessions(params);
        params.number("events", events, 1, most_events, "events a session, a multiple of burst");
        params.number("burst", burst, 1, 1U << 16U, "events a session and round");
        params.choice("subscriber", subscriber, {"global", "none"},
                      "an idle global subscriber, or nobody");
        params.number("global_capacity", global_capacity, 1, 1U << 24U,
                      "events that the global subscriber may lag");
        declare_session_capacity(params);
        params.number("payload", payload, 1, 1U << 20U, "bytes of an output");
        params.choice("hand_over", hand_over, {"one_by_one", "together"},
                      "how a worker gives a burst to the runtime");
    }

    asio::awaitable<void> drive(house& all, span& time) const {
        co_await all.populate(sessions);
        const stopwatch watch;
        for (std::uint64_t first = 0; first < events; first += burst) {
            all.say_to_all(first, burst, payload);
            co_await all.received((first + burst) * sessions);
        }
        time = watch.stop();
    }

    /// What the subscriber has kept and lost.
    static std::uint64_t count(global_subscription& idle) {
        std::uint64_t sum = 0;
        error_code empty;
        for (auto next = idle.try_receive_batch(empty); !empty;
             next = idle.try_receive_batch(empty)) {
            sum += next.size() + next.missing().events;
        }
        return sum;
    }

    outcome run() const {
        if (events % burst != 0) {
            throw usage_error("--events must be a multiple of --burst");
        }
        asio::io_context context(1);
        house all(context, 1, lean_options(), hand_over_of(hand_over));
        global_subscription idle;
        if (subscriber == "global") {
            idle = all.runtime->subscribe_all(subscribe_options("idle", global_capacity));
        }
        span time;
        all.run(drive(all, time));
        const auto state = all.state();
        const auto received = state.totals.value_or_zero(counter::events_received_total);
        outcome done(received, received + (idle ? count(idle) : 0), time);
        done.ratio("dispatch_ns_per_event",
                   state.totals.value_or_zero(counter::event_dispatch_nanos_total), received)
            .cpu_per_operation("cpu_ns_per_event")
            .count("event_clone_ops", state.totals.value_or_zero(counter::event_clone_ops_total));
        add_latency(done, "dispatch", state, latency::dispatch);
        return done;
    }
};

/// What one subscriber has taken.
struct drained {
    std::uint64_t checksum = 0;
    std::uint64_t lost = 0;
    std::uint64_t fresh = 0;

    template <class Batch>
    void take(const Batch& batch) {
        for (const auto& one : batch) {
            const std::string& bytes = one.value.template get_if<output>()->bytes;
            checksum += static_cast<unsigned char>(bytes.front()) + bytes.size();
        }
        lost += batch.missing().events;
        fresh += batch.size() + batch.missing().events;
    }
};

template <class Subscription>
task<> drain(Subscription& events, rounds& bursts, drained& self) {
    for (;;) {
        auto receive = events.async_receive_batch(tuple);
        auto [ended, first] = co_await std::move(receive);
        if (ended) {
            co_return;
        }
        self.take(first);
        error_code empty;
        for (auto next = events.try_receive_batch(empty); !empty;
             next = events.try_receive_batch(empty)) {
            self.take(next);
        }
        bursts.took(std::exchange(self.fresh, 0));
    }
}

/// One run with its subscribers.
class end_to_end_run {
public:
    end_to_end_run(const end_to_end& options, bool metrics)
        : options_(options), context_(static_cast<int>(options.threads)),
          all_(context_, options.threads, with_metrics(metrics), hand_over_of(options.hand_over)),
          bursts_(context_.get_executor()), taken_(options.sessions + 1) {}

    outcome measure() {
        span time;
        all_.run(drive(time));
        const auto events = options_.sessions * options_.events;
        drained sum;
        for (const drained& one : taken_) {
            sum.checksum += one.checksum;
            sum.lost += one.lost;
        }
        const auto state = all_.state();
        outcome done(events * 2, sum.checksum, time);
        done.cpu_per_operation("cpu_ns_per_delivery")
            .wall_per_operation("wall_ns_per_delivery")
            .ratio("dispatch_ns_per_event",
                   state.totals.value_or_zero(counter::event_dispatch_nanos_total), events)
            .count("event_clone_ops", state.totals.value_or_zero(counter::event_clone_ops_total))
            .count("lost_events", sum.lost);
        add_latency(done, "dispatch", state, latency::dispatch);
        add_latency(done, "publish_to_receive", state, latency::publish_to_receive);
        return done;
    }

private:
    static runtime_options with_metrics(bool on) {
        runtime_options options = lean_options();
        options.metrics_enabled = on;
        return options;
    }

    asio::awaitable<void> subscribe() {
        everything_ =
            all_.runtime->subscribe_all(subscribe_options("all", options_.round_capacity()));
        start(context_, drain(everything_, bursts_, taken_.back()));
        each_.reserve(options_.sessions);
        for (std::uint64_t number = 0; number < options_.sessions; ++number) {
            subscribe_options options("one", options_.session_capacity);
            each_.push_back(co_await all_.runtime->subscribe(id_of(number), std::move(options)));
            start(context_, drain(each_.back(), bursts_, taken_[number]));
        }
    }

    asio::awaitable<void> drive(span& time) {
        co_await all_.populate(options_.sessions);
        co_await subscribe();
        co_await asio::post(asio::use_awaitable); // every subscriber waits
        const stopwatch watch;
        for (std::uint64_t first = 0; first < options_.events; first += options_.burst) {
            bursts_.expect(options_.burst * options_.sessions * 2);
            all_.say_to_all(first, options_.burst, options_.payload);
            co_await bursts_.finished();
        }
        time = watch.stop();
    }

    const end_to_end& options_;
    asio::io_context context_;
    house all_;
    rounds bursts_;
    std::vector<drained> taken_;
    global_subscription everything_;
    std::vector<session_subscription> each_;
};

} // namespace

hand_over hand_over_of(const std::string& name) {
    return name == "together" ? hand_over::together : hand_over::one_by_one;
}

void end_to_end::declare(param_set& params) {
    declare_sessions(params);
    params.number("events", events, 1, most_events, "events a session, a multiple of burst");
    params.number("burst", burst, 1, 1U << 16U, "events a session and round");
    params.number("global_capacity", global_capacity, 0, 1U << 24U,
                  "events that the global subscriber may lag; 0: sessions * burst");
    declare_session_capacity(params);
    params.number("payload", payload, 1, 1U << 20U, "bytes of an output");
    params.number("threads", threads, 1, 64, "threads that run the context");
    params.choice("hand_over", hand_over, {"one_by_one", "together"},
                  "how a worker gives a burst to the runtime");
}

void end_to_end::check() const {
    if (events % burst != 0) {
        throw usage_error("--events must be a multiple of --burst");
    }
    if (burst > session_capacity || sessions * burst > round_capacity()) {
        throw usage_error("a round must fit into the capacities: nothing may be lost");
    }
}

outcome end_to_end::measure(bool metrics) const {
    return end_to_end_run(*this, metrics).measure();
}

outcome end_to_end::run() const {
    check();
    return measure(true);
}

void add_fanout(registry& all) {
    all.add<dispatch>("dispatch", "The runtime takes its sessions' events; nobody reads them");
    all.add<end_to_end>("end_to_end", "Every event to a session's and a global subscriber");
}

} // namespace muster::work
