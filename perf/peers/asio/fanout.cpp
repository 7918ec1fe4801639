#include "workload.hpp"
#include "workloads/shared/loop.hpp"

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <string>

// Sessions without a manager: a coroutine each that takes bursts of output from its worker and
// sends every event to the session's subscriber and to the global one.

namespace muster::work::peer {

namespace {

struct event {
    event(std::uint64_t of, std::uint64_t number, std::string bytes)
        : session(of), sequence(number), output(std::move(bytes)) {}
    std::uint64_t session;
    std::uint64_t sequence;
    std::string output;
};

using shared_event = std::shared_ptr<const event>;
using burst_of_output = std::vector<std::string>;

struct session {
    session(executor where, std::uint64_t n, std::uint64_t capacity)
        : number(n), source(where, 1), subscriber(where, capacity) {}
    std::uint64_t number;
    channel<burst_of_output> source;
    channel<shared_event> subscriber;
};

struct drained {
    std::uint64_t checksum = 0;
    std::uint64_t fresh = 0;

    void take(const event& one) {
        checksum += static_cast<unsigned char>(one.output.front()) + one.output.size();
        ++fresh;
    }
};

class house {
public:
    house(asio::io_context& context, std::uint64_t sessions, std::uint64_t capacity,
          std::uint64_t global_capacity)
        : global_(context.get_executor(), global_capacity) {
        for (std::uint64_t number = 0; number < sessions; ++number)
            all_.push_back(std::make_unique<session>(context.get_executor(), number, capacity));
    }

    task<> ingest(session& self) {
        for (;;) {
            auto receive = self.source.async_receive(tuple);
            auto [error, outputs] = co_await std::move(receive);
            if (error)
                co_return;
            for (std::string& output : outputs)
                dispatch(self, std::move(output));
        }
    }

    void close() {
        for (auto& one : all_) {
            one->source.close();
            one->subscriber.close();
        }
        global_.close();
    }

    auto& sessions() { return all_; }
    channel<shared_event>& global() { return global_; }

private:
    void dispatch(session& self, std::string output) {
        const auto sequence = sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
        auto one = std::make_shared<const event>(self.number, sequence, std::move(output));
        self.subscriber.try_send(error_code(), one);
        global_.try_send(error_code(), std::move(one));
    }

    channel<shared_event> global_;
    std::vector<std::unique_ptr<session>> all_;
    std::atomic<std::uint64_t> sequence_ = 0;
};

task<> drain(channel<shared_event>& events, rounds& bursts, drained& self) {
    bool closed = false;
    const auto take = [&](error_code error, const shared_event& one) {
        closed = closed || error;
        if (!error)
            self.take(*one);
    };
    while (!closed) {
        auto receive = events.async_receive(tuple);
        const auto [error, first] = co_await std::move(receive);
        take(error, first);
        while (!closed && events.try_receive(take)) {
        }
        bursts.took(std::exchange(self.fresh, 0));
    }
}

burst_of_output burst_from(std::uint64_t first, std::uint64_t count, std::uint64_t payload) {
    burst_of_output outputs;
    outputs.reserve(count);
    for (std::uint64_t number = first; number < first + count; ++number)
        outputs.emplace_back(payload, static_cast<char>('a' + number % 16));
    return outputs;
}

struct end_to_end {
    std::uint64_t sessions = 30;
    std::uint64_t events = 4'000;
    std::uint64_t burst = 16;
    std::uint64_t global_capacity = 0;
    std::uint64_t session_capacity = 256;
    std::uint64_t payload = 64;
    std::uint64_t threads = 1;

    void declare(param_set& params) {
        params.number("sessions", sessions, 1, 1'000'000, "sessions");
        params.number("events", events, 1, 1ULL << 32U, "events a session, a multiple of burst");
        params.number("burst", burst, 1, 1U << 16U, "events a session and round");
        params.number("global_capacity", global_capacity, 0, 1U << 24U,
                      "of the global subscriber's channel; 0: sessions * burst");
        params.number("session_capacity", session_capacity, 1, 1U << 16U,
                      "of a session subscriber's channel");
        params.number("payload", payload, 1, 1U << 20U, "bytes of an output");
        params.number("threads", threads, 1, 64, "threads that run the context");
    }

    task<> drive(house& all, rounds& bursts, span& time) const {
        const stopwatch watch;
        for (std::uint64_t first = 0; first < events; first += burst) {
            bursts.expect(burst * sessions * 2);
            for (auto& one : all.sessions())
                one->source.try_send(error_code(), burst_from(first, burst, payload));
            co_await bursts.finished();
        }
        time = watch.stop();
        all.close();
    }

    outcome run() const {
        if (events % burst != 0)
            throw usage_error("--events must be a multiple of --burst");
        const auto global = global_capacity == 0 ? sessions * burst : global_capacity;
        if (burst > session_capacity || sessions * burst > global)
            throw usage_error("a round must fit into the channels: nothing may be lost");
        asio::io_context context(static_cast<int>(threads));
        house all(context, sessions, session_capacity, global);
        rounds bursts(context.get_executor());
        std::vector<drained> taken(sessions + 1);
        for (auto& one : all.sessions()) {
            start(context, all.ingest(*one));
            start(context, drain(one->subscriber, bursts, taken[one->number]));
        }
        start(context, drain(all.global(), bursts, taken.back()));
        span time;
        start(context, drive(all, bursts, time));
        run_all(context, threads);
        return report(taken, time);
    }

    outcome report(const std::vector<drained>& taken, span time) const {
        std::uint64_t checksum = 0;
        for (const drained& one : taken)
            checksum += one.checksum;
        return outcome(sessions * events * 2, checksum, time)
            .cpu_per_operation("cpu_ns_per_delivery")
            .wall_per_operation("wall_ns_per_delivery")
            .count("lost_events", 0);
    }
};

/// A session as it idles: its coroutine waits for the worker, its timer for the next prompt.
struct memory {
    std::uint64_t sessions = 20'000;
    std::uint64_t subscribers = 0;
    std::uint64_t session_capacity = 256;

    void declare(param_set& params) {
        params.number("sessions", sessions, 1, 2'000'000, "sessions");
        params.number("subscribers", subscribers, 0, 1, "subscribers of each session");
        params.number("session_capacity", session_capacity, 1, 1U << 16U,
                      "of a session subscriber's channel");
    }

    struct idle_session {
        explicit idle_session(executor where) : source(where, 1), checkpoint(where) {}
        channel<burst_of_output> source;
        asio::steady_timer::rebind_executor<executor>::other checkpoint;
        std::unique_ptr<channel<shared_event>> subscriber;
    };

    static task<> wait_for_output(channel<burst_of_output>& source) {
        auto receive = source.async_receive(tuple);
        co_await std::move(receive);
    }

    void add(asio::io_context& context, std::vector<std::unique_ptr<idle_session>>& all) const {
        auto one = std::make_unique<idle_session>(context.get_executor());
        one->checkpoint.expires_after(std::chrono::seconds(120));
        one->checkpoint.async_wait([](error_code) {});
        start(context, wait_for_output(one->source));
        if (subscribers == 1)
            one->subscriber =
                std::make_unique<channel<shared_event>>(context.get_executor(), session_capacity);
        all.push_back(std::move(one));
    }

    outcome run() const {
        asio::io_context context(1);
        std::vector<std::unique_ptr<idle_session>> all;
        const auto before = rss_bytes();
        const stopwatch watch;
        for (std::uint64_t number = 0; number < sessions; ++number)
            add(context, all);
        context.poll();
        const span time = watch.stop();
        const auto grown = rss_bytes() - before;
        return outcome(sessions, all.size() * (1 + subscribers), time)
            .ratio("bytes_per_session", grown, sessions);
    }
};

} // namespace

void add_fanout(registry& all) {
    all.add<end_to_end>("end_to_end", "Every event to a session's and a global subscriber");
    all.add<memory>("memory", "Resident bytes for each idle session with its checkpoint timer");
}

} // namespace muster::work::peer
