#include "fan_out.hpp"
#include "workload.hpp"
#include "workloads/shared/loop.hpp"

#include <memory>

// The channel workloads on a concurrent_channel per subscriber.

namespace muster::work::peer {

namespace {

/// try_receive until the channel is empty.
template <class Payload>
void take_ready(subscriber<Payload>& self) {
    const auto take = [&self](error_code error, const Payload& payload) {
        if (error) {
            self.closed = true;
            return;
        }
        self.taken.sum += number_of(payload);
        ++self.taken.fresh;
    };
    while (!self.closed && self.events.try_receive(take)) {
    }
}

template <class Payload>
task<> drain(subscriber<Payload>& self, rounds& bursts) {
    for (;;) {
        auto receive = self.events.async_receive(tuple);
        const auto [error, payload] = co_await std::move(receive);
        if (error)
            co_return;
        self.taken.sum += number_of(payload);
        ++self.taken.fresh;
        take_ready(self);
        bursts.took(std::exchange(self.taken.fresh, 0));
    }
}

template <class Payload>
task<> drain_one_by_one(subscriber<Payload>& self, rounds& bursts, std::uint64_t burst) {
    for (;;) {
        auto receive = self.events.async_receive(tuple);
        const auto [error, payload] = co_await std::move(receive);
        if (error)
            co_return;
        self.taken.sum += number_of(payload);
        if (++self.taken.fresh == burst)
            bursts.took(std::exchange(self.taken.fresh, 0));
    }
}

struct channel_options {
    std::uint64_t events = 0;
    std::uint64_t subscribers = 1;
    std::uint64_t capacity = 1024;
    std::string payload = "inline";

    void declare_common(param_set& params) {
        params.number("events", events, 1, 1ULL << 32U, "events published");
        params.number("subscribers", subscribers, 0, 100'000, "subscribers");
        params.number("capacity", capacity, 1, 1U << 20U, "events that each channel keeps");
        params.choice("payload", payload, {"inline", "shared"},
                      "a u64, or a shared_ptr to a new event each");
    }
};

struct publish_idle : channel_options {
    publish_idle() { events = 4'000'000; }

    void declare(param_set& params) { declare_common(params); }

    template <class Payload>
    outcome measure() const {
        asio::io_context context(1);
        fan_out<Payload> out(context, subscribers, capacity);
        const stopwatch watch;
        for (std::uint64_t number = 1; number <= events; ++number)
            out.publish(number);
        const span time = watch.stop();
        for (auto& one : out.subscribers())
            take_ready(*one);
        return outcome(events, out.checksum(), time).cpu_per_operation("publish_ns");
    }

    outcome run() const {
        return payload == "inline" ? measure<inline_payload>() : measure<shared_payload>();
    }
};

struct publish_waiting : channel_options {
    publish_waiting() {
        events = 2'000;
        subscribers = 512;
    }

    void declare(param_set& params) { declare_common(params); }

    template <class Payload>
    task<> drive(fan_out<Payload>& out, rounds& bursts, std::vector<std::uint64_t>& publishes,
                 span& time) const {
        const stopwatch watch;
        for (std::uint64_t number = 1; number <= events; ++number) {
            bursts.expect(subscribers);
            const auto begin = clock::now();
            out.publish(number);
            publishes.push_back(nanos(clock::now() - begin));
            co_await bursts.finished();
        }
        time = watch.stop();
        out.close();
    }

    template <class Payload>
    outcome measure() const {
        asio::io_context context(1);
        fan_out<Payload> out(context, subscribers, capacity);
        rounds bursts(context.get_executor());
        for (auto& one : out.subscribers())
            start(context, drain_one_by_one(*one, bursts, 1));
        std::vector<std::uint64_t> publishes;
        publishes.reserve(events);
        span time;
        start(context, drive(out, bursts, publishes, time));
        context.run();
        const samples each(std::move(publishes));
        return outcome(events, out.checksum(), time)
            .ratio("publish_ns", each.sum(), events)
            .percentiles("publish", each);
    }

    outcome run() const {
        if (subscribers == 0)
            throw usage_error("--subscribers must be 1 or more: somebody has to wait");
        return payload == "inline" ? measure<inline_payload>() : measure<shared_payload>();
    }
};

using signals = std::vector<std::unique_ptr<signal>>;

struct delivery : channel_options {
    std::uint64_t burst = 1024;
    std::uint64_t producers = 1;
    std::uint64_t threads = 1;
    std::string receive = "batch";

    delivery() {
        events = 20'480;
        subscribers = 64;
    }

    void declare(param_set& params) {
        declare_common(params);
        params.number("burst", burst, 1, 1U << 20U, "events a round; 1: singles to sleepers");
        params.choice("receive", receive, {"batch", "try", "await"},
                      "batch and try: try_receive until empty, then async_receive");
        params.number("producers", producers, 1, 64, "tasks that publish");
        params.number("threads", threads, 1, 64, "threads that run the context");
    }

    template <class Payload>
    void publish(fan_out<Payload>& out, std::uint64_t round, std::uint64_t producer) const {
        const auto first = (round * producers + producer) * burst + 1;
        for (std::uint64_t number = first; number < first + burst; ++number)
            out.publish(number);
    }

    template <class Payload>
    task<> produce(fan_out<Payload>& out, signal& begin, std::uint64_t producer) const {
        for (std::uint64_t round = 0; round < events / burst; ++round) {
            co_await begin.async_receive(tuple);
            publish(out, round, producer);
        }
    }

    /// The driver is the first producer; the others wait for their turn in each round.
    template <class Payload>
    task<> drive(fan_out<Payload>& out, rounds& bursts, signals& others, span& time) const {
        const stopwatch watch;
        for (std::uint64_t round = 0; round < events / burst; ++round) {
            bursts.expect(producers * burst * subscribers);
            for (auto& other : others)
                other->try_send(error_code());
            publish(out, round, 0);
            co_await bursts.finished();
        }
        time = watch.stop();
        out.close();
    }

    template <class Payload>
    outcome measure() const {
        asio::io_context context(static_cast<int>(threads));
        fan_out<Payload> out(context, subscribers, capacity);
        rounds bursts(context.get_executor());
        for (auto& one : out.subscribers())
            start(context, receive == "await" ? drain_one_by_one(*one, bursts, producers * burst)
                                              : drain(*one, bursts));
        signals others;
        for (std::uint64_t producer = 1; producer < producers; ++producer) {
            others.push_back(std::make_unique<signal>(context.get_executor(), 1));
            start(context, produce(out, *others.back(), producer));
        }
        span time;
        start(context, drive(out, bursts, others, time));
        run_all(context, threads);
        return outcome(events * producers * subscribers, out.checksum(), time)
            .cpu_per_operation("cpu_ns_per_delivery")
            .wall_per_operation("wall_ns_per_delivery");
    }

    outcome run() const {
        if (subscribers == 0)
            throw usage_error("--subscribers must be 1 or more: somebody has to receive");
        if (events % burst != 0)
            throw usage_error("--events must be a multiple of --burst");
        if (producers * burst > capacity)
            throw usage_error(
                "--producers * --burst must not exceed --capacity: nothing may be lost");
        return payload == "inline" ? measure<inline_payload>() : measure<shared_payload>();
    }
};

} // namespace

void add_channel(registry& all) {
    all.add<publish_idle>("channel_publish", "Publish to subscribers that never read");
    all.add<publish_waiting>("channel_publish_waiting",
                             "The publish alone while every subscriber sleeps in a receive");
    all.add<delivery>("channel_delivery",
                      "Bursts published, taken by every subscriber, round by round");
}

} // namespace muster::work::peer
