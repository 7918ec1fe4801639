#include "loop.hpp"
#include "workload.hpp"

#include <array>
#include <memory>

// A concurrent_channel per subscriber; the publisher sends to each, and drops the oldest event of
// one that is full, which is what the broadcast of the others does.

namespace peer {

namespace {

struct shared_event {
    explicit shared_event(std::uint64_t n) : number(n) { text.fill('a'); }
    std::uint64_t number;
    std::array<char, 56> text;
};

using inline_payload = std::uint64_t;
using shared_payload = std::shared_ptr<const shared_event>;

template <class Payload>
Payload make(std::uint64_t number) {
    if constexpr (std::is_same_v<Payload, inline_payload>)
        return number;
    else
        return std::make_shared<const shared_event>(number);
}

std::uint64_t number_of(inline_payload payload) {
    return payload;
}
std::uint64_t number_of(const shared_payload& payload) {
    return payload->number;
}

/// What a subscriber received, or lost: the sum of the numbers and of the lost events.
struct tally {
    std::uint64_t sum = 0;
    std::uint64_t lost = 0;
    std::uint64_t fresh = 0;
};

template <class Payload>
struct subscriber {
    subscriber(executor where, std::uint64_t capacity) : events(where, capacity) {}
    channel<Payload> events;
    tally taken;
    bool closed = false;
};

template <class Payload>
class fan_out {
public:
    fan_out(asio::io_context& context, std::uint64_t subscribers, std::uint64_t capacity) {
        for (std::uint64_t index = 0; index < subscribers; ++index)
            all_.push_back(std::make_unique<subscriber<Payload>>(context.get_executor(), capacity));
    }

    void publish(std::uint64_t number) {
        const Payload payload = make<Payload>(number);
        for (auto& one : all_)
            send(*one, payload);
    }

    void close() {
        for (auto& one : all_)
            one->events.close();
    }

    std::uint64_t checksum() const {
        std::uint64_t sum = 0;
        for (const auto& one : all_)
            sum += one->taken.sum + one->taken.lost;
        return sum;
    }

    auto& subscribers() { return all_; }

private:
    static void send(subscriber<Payload>& one, const Payload& payload) {
        while (!one.events.try_send(error_code(), payload)) {
            one.events.try_receive([](error_code, const Payload&) {});
            ++one.taken.lost;
        }
    }

    std::vector<std::unique_ptr<subscriber<Payload>>> all_;
};

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

struct delivery : channel_options {
    std::uint64_t burst = 1024;
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
        params.number("threads", threads, 1, 64, "threads that run the context");
    }

    template <class Payload>
    task<> drive(fan_out<Payload>& out, rounds& bursts, span& time) const {
        const stopwatch watch;
        for (std::uint64_t first = 1; first <= events; first += burst) {
            bursts.expect(burst * subscribers);
            for (std::uint64_t number = first; number < first + burst; ++number)
                out.publish(number);
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
            start(context,
                  receive == "await" ? drain_one_by_one(*one, bursts, burst) : drain(*one, bursts));
        span time;
        start(context, drive(out, bursts, time));
        run_all(context, threads);
        return outcome(events * subscribers, out.checksum(), time)
            .cpu_per_operation("cpu_ns_per_delivery")
            .wall_per_operation("wall_ns_per_delivery");
    }

    outcome run() const {
        if (subscribers == 0)
            throw usage_error("--subscribers must be 1 or more: somebody has to receive");
        if (events % burst != 0)
            throw usage_error("--events must be a multiple of --burst");
        if (burst > capacity)
            throw usage_error("--burst must not exceed --capacity: nothing may be lost");
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

} // namespace peer
