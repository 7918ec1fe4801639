// Real children: their lives from spawn to reaping, and how fast their output comes through.

#include "workloads/one_pipe.hpp"
#include "workloads/shared/loop.hpp"
#include "workloads/shared/measure.hpp"
#include "workloads/workloads.hpp"

#include <muster/backend/process.hpp>
#include <muster/runtime.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <sys/resource.h>

namespace muster::work {
namespace {

constexpr std::uint64_t most_children = 10'000;

/// Three descriptors a child: the soft limit of most shells ends at some 300 children.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

session_id id_of_child(std::uint64_t number) {
    return session_id("child-" + std::to_string(number));
}

/// A runtime with real children, driven by one coroutine.
class nursery {
public:
    nursery(std::uint64_t children, kill_grace grace) : children_(children) {
        process_options processes;
        processes.defaults.grace = grace;
        processes.on_ended = [this](const session_id&, const process_report& report) {
            gone_ += report.group_empty ? 1 : 0;
        };
        runtime_options options;
        options.checkpoint = checkpoint_policy::off();
        options.session_retention = retention(0);
        options.global_retention = retention(0);
        runtime_ = std::make_unique<runtime>(
            context_, std::make_shared<process_backend>(context_, std::move(processes)), options);
        // Room for all that may come before the reader's turn.
        events_ = runtime_->subscribe_all(subscribe_options("reader", 1U << 20U));
    }

    void run(asio::awaitable<void> driver) {
        std::exception_ptr problem;
        asio::co_spawn(context_, std::move(driver), [&](std::exception_ptr thrown) {
            problem = std::move(thrown);
            context_.stop();
        });
        context_.restart();
        context_.run();
        if (problem) {
            std::rethrow_exception(problem);
        }
    }

    asio::awaitable<void> spawn_all(const std::vector<std::string>& command) {
        for (std::uint64_t number = 0; number < children_; ++number) {
            spawn_request request(id_of_child(number), command);
            co_await runtime_->spawn(std::move(request));
        }
    }

    asio::awaitable<void> tell_all(std::string words) {
        for (std::uint64_t number = 0; number < children_; ++number) {
            co_await runtime_->send_input(id_of_child(number), words);
        }
    }

    /// Reads until `enough()`; counts who talks, bytes and what was lost.
    template <class Enough>
    asio::awaitable<void> read_until(Enough enough) {
        while (!enough()) {
            const auto batch = co_await events_.receive_batch();
            lost_ += batch.missing().events;
            for (const auto& one : batch) {
                output_bytes_ += one.value.output_bytes();
                if (talkers_.size() < children_) {
                    talkers_.insert(one.value.session());
                }
            }
        }
        if (lost_ != 0) {
            throw std::runtime_error("output was lost, so the run is void");
        }
    }

    /// Kills all at once, and waits until the system knows none of them any more.
    asio::awaitable<void> end_all() {
        const auto report = co_await runtime_->shutdown(std::chrono::seconds(30));
        if (!report.complete() || gone_ != children_) {
            throw std::runtime_error("children are left");
        }
    }

    std::uint64_t output_bytes() const { return output_bytes_; }
    /// How many children have said something.
    std::uint64_t talkers() const { return talkers_.size(); }
    std::uint64_t gone() const { return gone_; }

private:
    std::uint64_t children_;
    asio::io_context context_{1};
    std::unique_ptr<runtime> runtime_;
    global_subscription events_;
    std::unordered_set<session_id> talkers_;
    std::uint64_t output_bytes_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t gone_ = 0;
};

/// Children that say one line and wait: spawn, first output, kill, reaped.
struct process_lives {
    std::uint64_t children = 200;
    std::uint64_t rounds = 1;

    void declare(param_set& params) {
        params.number("children", children, 1, most_children, "children that live at once");
        params.number("rounds", rounds, 1, 10'000, "rounds, each with a new runtime");
    }

    struct result {
        std::uint64_t spawn_ns = 0;
        std::uint64_t output_ns = 0;
        std::uint64_t kill_ns = 0;
        std::uint64_t gone = 0;
    };

    asio::awaitable<void> drive(nursery& all, result& sum) const {
        const std::vector<std::string> command{"/bin/sh", "-c", "echo ready; read line"};
        const auto begin = clock::now();
        co_await all.spawn_all(command);
        const auto spawned = clock::now();
        co_await all.read_until([&] { return all.talkers() >= children; });
        const auto said = clock::now();
        co_await all.end_all();
        sum.spawn_ns += nanos(spawned - begin);
        sum.output_ns += nanos(said - spawned);
        sum.kill_ns += nanos(clock::now() - said);
    }

    outcome run() const {
        raise_descriptor_limit();
        result sum;
        span time;
        for (std::uint64_t round = 0; round < rounds; ++round) {
            nursery all(children, kill_grace()); // they go when their input is closed
            const stopwatch watch;
            all.run(drive(all, sum));
            const span taken = watch.stop();
            time.wall_ns += taken.wall_ns;
            time.cpu_ns += taken.cpu_ns;
            sum.gone += all.gone();
        }
        const auto lives = children * rounds;
        return outcome(lives, sum.gone, time)
            .ratio("wall_ns_per_round", time.wall_ns, rounds)
            .wall_per_operation("wall_ns_per_child")
            .cpu_per_operation("cpu_ns_per_child")
            .ratio("spawn_ns_per_child", sum.spawn_ns, lives)
            .ratio("first_output_ns_per_child", sum.output_ns, lives)
            .ratio("kill_ns_per_child", sum.kill_ns, lives);
    }
};

/// The output of many children at once, against `cat` through one pipe.
struct process_output {
    std::uint64_t children = 200;
    std::uint64_t bytes = 400'000'000;
    std::uint64_t pairs = 3;

    void declare(param_set& params) {
        params.number("children", children, 1, most_children, "children that write at once");
        params.number("bytes", bytes, 1, std::uint64_t(1) << 40U,
                      "that are read from all together");
        params.number("pairs", pairs, 1, 1'000, "runs, each after one of cat through one pipe");
    }

    /// Timed once every child writes.
    asio::awaitable<void> drive(nursery& all, span& time) const {
        const std::vector<std::string> command{"/bin/sh", "-c", "read go; exec cat /dev/zero"};
        co_await all.spawn_all(command);
        co_await all.tell_all("go\n");
        co_await all.read_until([&] { return all.talkers() >= children; });
        const auto before = all.output_bytes();
        const stopwatch watch;
        co_await all.read_until([&] { return all.output_bytes() - before >= bytes; });
        time = watch.stop();
        co_await all.end_all();
    }

    outcome run() const {
        raise_descriptor_limit();
        span time;
        std::uint64_t one_pipe = 0;
        std::vector<std::uint64_t> shares;
        for (std::uint64_t pair = 0; pair < pairs; ++pair) {
            const auto cat = read_through_one_pipe(bytes);
            span taken;
            const auto at_once = std::chrono::nanoseconds(0);
            nursery all(children, kill_grace(at_once, at_once, at_once));
            all.run(drive(all, taken));
            time.wall_ns += taken.wall_ns;
            time.cpu_ns += taken.cpu_ns;
            one_pipe += cat;
            shares.push_back(cat * 1'000 / std::max<std::uint64_t>(taken.wall_ns, 1));
        }
        std::sort(shares.begin(), shares.end());
        return outcome(bytes * pairs, bytes * pairs, time)
            .ratio("bytes_per_us", bytes * pairs * 1'000, time.wall_ns)
            .ratio("one_pipe_bytes_per_us", bytes * pairs * 1'000, one_pipe)
            .ratio("of_one_pipe_pct", shares[shares.size() / 2], 10);
    }
};

} // namespace

void add_processes(registry& all) {
    all.add<process_lives>("process_lives", "Real children: spawn, first output, kill, reaped");
    all.add<process_output>("process_output", "Many children's output, against cat on one pipe");
}

} // namespace muster::work
