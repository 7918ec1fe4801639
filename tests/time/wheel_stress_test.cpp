#include <muster/time/wheel_timer.hpp>

#include "../support/manual_loop.hpp"
#include "../support/seeded_random.hpp"
#include "../support/virtual_clock.hpp"

#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace muster::test {
namespace {

using namespace std::chrono_literals;

struct tally {
    std::atomic<std::size_t> scheduled{0};
    std::atomic<std::size_t> prevented{0};
    std::atomic<std::size_t> called{0};
};

struct counted_entry : wheel_entry {
    counted_entry(const wheel_service& service, tally& into)
        : wheel_entry{service, &counted_entry::on_due}, count{into} {}
    static tick on_due(wheel_entry& entry, tick, tick) noexcept {
        static_cast<counted_entry&>(entry).count.called.fetch_add(1);
        return tick::never();
    }
    tally& count;
};

/// Schedules, cancels and destroys entries of its own while the service runs elsewhere.
void juggle_entries(const wheel_service& service, tally& count, std::uint64_t seed) {
    std::mt19937_64 random{seed}; // Boost.Test's log is not for threads
    std::vector<std::unique_ptr<counted_entry>> entries(32);
    const auto withdraw = [&](std::unique_ptr<counted_entry>& entry) {
        if (entry && entry->cancel() == cancel_result::prevented) {
            count.prevented.fetch_add(1);
        }
    };
    for (int round = 0; round < 20'000; ++round) {
        auto& entry = entries[random() % entries.size()];
        withdraw(entry);
        if (!entry || random() % 8 == 0) {
            entry = std::make_unique<counted_entry>(service, count);
        }
        count.scheduled.fetch_add(1);
        entry->schedule(service.now() + random() % 20);
    }
    for (auto& entry : entries) {
        withdraw(entry);
    }
}

/// Starts and cancels waits of timers of its own.
void juggle_timers(const wheel_service& service, tally& count, std::uint64_t seed) {
    std::mt19937_64 random{seed}; // Boost.Test's log is not for threads
    std::vector<std::unique_ptr<wheel_timer>> timers(16);
    for (int round = 0; round < 10'000; ++round) {
        auto& timer = timers[random() % timers.size()];
        if (!timer || random() % 8 == 0) {
            timer = std::make_unique<wheel_timer>(service);
        }
        timer->expires_after(std::chrono::milliseconds{random() % 20});
        count.scheduled.fetch_add(1);
        timer->async_wait([&count](const auto& error) {
            (error == asio::error::operation_aborted ? count.prevented : count.called).fetch_add(1);
        });
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(time)
BOOST_AUTO_TEST_SUITE(service_under_threads)

BOOST_AUTO_TEST_CASE(every_schedule_is_either_called_or_prevented_exactly_once) {
    seeded_random random;
    const std::uint64_t seeds[]{random(), random(), random()};
    manual_loop loop;
    virtual_clock clock{loop.context()};
    const wheel_service service{clock};
    tally entries;
    tally timers;
    std::atomic<int> running{3};
    const auto start = [&](auto juggle, tally& count, std::uint64_t seed) {
        return std::jthread{[&running, &service, &count, juggle, seed] {
            juggle(service, count, seed);
            running.fetch_sub(1);
        }};
    };
    {
        const auto first = start(juggle_entries, entries, seeds[0]);
        const auto second = start(juggle_entries, entries, seeds[1]);
        const auto third = start(juggle_timers, timers, seeds[2]);
        while (running.load() != 0) {
            clock.advance(1ms);
        }
    }
    clock.advance(1s);
    BOOST_TEST(entries.called + entries.prevented == entries.scheduled);
    BOOST_TEST(timers.called + timers.prevented == timers.scheduled);
    BOOST_TEST(service.size() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
