// Publishing alone: to subscribers that never read, and to subscribers that all sleep.

#include "workloads/audience.hpp"
#include "workloads/workloads.hpp"

namespace muster::work {
namespace {

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

/// Sleeps until the next event, every time.
template <class Payload>
task<> sleep_between(subscriber<Payload>& self, rounds& bursts) {
    for (;;) {
        auto receive = self.events.async_receive(tuple);
        const auto [ended, next] = co_await std::move(receive);
        if (ended) {
            co_return;
        }
        self.take(next);
        bursts.took(self.fresh());
    }
}

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
            start(context, sleep_between(one, bursts));
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

} // namespace

void add_channel_publish(registry& all) {
    all.add<publish_idle>("channel_publish", "Publish to subscribers that never read");
    all.add<publish_waiting>("channel_publish_waiting",
                             "The publish alone while every subscriber sleeps in a receive");
}

} // namespace muster::work
