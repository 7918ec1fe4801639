#include <muster/time/wheel_service.hpp>

#include "../support/manual_loop.hpp"
#include "../support/virtual_clock.hpp"

#include <muster/error.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

// Inside a namespace of its own: the global one has a function `time`.
namespace muster::test {
namespace {

using namespace std::chrono_literals;
using firings = std::vector<std::pair<int, std::uint64_t>>;

/// Writes down who was called at which tick, then does as it is told.
struct recorder : wheel_entry {
    recorder(const wheel_service& service, int number, firings& into)
        : wheel_entry{service, &recorder::on_due}, name{number}, log{into} {}

    static tick on_due(wheel_entry& entry, tick due, tick now) noexcept {
        auto& self = static_cast<recorder&>(entry);
        self.log.emplace_back(self.name, due.value());
        return self.then ? self.then(due, now) : tick::never();
    }

    int name;
    firings& log;
    std::function<tick(tick due, tick now)> then;
};

struct fixture {
    manual_loop loop;
    virtual_clock clock{loop.context()};
    std::optional<wheel_service> service{std::in_place, clock};
    firings log;
};

void require_equal(const firings& found, const firings& expected) {
    BOOST_TEST_REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        BOOST_TEST(found[i].first == expected[i].first);
        BOOST_TEST(found[i].second == expected[i].second);
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(time)
BOOST_FIXTURE_TEST_SUITE(service, fixture)

BOOST_AUTO_TEST_CASE(nothing_wakes_up_while_nothing_is_scheduled) {
    clock.advance(24h);
    BOOST_TEST(!clock.next_alarm());
    BOOST_TEST(service->wake_ups() == 0U);
}

BOOST_AUTO_TEST_CASE(an_entry_is_called_once_at_its_tick) {
    recorder entry{*service, 1, log};
    entry.schedule(tick{25});
    clock.advance(24ms);
    BOOST_TEST(log.empty());
    clock.advance(1ms);
    require_equal(log, {{1, 25}});
    clock.advance(1h);
    BOOST_TEST(log.size() == 1U);
    BOOST_TEST(clock.wake_ups() == 1U);
}

BOOST_AUTO_TEST_CASE(a_far_entry_costs_one_wake_up) {
    recorder entry{*service, 1, log};
    entry.schedule(tick{120'000});
    clock.advance(2min - 1ms);
    BOOST_TEST(clock.wake_ups() == 0U);
    clock.advance(1ms);
    require_equal(log, {{1, 120'000}});
    BOOST_TEST(clock.wake_ups() == 1U);
}

BOOST_AUTO_TEST_CASE(the_alarm_moves_only_to_earlier_points) {
    recorder late{*service, 1, log};
    recorder early{*service, 2, log};
    late.schedule(tick{100});
    const auto armed = clock.next_alarm();
    early.schedule(tick{200});
    BOOST_TEST((clock.next_alarm() == armed));
    early.schedule(tick{50});
    BOOST_TEST((clock.next_alarm() == *armed - 50ms));
    clock.advance(1s);
    require_equal(log, {{2, 50}, {1, 100}});
}

BOOST_AUTO_TEST_CASE(a_deadline_in_the_past_is_called_within_a_tick) {
    clock.stall(10s);
    recorder entry{*service, 1, log};
    entry.schedule(tick{3});
    clock.advance(0ms);
    require_equal(log, {{1, 3}});
    entry.schedule(tick{3});
    clock.advance(1ms);
    require_equal(log, {{1, 3}, {1, 10'001}});
}

BOOST_AUTO_TEST_CASE(the_returned_tick_keeps_a_cadence) {
    recorder entry{*service, 1, log};
    entry.then = [](tick due, tick now) {
        return next_on_cadence(due, 25, now);
    };
    entry.schedule(tick{25});
    clock.advance(100ms);
    require_equal(log, {{1, 25}, {1, 50}, {1, 75}, {1, 100}});
    clock.stall(130ms); // a late callback leaves ticks out and keeps the phase
    clock.advance(20ms);
    require_equal(log, {{1, 25}, {1, 50}, {1, 75}, {1, 100}, {1, 125}, {1, 250}});
}

BOOST_AUTO_TEST_CASE(cancel_says_whether_the_callback_was_prevented) {
    recorder entry{*service, 1, log};
    BOOST_TEST((entry.cancel() == cancel_result::idle));
    entry.schedule(tick{5});
    BOOST_TEST((entry.cancel() == cancel_result::prevented));
    cancel_result inside{};
    entry.then = [&](tick due, tick) {
        inside = entry.cancel();
        return due + 1; // ignored
    };
    entry.schedule(tick{6});
    clock.advance(1s);
    BOOST_TEST((inside == cancel_result::running));
    require_equal(log, {{1, 6}});
    BOOST_TEST(service->size() == 0U);
}

BOOST_AUTO_TEST_CASE(cancel_prevents_what_was_scheduled_while_the_function_ran) {
    recorder entry{*service, 1, log};
    cancel_result inside{};
    entry.then = [&](tick due, tick) {
        entry.schedule(due + 5);
        inside = entry.cancel();
        return due + 1; // ignored
    };
    entry.schedule(tick{6});
    clock.advance(1s);
    BOOST_TEST((inside == cancel_result::prevented));
    require_equal(log, {{1, 6}});
    BOOST_TEST(service->size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_cancelled_deadline_costs_one_wake_up_at_most) {
    recorder entry{*service, 1, log};
    for (int i = 0; i < 100; ++i) {
        entry.schedule(tick{10});
        entry.cancel();
    }
    clock.advance(1h);
    BOOST_TEST(clock.wake_ups() == 1U);
    BOOST_TEST(!clock.next_alarm());
}

BOOST_AUTO_TEST_CASE(a_callback_may_destroy_its_own_entry_and_others) {
    std::deque<std::unique_ptr<recorder>> entries;
    for (int i = 0; i < 10; ++i) {
        entries.push_back(std::make_unique<recorder>(*service, i, log));
        entries.back()->schedule(tick{5});
    }
    entries[0]->then = [&](tick due, tick) {
        for (std::size_t i = 0; i < 8; ++i) {
            entries[i].reset();
        }
        return due + 1; // by then there is nobody to be scheduled
    };
    auto keep_alive = entries[0]->then;
    entries[0]->then = [&](tick due, tick now) {
        return keep_alive(due, now);
    };
    clock.advance(1s);
    require_equal(log, {{0, 5}, {8, 5}, {9, 5}});
}

BOOST_AUTO_TEST_CASE(a_callback_may_schedule_itself_and_others) {
    recorder first{*service, 1, log};
    recorder second{*service, 2, log};
    first.then = [&](tick due, tick) {
        first.schedule(due + 3);
        second.schedule(due + 1);
        return log.size() < 4 ? tick::never() : tick::never();
    };
    second.then = [&](tick, tick) {
        first.cancel();
        return tick::never();
    };
    first.schedule(tick{1});
    clock.advance(1s);
    require_equal(log, {{1, 1}, {2, 2}});
}

BOOST_AUTO_TEST_CASE(a_big_tick_gives_the_thread_back_in_between) {
    std::deque<recorder> entries;
    for (int i = 0; i < 3000; ++i) {
        entries.emplace_back(*service, i, log).schedule(tick{7});
    }
    clock.advance(0ms);
    const auto handlers = loop.handlers_run();
    clock.stall(7ms);
    BOOST_TEST(loop.handlers_run() == handlers);
    clock.advance(0ms);
    BOOST_TEST(log.size() == 3000U);
    for (int i = 0; i < 3000; ++i) {
        BOOST_TEST_REQUIRE(log[static_cast<std::size_t>(i)].first == i);
    }
    BOOST_TEST(service->wake_ups() == 1U);
}

BOOST_AUTO_TEST_CASE(a_destroyed_service_releases_its_entries) {
    recorder entry{*service, 1, log};
    entry.schedule(tick{5});
    service.reset();
    entry.schedule(tick{6});
    BOOST_TEST((entry.cancel() == cancel_result::idle));
    clock.advance(1s);
    BOOST_TEST(log.empty());
    BOOST_TEST(!clock.next_alarm());
}

BOOST_AUTO_TEST_CASE(a_service_may_be_destroyed_by_a_callback) {
    recorder entry{*service, 1, log};
    recorder other{*service, 2, log};
    entry.then = [&](tick due, tick) {
        service.reset();
        return due + 1;
    };
    entry.schedule(tick{5});
    other.schedule(tick{5});
    clock.advance(1s);
    require_equal(log, {{1, 5}});
}

BOOST_AUTO_TEST_CASE(ticks_round_up_and_times_round_trip) {
    const auto start = service->time_of(tick{});
    BOOST_TEST(service->tick_at(start - 1h).value() == 0U);
    BOOST_TEST(service->tick_at(start + 1ns).value() == 1U);
    BOOST_TEST(service->tick_at(start + 1ms).value() == 1U);
    BOOST_TEST(service->tick_at(start + 1ms + 1ns).value() == 2U);
    BOOST_TEST((service->time_of(tick{1500}) == start + 1500ms));
    BOOST_TEST((service->time_of(tick::never()) == wheel_service::time_point::max()));
    BOOST_TEST(service->ticks_in(0ns) == 1U);
    BOOST_TEST(service->ticks_in(25ms) == 25U);
    BOOST_TEST(service->ticks_in(25ms + 1ns) == 26U);
}

BOOST_AUTO_TEST_CASE(a_tick_length_that_is_not_positive_is_a_configuration_error) {
    for (const auto length : {0ns, -1ns}) {
        BOOST_CHECK_EXCEPTION(wheel_service(clock, length), muster::error, [](const auto& error) {
            return error.code() == errc::configuration;
        });
    }
}

BOOST_AUTO_TEST_CASE(a_service_on_the_steady_clock_survives_its_context) {
    auto context = std::make_unique<asio::io_context>();
    wheel_service real{context->get_executor()};
    recorder entry{real, 1, log};
    entry.schedule(real.now() + 1'000'000);
    context->poll();
    context.reset();
    entry.schedule(tick{1});
    BOOST_TEST(log.empty());
}

BOOST_AUTO_TEST_CASE(a_service_on_the_steady_clock_calls_what_is_due) {
    wheel_service real{loop.get_executor()};
    recorder entry{real, 1, log};
    entry.schedule(tick{1});
    loop.context().restart();
    loop.context().run();
    require_equal(log, {{1, 1}});
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
