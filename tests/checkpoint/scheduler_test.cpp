// The scheduler alone, in virtual time: what becomes of ticks while a writer has the registry.

#include "virtual_clock.hpp"

#include <muster/checkpoint/scheduler.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::virtual_clock;

namespace asio = boost::asio;

class target final : public checkpoint_target {
public:
    target(checkpoint_scheduler& scheduler, const wheel_service& timers) noexcept
        : checkpoint_target{scheduler, timers} {}

    std::vector<checkpoint_tick> ticks;
    std::function<void()> during_tick;
    int references = 0;

private:
    void checkpoint_due(const checkpoint_tick& due) noexcept override {
        ticks.push_back(due);
        if (during_tick) {
            during_tick();
        }
    }
    void hold_target() noexcept override { ++references; }
    void let_go_of_target() noexcept override { --references; }
};

class scheduler_fixture {
public:
    ~scheduler_fixture() {
        for (auto* each : {&a, &b}) {
            scheduler.remove(*each);
            BOOST_TEST(each->references == 0);
        }
    }

    void add(target& added, std::chrono::nanoseconds interval = 1s,
             missed_tick_action missed = missed_tick_action::skip) {
        checkpoint_policy policy{interval};
        policy.when_missed = missed;
        scheduler.add(added, policy, 0);
    }
    void add_with_leeway(target& added, std::chrono::nanoseconds interval,
                         std::chrono::nanoseconds leeway) {
        checkpoint_policy policy{interval};
        policy.leeway = leeway;
        scheduler.add(added, policy, 0);
    }
    /// How long from now until `due` is ticked.
    std::chrono::nanoseconds until_tick(target& due) {
        const auto start = clock.now();
        const auto before = due.ticks.size();
        while (due.ticks.size() == before && clock.advance_to_next()) {
        }
        return clock.now() - start;
    }

    asio::io_context context;
    virtual_clock clock{context};
    wheel_service timers{clock};
    shared_mutex lock{context};
    checkpoint_scheduler scheduler{timers, lock, tick_clock{}};
    target a{scheduler, timers};
    target b{scheduler, timers};
};

BOOST_AUTO_TEST_SUITE(checkpoint)
BOOST_AUTO_TEST_SUITE(scheduler)

BOOST_AUTO_TEST_CASE(ticks_that_are_due_while_a_writer_holds_the_lock_come_when_it_lets_go) {
    scheduler_fixture f;
    f.add(f.a);
    f.add(f.b);
    {
        const auto writing = f.lock.try_lock();
        BOOST_REQUIRE(static_cast<bool>(writing));
        f.clock.advance(1s);
        BOOST_TEST(f.a.ticks.empty());
        BOOST_TEST(f.b.ticks.empty());
    }
    f.clock.settle();
    BOOST_TEST(f.a.ticks.size() == 1u);
    BOOST_TEST(f.b.ticks.size() == 1u);
    BOOST_TEST(f.a.ticks.front().lock_wait > 0u);
}

/// What follows a tick is timed from its reading: what others did meanwhile must not count.
BOOST_AUTO_TEST_CASE(each_tick_brings_a_reading_of_its_own) {
    for (const bool behind_a_writer : {false, true}) {
        scheduler_fixture f;
        const tick_clock clock;
        f.add(f.a);
        f.add(f.b);
        std::vector<std::uint64_t> ended;
        f.a.during_tick = f.b.during_tick = [&] {
            ended.push_back(clock.now());
        };
        unique_lock writing;
        if (behind_a_writer) {
            writing = f.lock.try_lock();
        }
        const auto before = clock.now();
        f.clock.advance(1s);
        writing.unlock();
        f.clock.settle();
        BOOST_REQUIRE(ended.size() == 2u);
        BOOST_TEST(f.a.ticks.front().handed_over >= before);
        BOOST_TEST(f.a.ticks.front().handed_over <= ended[0]);
        BOOST_TEST(f.b.ticks.front().handed_over >= ended[0]);
        BOOST_TEST(f.b.ticks.front().handed_over <= ended[1]);
    }
}

BOOST_AUTO_TEST_CASE(the_first_tick_never_comes_before_the_interval_is_over) {
    scheduler_fixture f;
    f.clock.advance(900us); // between two ticks of the wheel
    f.add(f.a, 10ms);
    f.clock.advance(9'999us);
    BOOST_TEST(f.a.ticks.empty());
    f.clock.advance(101us);
    BOOST_TEST(f.a.ticks.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_postponed_tick_never_comes_before_the_delay_is_over) {
    scheduler_fixture f;
    f.add(f.a);
    f.clock.advance(900us);
    f.scheduler.postpone(f.a, 10ms);
    f.clock.advance(9'999us);
    BOOST_TEST(f.a.ticks.empty());
    f.clock.advance(101us);
    BOOST_TEST(f.a.ticks.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_free_lock_is_not_waited_for) {
    scheduler_fixture f;
    f.add(f.a);
    const auto reading = f.lock.try_lock_shared(); // readers do not exclude each other
    f.clock.advance(1s);
    BOOST_TEST(f.a.ticks.size() == 1u);
}

BOOST_AUTO_TEST_CASE(waiting_for_the_lock_does_not_shift_the_cadence) {
    scheduler_fixture f;
    f.add(f.a);
    {
        const auto writing = f.lock.try_lock();
        f.clock.advance(1400ms);
    }
    f.clock.settle();
    BOOST_TEST(f.a.ticks.size() == 1u);
    f.clock.advance(599ms);
    BOOST_TEST(f.a.ticks.size() == 1u);
    f.clock.advance(1ms);
    BOOST_TEST(f.a.ticks.size() == 2u);
}

BOOST_AUTO_TEST_CASE(one_tick_stands_for_all_that_were_due_during_the_wait) {
    scheduler_fixture f;
    f.add(f.a);
    {
        const auto writing = f.lock.try_lock();
        f.clock.advance(5s);
    }
    f.clock.settle();
    BOOST_TEST(f.a.ticks.size() == 1u);
    f.clock.advance(1s);
    BOOST_TEST(f.a.ticks.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_registration_that_ends_during_the_wait_gives_its_reference_back) {
    scheduler_fixture f;
    f.add(f.a);
    {
        const auto writing = f.lock.try_lock();
        f.clock.advance(1s);
        f.scheduler.remove(f.a);
        BOOST_TEST(f.a.references > 0); // the wait still has it
    }
    f.clock.settle();
    BOOST_TEST(f.a.ticks.size() == 1u); // it had been due; the session decides
    BOOST_TEST(f.a.references == 0);
    f.clock.advance(10s);
    BOOST_TEST(f.a.ticks.size() == 1u);
}

BOOST_AUTO_TEST_CASE(closing_lets_go_of_all_that_waits) {
    scheduler_fixture f;
    f.add(f.a);
    f.add(f.b);
    {
        const auto writing = f.lock.try_lock();
        f.clock.advance(1s);
        f.scheduler.close();
    }
    f.clock.settle();
    BOOST_TEST(f.a.ticks.empty());
    BOOST_TEST(f.b.ticks.empty());
}

BOOST_AUTO_TEST_CASE(lateness_is_what_the_process_has_missed) {
    scheduler_fixture f;
    f.add(f.a, 1s);
    f.clock.stall(1250ms);
    f.clock.advance(0ns);
    BOOST_REQUIRE(f.a.ticks.size() == 1u);
    BOOST_TEST((f.a.ticks.front().lateness >= 250ms));
    BOOST_TEST((f.a.ticks.front().lateness < 1250ms));
}

BOOST_AUTO_TEST_CASE(a_postponed_tick_starts_a_new_cadence) {
    scheduler_fixture f;
    f.add(f.a);
    f.clock.advance(500ms);
    f.scheduler.postpone(f.a, 3s);
    f.clock.advance(2999ms);
    BOOST_TEST(f.a.ticks.empty());
    f.clock.advance(1ms);
    BOOST_TEST(f.a.ticks.size() == 1u);
    f.clock.advance(1s);
    BOOST_TEST(f.a.ticks.size() == 2u);
    f.scheduler.postpone(f.b, 1s); // not registered: nothing
    f.clock.advance(10s);
    BOOST_TEST(f.b.ticks.empty());
}

BOOST_AUTO_TEST_CASE(a_tick_may_postpone_the_next_or_end_the_registration) {
    scheduler_fixture f;
    f.add(f.a);
    f.add(f.b);
    f.a.during_tick = [&] {
        f.scheduler.postpone(f.a, 3s);
    };
    f.b.during_tick = [&] {
        f.scheduler.remove(f.b);
    };
    f.clock.advance(1s);
    f.a.during_tick = nullptr;
    f.clock.advance(2999ms);
    BOOST_TEST(f.a.ticks.size() == 1u);
    f.clock.advance(1ms);
    BOOST_TEST(f.a.ticks.size() == 2u);
    f.clock.advance(10s);
    BOOST_TEST(f.a.ticks.size() == 12u);
    BOOST_TEST(f.b.ticks.size() == 1u);
}

BOOST_AUTO_TEST_CASE(sessions_with_leeway_share_wake_ups) {
    scheduler_fixture f;
    f.clock.advance(1ms); // off the grid
    f.add_with_leeway(f.a, 1s, 10ms);
    f.clock.advance(3ms);
    f.add_with_leeway(f.b, 1s, 10ms);
    const auto before = f.timers.wake_ups();
    f.clock.advance(10'010ms);
    BOOST_TEST(f.a.ticks.size() == 10u);
    BOOST_TEST(f.b.ticks.size() == 10u);
    BOOST_TEST(f.timers.wake_ups() - before == 10u);
}

BOOST_AUTO_TEST_CASE(
    leeway_makes_the_first_tick_later_never_earlier_and_then_the_cadence_is_exact) {
    for (int started = 0; started < 20; ++started) {
        scheduler_fixture f;
        f.clock.advance(started * 1ms);
        f.add_with_leeway(f.a, 1s, 10ms);
        const auto first = f.until_tick(f.a);
        BOOST_TEST((first >= 1s));
        BOOST_TEST((first < 1010ms));
        BOOST_TEST((f.until_tick(f.a) == 1s));
        BOOST_TEST((f.until_tick(f.a) == 1s));
        f.scheduler.postpone(f.a, 500ms);
        const auto postponed = f.until_tick(f.a);
        BOOST_TEST((postponed >= 500ms));
        BOOST_TEST((postponed < 510ms));
    }
}

/// Where the first tick comes, one tick after the last multiple of everything.
std::chrono::nanoseconds first_tick(std::chrono::nanoseconds interval,
                                    std::chrono::nanoseconds leeway) {
    scheduler_fixture f;
    f.clock.advance(1ms);
    f.add_with_leeway(f.a, interval, leeway);
    return f.until_tick(f.a);
}

BOOST_AUTO_TEST_CASE(cadences_begin_at_multiples_of_what_divides_the_interval) {
    BOOST_TEST((first_tick(1s, 50ms) == 1049ms));
    BOOST_TEST((first_tick(1s, 49ms) == 1039ms));               // 40 divides
    BOOST_TEST((first_tick(999ms, 50ms) == 1035ms));            // 37: 28 * 37
    BOOST_TEST((first_tick(997ms, 50ms) == 997ms));             // a prime: the ticks
    BOOST_TEST((first_tick(1s, 999us) == 1s));                  // less than a tick
    BOOST_TEST((first_tick(10ms, 1h) == 19ms));                 // no more than the interval
    BOOST_TEST((first_tick(131'074ms, 65'537ms) == 131'075ms)); // 65,537 would; it is too many
}

BOOST_AUTO_TEST_CASE(adding_twice_is_adding_once) {
    scheduler_fixture f;
    f.add(f.a, 1s);
    f.add(f.a, 10ms);
    BOOST_TEST(f.a.references == 1);
    f.clock.advance(1s);
    BOOST_TEST(f.a.ticks.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
