#include "coroutine_mutex.hpp"
#include "workload.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <mutex>
#include <shared_mutex>

// std::shared_mutex, which blocks the thread, and coroutine_mutex, which does not.

namespace muster::work::peer {

namespace {

struct uncontended {
    std::uint64_t operations = 10'000'000;
    std::string how = "await";
    std::string side = "shared";
    std::string lock = "coroutine";

    void declare(param_set& params) {
        params.number("operations", operations, 1, 1ULL << 40U, "lock+unlock pairs");
        params.choice("how", how, {"await", "try"}, "wait for the lock, or try");
        params.choice("side", side, {"shared", "exclusive"}, "reader's or writer's lock");
        params.choice("lock", lock, {"coroutine", "std"}, "coroutine mutex or std::shared_mutex");
    }

    template <class Mutex>
    std::uint64_t with_try(Mutex& mutex, const std::uint64_t& value) const {
        std::uint64_t sum = 0;
        for (std::uint64_t i = 0; i < operations; ++i) {
            if (side == "shared" ? !mutex.try_lock_shared() : !mutex.try_lock())
                continue;
            sum += value;
            side == "shared" ? mutex.unlock_shared() : mutex.unlock();
        }
        return sum;
    }

    std::uint64_t blocking(std::shared_mutex& mutex, const std::uint64_t& value) const {
        std::uint64_t sum = 0;
        for (std::uint64_t i = 0; i < operations; ++i) {
            side == "shared" ? mutex.lock_shared() : mutex.lock();
            sum += value;
            side == "shared" ? mutex.unlock_shared() : mutex.unlock();
        }
        return sum;
    }

    task<> shared_awaits(coroutine_mutex& mutex, const std::uint64_t& value,
                         std::uint64_t& sum) const {
        for (std::uint64_t i = 0; i < operations; ++i) {
            co_await mutex.lock_shared();
            sum += value;
            mutex.unlock_shared();
        }
    }

    task<> exclusive_awaits(coroutine_mutex& mutex, const std::uint64_t& value,
                            std::uint64_t& sum) const {
        for (std::uint64_t i = 0; i < operations; ++i) {
            co_await mutex.lock();
            sum += value;
            mutex.unlock();
        }
    }

    std::uint64_t awaiting(coroutine_mutex& mutex, const std::uint64_t& value,
                           asio::io_context& context) const {
        std::uint64_t sum = 0;
        start(context, side == "shared" ? shared_awaits(mutex, value, sum)
                                        : exclusive_awaits(mutex, value, sum));
        context.run();
        return sum;
    }

    outcome run() const {
        asio::io_context context(1);
        coroutine_mutex of_coroutines(context.get_executor());
        std::shared_mutex of_threads;
        volatile std::uint64_t seven = 7;
        const std::uint64_t value = seven;
        const stopwatch watch;
        std::uint64_t sum = 0;
        if (lock == "std")
            sum = how == "try" ? with_try(of_threads, value) : blocking(of_threads, value);
        else
            sum = how == "try" ? with_try(of_coroutines, value)
                               : awaiting(of_coroutines, value, context);
        return outcome(operations, sum, watch.stop()).cpu_per_operation("lock_unlock_ns");
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

struct lock_mix {
    std::uint64_t readers = 64;
    std::uint64_t reads = 100'000;
    std::uint64_t burst = 64;
    std::uint64_t write_every_us = 100;
    std::uint64_t threads = 1;
    std::string lock = "coroutine";

    void declare(param_set& params) {
        params.number("readers", readers, 1, 100'000, "reader coroutines");
        params.number("reads", reads, 1, 1ULL << 40U, "reads by each");
        params.number("burst", burst, 1, 1U << 20U, "reads before a reader yields to the others");
        params.number("write_every_us", write_every_us, 1, 1'000'000, "pause of the writer thread");
        params.number("threads", threads, 1, 64, "threads, the writer's not counted");
        params.choice("lock", lock, {"coroutine", "std"}, "coroutine mutex or std::shared_mutex");
    }

    /// Tries first; only a wait reads the clock.
    task<> read(coroutine_mutex& mutex, const guarded& data, reader& self) const {
        for (std::uint64_t n = 1; n <= reads; ++n) {
            if (!mutex.try_lock_shared()) {
                const auto begin = clock::now();
                co_await mutex.async_lock_shared(asio::deferred);
                self.waits.push_back(nanos(clock::now() - begin));
            }
            self.read(data);
            mutex.unlock_shared();
            if (n % burst == 0)
                co_await asio::post(asio::deferred);
        }
    }

    task<> read(std::shared_mutex& mutex, const guarded& data, reader& self) const {
        for (std::uint64_t n = 1; n <= reads; ++n) {
            if (!mutex.try_lock_shared()) {
                const auto begin = clock::now();
                mutex.lock_shared();
                self.waits.push_back(nanos(clock::now() - begin));
            }
            self.read(data);
            mutex.unlock_shared();
            if (n % burst == 0)
                co_await asio::post(asio::deferred);
        }
    }

    static void write(std::shared_mutex& mutex, guarded& data) {
        const std::lock_guard hold(mutex);
        data.write();
    }

    /// The writer is a thread of its own, with a context of its own to wait in.
    static void write(coroutine_mutex& mutex, guarded& data) {
        std::atomic<bool> granted = false;
        mutex.async_lock([&granted] {
            granted.store(true, std::memory_order_release);
            granted.notify_one();
        });
        granted.wait(false, std::memory_order_acquire);
        data.write();
        mutex.unlock();
    }

    template <class Mutex>
    outcome measure(Mutex& mutex, asio::io_context& context) const {
        guarded data;
        std::vector<reader> all(readers);
        std::uint64_t writes = 0;
        std::atomic<bool> read_all = false;
        auto granting = asio::make_work_guard(context); // the writer's waits end in this context
        std::jthread writer([&] {
            for (; !read_all; ++writes) {
                std::this_thread::sleep_for(std::chrono::microseconds(write_every_us));
                write(mutex, data);
            }
            granting.reset();
        });
        std::atomic<std::uint64_t> left = readers;
        const stopwatch watch;
        span time;
        const auto ended = [&](const std::exception_ptr&) {
            if (left.fetch_sub(1) != 1)
                return;
            time = watch.stop();
            read_all = true;
        };
        for (reader& one : all)
            asio::co_spawn(context.get_executor(), read(mutex, data, one), ended);
        run_all(context, threads);
        writer.join();
        return report(all, writes, time);
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

    outcome run() const {
        asio::io_context context(static_cast<int>(threads));
        if (lock == "std") {
            std::shared_mutex mutex;
            return measure(mutex, context);
        }
        coroutine_mutex mutex(context.get_executor());
        return measure(mutex, context);
    }
};

} // namespace

void add_lock(registry& all) {
    all.add<uncontended>("lock_uncontended", "Lock and unlock with nobody else there");
    all.add<lock_mix>("lock_mix", "Readers against a writer thread");
}

} // namespace muster::work::peer
