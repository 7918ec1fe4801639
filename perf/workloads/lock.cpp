// The awaitable reader/writer lock.

#include "workloads/shared/loop.hpp"
#include "workloads/workloads.hpp"

#include <muster/sync/shared_mutex.hpp>
#include <muster/sync/shared_mutex_core.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace muster::work {
namespace {

using mutex = basic_shared_mutex<executor>;

struct lock_uncontended {
    std::uint64_t operations = 10'000'000;
    std::string how = "await";
    std::string side = "shared";

    void declare(param_set& params) {
        params.number("operations", operations, 1, std::uint64_t(1) << 40U, "lock+unlock pairs");
        params.choice("how", how, {"await", "try", "core"},
                      "wait for the lock, try, or try the rules alone, without a holder");
        params.choice("side", side, {"shared", "exclusive"}, "reader's or writer's lock");
    }

    template <lock_mode Mode>
    static auto attempt(mutex& lock) {
        if constexpr (Mode == lock_mode::shared) {
            return lock.try_lock_shared();
        } else {
            return lock.try_lock();
        }
    }

    template <lock_mode Mode>
    task<> with_await(mutex& lock, const std::uint64_t& value, std::uint64_t& sum) const {
        for (std::uint64_t i = 0; i < operations; ++i) {
            if constexpr (Mode == lock_mode::shared) {
                const shared_lock held = co_await lock.async_lock_shared();
                sum += value;
            } else {
                const unique_lock held = co_await lock.async_lock();
                sum += value;
            }
        }
    }

    template <lock_mode Mode>
    void with_try(mutex& lock, const std::uint64_t& value, std::uint64_t& sum) const {
        for (std::uint64_t i = 0; i < operations; ++i) {
            if (const auto held = attempt<Mode>(lock)) {
                sum += value;
            }
        }
    }

    template <lock_mode Mode>
    void with_core(shared_mutex_core& lock, const std::uint64_t& value, std::uint64_t& sum) const {
        for (std::uint64_t i = 0; i < operations; ++i) {
            if (lock.try_lock<Mode>()) {
                sum += value;
                static_cast<void>(lock.unlock<Mode>()); // nobody waits
            }
        }
    }

    template <lock_mode Mode>
    outcome measure() const {
        asio::io_context context(1);
        mutex lock(context.get_executor());
        shared_mutex_core core;
        volatile std::uint64_t seven = 7;
        const std::uint64_t value = seven;
        std::uint64_t sum = 0;
        const stopwatch watch;
        if (how == "await") {
            start(context, with_await<Mode>(lock, value, sum));
            context.run();
        } else if (how == "try") {
            with_try<Mode>(lock, value, sum);
        } else {
            with_core<Mode>(core, value, sum);
        }
        return outcome(operations, sum, watch.stop()).cpu_per_operation("lock_unlock_ns");
    }

    outcome run() const {
        return side == "shared" ? measure<lock_mode::shared>() : measure<lock_mode::exclusive>();
    }
};

/// Both halves are equal whenever a reader looks.
struct guarded {
    std::uint64_t left = 0;
    std::uint64_t right = 0;

    void write() {
        ++left;
        ++right;
    }
};

struct reader {
    std::uint64_t checksum = 0;
    std::vector<std::uint64_t> waits;

    void read(const guarded& data) { checksum += 1 + (data.left - data.right); }
};

/// The writer's thread: outside of the readers' executor, with a context of its own to wait in.
class outside_writer {
public:
    outside_writer(mutex& lock, guarded& data, std::uint64_t pause_us)
        : lock_(lock), data_(data), pause_(pause_us), thread_([this] { run(); }) {}

    /// Returns how often it has written.
    std::uint64_t stop() {
        stopping_.store(true, std::memory_order_relaxed);
        thread_.join();
        return writes_;
    }

private:
    void run() {
        for (; !stopping_.load(std::memory_order_relaxed); ++writes_) {
            std::this_thread::sleep_for(pause_);
            if (const unique_lock held = lock_.try_lock()) {
                data_.write();
            } else {
                write_when_granted();
            }
        }
    }

    void write_when_granted() {
        lock_.async_lock(asio::bind_executor(
            mine_.get_executor(), [this](error_code, const unique_lock&) { data_.write(); }));
        mine_.restart();
        mine_.run();
    }

    mutex& lock_;
    guarded& data_;
    std::chrono::microseconds pause_;
    asio::io_context mine_{1};
    std::atomic<bool> stopping_{false};
    std::uint64_t writes_ = 0;
    std::thread thread_;
};

struct lock_mix {
    std::uint64_t readers = 64;
    std::uint64_t reads = 100'000;
    std::uint64_t burst = 64;
    std::uint64_t write_every_us = 100;
    std::uint64_t threads = 1;

    void declare(param_set& params) {
        params.number("readers", readers, 1, 100'000, "reader coroutines");
        params.number("reads", reads, 1, std::uint64_t(1) << 40U, "reads by each");
        params.number("burst", burst, 1, 1U << 20U, "reads before a reader yields to the others");
        params.number("write_every_us", write_every_us, 1, 1'000'000, "pause of the writer thread");
        params.number("threads", threads, 1, 64, "threads, the writer's not counted");
    }

    /// Tries first; only a wait reads the clock.
    task<> read(mutex& lock, const guarded& data, reader& self) const {
        for (std::uint64_t n = 1; n <= reads; ++n) {
            if (const shared_lock held = lock.try_lock_shared()) {
                self.read(data);
            } else {
                const auto begin = clock::now();
                const shared_lock granted = co_await lock.async_lock_shared();
                self.waits.push_back(nanos(clock::now() - begin));
                self.read(data);
            }
            if (n % burst == 0) {
                co_await asio::post(asio::deferred);
            }
        }
    }

    outcome run() const {
        asio::io_context context(static_cast<int>(threads));
        mutex lock(context.get_executor());
        guarded data;
        std::vector<reader> all(readers);
        std::atomic<std::uint64_t> left = readers;
        span time;
        outside_writer writer(lock, data, write_every_us);
        const stopwatch watch;
        const auto ended = [&](const std::exception_ptr&) {
            if (left.fetch_sub(1) == 1) {
                time = watch.stop();
            }
        };
        for (reader& one : all) {
            asio::co_spawn(context.get_executor(), read(lock, data, one), ended);
        }
        run_all(context, threads);
        return report(all, writer.stop(), time);
    }

    outcome report(std::vector<reader>& all, std::uint64_t writes, span time) const {
        std::uint64_t checksum = 0;
        std::vector<std::uint64_t> waits;
        for (const reader& one : all) {
            checksum += one.checksum;
            waits.insert(waits.end(), one.waits.begin(), one.waits.end());
        }
        const samples each(std::move(waits));
        return outcome(readers * reads, checksum, time)
            .wall_per_operation("wall_ns_per_read")
            .cpu_per_operation("cpu_ns_per_read")
            .count("writes", writes)
            .count("waits", each.size())
            .percentiles("wait", each);
    }
};

} // namespace

void add_lock(registry& all) {
    all.add<lock_uncontended>("lock_uncontended", "Lock and unlock with nobody else there");
    all.add<lock_mix>("lock_mix", "Readers against a writer thread");
}

} // namespace muster::work
