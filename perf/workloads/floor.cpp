// What nobody can be faster than: the primitives that everything else is made of, on this machine.

#include "workloads/shared/loop.hpp"
#include "workloads/shared/measure.hpp"
#include "workloads/workloads.hpp"

#include <muster/metrics/clock.hpp>
#include <muster/sync/light_strand.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace muster::work {
namespace {

/// Keeps the compiler from leaving out what nobody looks at.
template <class T>
void keep(const T& value) {
    asm volatile("" ::"g"(&value) : "memory");
}

/// Posts itself to `executor` until all hops are done.
template <class Executor>
class hopper {
public:
    hopper(const Executor& executor, std::uint64_t& left) : executor_(executor), left_(&left) {}
    void operator()() {
        if (--*left_ != 0) {
            asio::post(executor_, hopper(*this));
        }
    }

private:
    Executor executor_;
    std::uint64_t* left_;
};

struct primitives {
    std::uint64_t operations = 1'000'000;
    std::uint64_t wake_ups = 2'000;

    void declare(param_set& params) {
        params.number("operations", operations, 1'000, 1U << 30U, "of each cheap one");
        params.number("wake_ups", wake_ups, 10, 1U << 20U, "sleeps of 1 ms");
    }

    /// CPU nanoseconds of one: the best of five, for what lies below is the machine's.
    template <class Work>
    double each(std::uint64_t times, const Work& work) const {
        std::uint64_t best = UINT64_MAX;
        for (int attempt = 0; attempt < 5; ++attempt) {
            const auto begin = process_cpu_ns();
            work(times);
            best = std::min(best, process_cpu_ns() - begin);
        }
        return static_cast<double>(best) / static_cast<double>(times);
    }

    template <class Work>
    double loop(const Work& work) const {
        return each(operations, [&](std::uint64_t times) {
            for (std::uint64_t i = 0; i < times; ++i) {
                work();
            }
        });
    }

    template <class Executor>
    double hop(asio::io_context& context, const Executor& executor) const {
        return each(operations, [&](std::uint64_t times) {
            asio::post(executor, hopper<Executor>(executor, times));
            context.restart();
            context.run();
        });
    }

    /// Each load says where the next one goes: one line of 128 MB after the other, at random.
    double memory() const {
        constexpr std::size_t lines = std::size_t(1) << 21U;
        struct alignas(64) line {
            const line* next;
        };
        std::vector<line> all(lines);
        std::vector<std::uint32_t> order(lines);
        for (std::uint32_t i = 0; i < lines; ++i) {
            order[i] = i;
        }
        std::shuffle(order.begin(), order.end(), std::mt19937(1));
        for (std::size_t i = 0; i < lines; ++i) {
            all[order[i]].next = &all[order[(i + 1) % lines]];
        }
        const line* at = all.data();
        return each(operations, [&](std::uint64_t times) {
            for (std::uint64_t i = 0; i < times; ++i) {
                at = at->next;
            }
            keep(at);
        });
    }

    static task<> yield(asio::io_context& context, std::uint64_t times) {
        for (std::uint64_t i = 0; i < times; ++i) {
            auto turn = asio::post(context, asio::deferred);
            co_await std::move(turn);
        }
    }

    double resume(asio::io_context& context) const {
        return each(operations, [&](std::uint64_t times) {
            start(context, yield(context, times));
            context.restart();
            context.run();
        });
    }

    /// What it takes to sleep for a millisecond, again and again.
    class sleeper {
    public:
        sleeper(asio::io_context& context, std::uint64_t times)
            : context_(context), timer_(context) {
            late_.reserve(times);
        }

        /// CPU nanoseconds of so many.
        std::uint64_t sleep(std::uint64_t times) {
            const auto begin = process_cpu_ns();
            left_ = times;
            next();
            context_.restart();
            context_.run();
            return process_cpu_ns() - begin;
        }
        samples lateness() const { return samples(late_); }

    private:
        void next() {
            timer_.expires_after(std::chrono::milliseconds(1));
            timer_.async_wait([this](error_code) {
                late_.push_back(nanos(clock::now() - timer_.expiry()));
                if (--left_ != 0) {
                    next();
                }
            });
        }

        asio::io_context& context_;
        asio::steady_timer timer_;
        std::vector<std::uint64_t> late_;
        std::uint64_t left_ = 0;
    };

    /// The same without an `io_context`, as a thread sleeps that waits for nothing but the time.
    static std::uint64_t sleep_on_a_futex(std::uint64_t times) {
        std::mutex mutex;
        std::condition_variable never;
        std::unique_lock lock(mutex);
        const auto begin = process_cpu_ns();
        for (std::uint64_t i = 0; i < times; ++i) {
            never.wait_for(lock, std::chrono::milliseconds(1));
        }
        return process_cpu_ns() - begin;
    }

    outcome run() const {
        std::thread([] {}).join(); // from here on the C library locks like in a threaded program
        const stopwatch watch;
        asio::io_context context(1);
        const tick_clock cheap;
        std::atomic<std::uint64_t> cell = 0;
        std::mutex mutex;
        const double tick = loop([&] { keep(cheap.now()); });
        const double steady = loop([] { keep(clock::now()); });
        const double plain = loop([&] {
            cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            keep(cell);
        });
        const double locked = loop([&] { cell.fetch_add(1); });
        const double mutual = loop([&] {
            mutex.lock();
            mutex.unlock();
        });
        const double block = loop([] {
            void* const place = std::malloc(64);
            keep(place);
            std::free(place);
        });
        const double line = memory();
        const double post = hop(context, context.get_executor());
        const double strand = hop(context, asio::make_strand(context));
        const double light = hop(context, light_strand(context));
        const double resumed = resume(context);
        sleeper nap(context, wake_ups);
        std::uint64_t timer = 0;
        std::uint64_t futex = 0;
        for (std::uint64_t done = 0; done < wake_ups;) { // in turns: what one costs wanders
            const auto turn = std::min<std::uint64_t>(wake_ups - done, 100);
            timer += nap.sleep(turn);
            futex += sleep_on_a_futex(turn);
            done += turn;
        }
        const auto times = static_cast<double>(wake_ups);
        return outcome(operations, operations, watch.stop())
            .value("tick_clock_ns", tick)
            .value("steady_clock_ns", steady)
            .value("cell_ns", plain)
            .value("atomic_add_ns", locked)
            .value("mutex_ns", mutual)
            .value("malloc_free_ns", block)
            .value("memory_ns", line)
            .value("post_ns", post)
            .value("strand_hop_ns", strand)
            .value("light_strand_hop_ns", light)
            .value("coroutine_resume_ns", resumed)
            .value("wake_up_ns", static_cast<double>(timer) / times)
            .value("wake_up_futex_ns", static_cast<double>(futex) / times)
            .percentiles("wake_up_late", nap.lateness());
    }
};

} // namespace

void add_floor(registry& all) {
    all.add<primitives>("floor", "What everything is made of: clock, memory, hop, wake-up");
}

} // namespace muster::work
