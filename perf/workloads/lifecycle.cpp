// Sessions that come, stay and go: memory, subscribe_churn, spawn_kill.

#include "workloads/house.hpp"
#include "workloads/shared/loop.hpp"
#include "workloads/workloads.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>
#include <vector>

namespace muster::work {
namespace {

/// A checkpoint that is armed and does not come.
runtime_options with_far_checkpoint() {
    runtime_options options = lean_options();
    options.checkpoint = checkpoint_policy(std::chrono::seconds(120));
    return options;
}

struct memory : session_options {
    std::uint64_t subscribers = 0;
    std::string checkpoint = "armed";
    std::string worker = "machine";

    memory() { sessions = 20'000; }

    void declare(param_set& params) {
        declare_sessions(params);
        params.number("subscribers", subscribers, 0, 1, "subscribers of each session");
        declare_session_capacity(params);
        params.choice("checkpoint", checkpoint, {"armed", "off"}, "each session's prompts");
        params.choice("worker", worker, {"machine", "coroutine"}, "what each worker is");
    }

    struct result {
        span time;
        std::uint64_t grown = 0;
        std::uint64_t checksum = 0;
    };

    asio::awaitable<void> drive(house& all, result& found) const {
        const auto before = rss_bytes();
        const stopwatch watch;
        co_await all.populate(sessions);
        std::vector<session_subscription> readers;
        readers.reserve(sessions * subscribers);
        for (std::uint64_t number = 0; number < sessions * subscribers; ++number) {
            readers.push_back(co_await all.runtime->subscribe(id_of(number),
                                                              subscribe_options(session_capacity)));
        }
        co_await asio::post(asio::use_awaitable); // what was begun comes to rest
        found.time = watch.stop();
        found.grown = rss_bytes() - before;
        const auto state = co_await all.runtime->snapshot();
        found.checksum = state.session_count() + state.subscribers.size();
    }

    outcome run() const {
        asio::io_context context(1);
        house all(context, 1, checkpoint == "armed" ? with_far_checkpoint() : lean_options());
        all.workers->set_form(worker == "machine" ? worker_form::machine : worker_form::coroutine);
        result found;
        all.run(drive(all, found));
        return outcome(sessions, found.checksum, found.time)
            .ratio("bytes_per_session", found.grown, sessions);
    }
};

struct subscribe_churn : session_options {
    std::uint64_t operations = 1'000'000;

    subscribe_churn() { sessions = 10; }

    void declare(param_set& params) {
        declare_sessions(params);
        params.number("operations", operations, 1, std::uint64_t(1) << 40U, "subscribe+drop pairs");
        declare_session_capacity(params);
    }

    asio::awaitable<void> drive(house& all, span& time, std::uint64_t& subscribed) const {
        co_await all.populate(sessions);
        std::vector<session_id> ids;
        for (std::uint64_t number = 0; number < sessions; ++number) {
            ids.push_back(id_of(number));
        }
        const stopwatch watch;
        for (std::uint64_t number = 0, next = 0; number < operations; ++number) {
            const auto dropped = co_await all.runtime->async_subscribe(
                ids[next], subscribe_options(session_capacity));
            subscribed += dropped ? 1 : 0;
            next = next + 1 == sessions ? 0 : next + 1;
        }
        time = watch.stop();
    }

    outcome run() const {
        asio::io_context context(1);
        house all(context, 1, with_far_checkpoint());
        span time;
        std::uint64_t subscribed = 0;
        all.run(drive(all, time, subscribed));
        return outcome(operations, subscribed, time).cpu_per_operation("subscribe_drop_ns");
    }
};

struct spawn_kill : session_options {
    std::uint64_t rounds = 10;

    spawn_kill() { sessions = 1'000; }

    void declare(param_set& params) {
        declare_sessions(params);
        params.number("rounds", rounds, 1, std::uint64_t(1) << 32U,
                      "rounds, each with a new runtime");
        declare_session_capacity(params);
    }

    asio::awaitable<void> drive(house& all, std::uint64_t& killed) const {
        co_await all.populate(sessions);
        for (std::uint64_t number = 0; number < sessions; ++number) {
            co_await all.runtime->kill(id_of(number)); // throws if it fails
            ++killed;
        }
    }

    /// Returns the successful kills, when everything is gone.
    std::uint64_t round() const {
        asio::io_context context(1);
        house all(context, 1, with_far_checkpoint());
        std::uint64_t killed = 0;
        all.run(drive(all, killed));
        all.runtime.reset();
        context.restart();
        context.run();
        if (all.workers->alive() != 0) {
            throw std::runtime_error("workers are left after the runtime's end");
        }
        return killed;
    }

    outcome run() const {
        std::uint64_t killed = 0;
        const stopwatch watch;
        for (std::uint64_t done = 0; done < rounds; ++done) {
            killed += round();
        }
        const span time = watch.stop();
        return outcome(sessions * rounds, killed, time)
            .cpu_per_operation("cpu_ns_per_pair")
            .ratio("pairs_per_second", sessions * rounds * 1'000'000'000, time.cpu_ns);
    }
};

} // namespace

void add_lifecycle(registry& all) {
    all.add<memory>("memory", "Resident bytes for each idle session with its checkpoint timer");
    all.add<subscribe_churn>("subscribe_churn",
                             "Subscribe to a session and drop it, session after session");
    all.add<spawn_kill>("spawn_kill", "Spawn sessions, kill them in the same order; again");
}

} // namespace muster::work
