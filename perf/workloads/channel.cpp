// The channel workloads on muster::broadcast.

#include "workloads/shared/loop.hpp"
#include "workloads/shared/payload.hpp"
#include "workloads/workloads.hpp"

#include <muster/fanout/broadcast.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace muster::work {
namespace {

template <class Payload>
using fan_out = broadcast<Payload, executor>;
template <class Payload>
using reader = subscription<Payload, executor>;

/// A subscriber, and what it received or lost.
template <class Payload>
struct subscriber {
    explicit subscriber(reader<Payload> place) : events(std::move(place)) {}

    /// How many events it took or lost since it was last asked.
    std::uint64_t fresh() {
        const std::uint64_t all = taken + lost;
        return all - std::exchange(told, all);
    }

    void take(const delivery<Payload>& one) {
        sum += number_of(one.value);
        lost += one.missing.events;
        ++taken;
    }
    void take(const event_batch<Payload>& batch) {
        for (const auto& one : batch) {
            sum += number_of(one.value);
        }
        lost += batch.missing().events;
        taken += batch.size();
    }

    reader<Payload> events;
    std::uint64_t sum = 0;
    std::uint64_t lost = 0;
    std::uint64_t taken = 0;
    std::uint64_t told = 0;
};

/// A channel with its subscribers.
template <class Payload>
struct audience {
    audience(asio::io_context& context, std::uint64_t count, std::uint64_t capacity)
        : channel(context.get_executor()) {
        subscribers.reserve(count);
        for (std::uint64_t index = 0; index < count; ++index) {
            subscribers.emplace_back(channel.subscribe(subscribe_options(capacity)));
        }
    }

    std::uint64_t checksum() const {
        std::uint64_t sum = 0;
        for (const auto& one : subscribers) {
            sum += one.sum + one.lost;
        }
        return sum;
    }

    fan_out<Payload> channel;
    std::vector<subscriber<Payload>> subscribers;
};

template <class Payload>
task<> read_batches(subscriber<Payload>& self, rounds& bursts) {
    for (;;) {
        auto receive = self.events.async_receive_batch(tuple);
        auto [ended, first] = co_await std::move(receive);
        if (ended) {
            co_return;
        }
        self.take(first);
        error_code empty;
        for (auto next = self.events.try_receive_batch(empty); !empty;
             next = self.events.try_receive_batch(empty)) {
            self.take(next);
        }
        bursts.took(self.fresh());
    }
}

template <class Payload>
task<> try_then_wait(subscriber<Payload>& self, rounds& bursts) {
    for (;;) {
        auto receive = self.events.async_receive(tuple);
        const auto [ended, first] = co_await std::move(receive);
        if (ended) {
            co_return;
        }
        self.take(first);
        error_code empty;
        for (auto next = self.events.try_receive(empty); !empty;
             next = self.events.try_receive(empty)) {
            self.take(next);
        }
        bursts.took(self.fresh());
    }
}

/// Reports whenever a whole burst is in, for it never sees the channel empty.
template <class Payload>
task<> read_one_by_one(subscriber<Payload>& self, rounds& bursts, std::uint64_t burst) {
    for (;;) {
        auto receive = self.events.async_receive(tuple);
        const auto [ended, next] = co_await std::move(receive);
        if (ended) {
            co_return;
        }
        self.take(next);
        if (self.taken + self.lost - self.told >= burst) {
            bursts.took(self.fresh());
        }
    }
}

struct channel_options {
    std::uint64_t events = 0;
    std::uint64_t subscribers = 1;
    std::uint64_t capacity = 1024;
    std::string payload = "inline";

    void declare_common(param_set& params) {
        params.number("events", events, 1, std::uint64_t(1) << 32U, "events published");
        params.number("subscribers", subscribers, 0, 100'000, "subscribers");
        params.number("capacity", capacity, 1, 1U << 20U, "events that a subscriber may lag");
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
        audience<Payload> all(context, subscribers, capacity);
        const stopwatch watch;
        for (std::uint64_t number = 1; number <= events; ++number) {
            all.channel.publish(make<Payload>(number));
        }
        const span time = watch.stop();
        for (auto& one : all.subscribers) {
            error_code empty;
            for (auto next = one.events.try_receive(empty); !empty;
                 next = one.events.try_receive(empty)) {
                one.take(next);
            }
        }
        return outcome(events, all.checksum(), time).cpu_per_operation("publish_ns");
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
    task<> drive(audience<Payload>& all, rounds& bursts, std::vector<std::uint64_t>& publishes,
                 span& time) const {
        const stopwatch watch;
        for (std::uint64_t number = 1; number <= events; ++number) {
            bursts.expect(subscribers);
            const auto begin = clock::now();
            all.channel.publish(make<Payload>(number));
            publishes.push_back(nanos(clock::now() - begin));
            co_await bursts.finished();
        }
        time = watch.stop();
        all.channel.close();
    }

    template <class Payload>
    outcome measure() const {
        asio::io_context context(1);
        audience<Payload> all(context, subscribers, capacity);
        rounds bursts(context.get_executor());
        for (auto& one : all.subscribers) {
            start(context, read_one_by_one(one, bursts, 1));
        }
        std::vector<std::uint64_t> publishes;
        publishes.reserve(events);
        span time;
        start(context, drive(all, bursts, publishes, time));
        context.run();
        const samples each(std::move(publishes));
        return outcome(events, all.checksum(), time)
            .ratio("publish_ns", each.sum(), events)
            .percentiles("publish", each);
    }

    outcome run() const {
        if (subscribers == 0) {
            throw usage_error("--subscribers must be 1 or more: somebody has to wait");
        }
        return payload == "inline" ? measure<inline_payload>() : measure<shared_payload>();
    }
};

using signals = std::vector<std::unique_ptr<signal>>;

struct channel_delivery : channel_options {
    std::uint64_t burst = 1024;
    std::uint64_t producers = 1;
    std::uint64_t threads = 1;
    std::string receive = "batch";

    channel_delivery() {
        events = 20'480;
        subscribers = 64;
    }

    void declare(param_set& params) {
        declare_common(params);
        params.number("burst", burst, 1, 1U << 20U, "events a round; 1: singles to sleepers");
        params.choice("receive", receive, {"batch", "try", "await"},
                      "batches; try_receive until empty, then wait; or a wait for every event");
        params.number("producers", producers, 1, 64, "tasks that publish");
        params.number("threads", threads, 1, 64, "threads that run the context");
    }

    template <class Payload>
    void publish(audience<Payload>& all, std::uint64_t round, std::uint64_t producer) const {
        const auto first = (round * producers + producer) * burst + 1;
        for (std::uint64_t number = first; number < first + burst; ++number) {
            all.channel.publish(make<Payload>(number));
        }
    }

    template <class Payload>
    task<> produce(audience<Payload>& all, signal& begin, std::uint64_t producer) const {
        for (std::uint64_t round = 0; round < events / burst; ++round) {
            auto told = begin.async_receive(tuple);
            co_await std::move(told);
            publish(all, round, producer);
        }
    }

    /// The driver is the first producer; the others wait for their turn in each round.
    template <class Payload>
    task<> drive(audience<Payload>& all, rounds& bursts, signals& others, span& time) const {
        const stopwatch watch;
        for (std::uint64_t round = 0; round < events / burst; ++round) {
            bursts.expect(producers * burst * subscribers);
            for (auto& other : others) {
                other->try_send(error_code());
            }
            publish(all, round, 0);
            co_await bursts.finished();
        }
        time = watch.stop();
        all.channel.close();
    }

    template <class Payload>
    task<> read(subscriber<Payload>& self, rounds& bursts) const {
        if (receive == "batch") {
            return read_batches(self, bursts);
        }
        return receive == "try" ? try_then_wait(self, bursts)
                                : read_one_by_one(self, bursts, producers * burst);
    }

    template <class Payload>
    outcome measure() const {
        asio::io_context context(static_cast<int>(threads));
        audience<Payload> all(context, subscribers, capacity);
        rounds bursts(context.get_executor());
        for (auto& one : all.subscribers) {
            start(context, read(one, bursts));
        }
        signals others;
        for (std::uint64_t producer = 1; producer < producers; ++producer) {
            others.push_back(std::make_unique<signal>(context.get_executor(), 1));
            start(context, produce(all, *others.back(), producer));
        }
        span time;
        start(context, drive(all, bursts, others, time));
        run_all(context, threads);
        return outcome(events * producers * subscribers, all.checksum(), time)
            .cpu_per_operation("cpu_ns_per_delivery")
            .wall_per_operation("wall_ns_per_delivery");
    }

    outcome run() const {
        if (subscribers == 0) {
            throw usage_error("--subscribers must be 1 or more: somebody has to receive");
        }
        if (events % burst != 0) {
            throw usage_error("--events must be a multiple of --burst");
        }
        if (producers * burst > capacity) {
            throw usage_error(
                "--producers * --burst must not exceed --capacity: nothing may be lost");
        }
        return payload == "inline" ? measure<inline_payload>() : measure<shared_payload>();
    }
};

} // namespace

void add_channel(registry& all) {
    all.add<publish_idle>("channel_publish", "Publish to subscribers that never read");
    all.add<publish_waiting>("channel_publish_waiting",
                             "The publish alone while every subscriber sleeps in a receive");
    all.add<channel_delivery>("channel_delivery",
                              "Bursts published, taken by every subscriber, round by round");
}

} // namespace muster::work
