// Bursts from one task or several to every subscriber, received in every way there is.

#include "workloads/audience.hpp"
#include "workloads/workloads.hpp"

#include <memory>

namespace muster::work {
namespace {

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

/// A receive for every event, which waits only where there is none. Reports whenever a whole burst
/// is in, for it does not see the channel empty.
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

void add_channel_delivery(registry& all) {
    all.add<channel_delivery>("channel_delivery",
                              "Bursts published, taken by every subscriber, round by round");
}

} // namespace muster::work
