// Spawns that are limited: how many, how fast, and under which memory.

#include "runtime_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::runtime_fixture;

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(admission)

BOOST_AUTO_TEST_CASE(the_session_cap_refuses_and_leaves_the_others) {
    runtime_options options;
    options.admission.max_sessions = 2;
    runtime_fixture f{script{}.idle(), options};
    f.spawn("a");
    f.spawn("b");
    BOOST_TEST((f.failure_of(f.subject->spawn(spawn_request{"c"})) == errc::admission_refused));
    f.wait(f.subject->kill("a"));
    f.wait(f.subject->remove("a"));
    f.spawn("c");
}

BOOST_AUTO_TEST_CASE(spawns_beyond_the_rate_wait_in_order_and_show_their_position) {
    runtime_options options;
    options.admission.max_spawns_per_second = 10;
    runtime_fixture f{script{}.idle(), options};
    auto first = f.start(f.subject->spawn(spawn_request{"a"}));
    auto second = f.start(f.subject->spawn(spawn_request{"b"}));
    auto third = f.start(f.subject->spawn(spawn_request{"c"}));
    f.settle();
    BOOST_TEST(first.ready());
    BOOST_TEST(!second.ready());
    BOOST_TEST(f.wait(f.subject->status("b")).queue_position == 1u);
    BOOST_TEST(f.wait(f.subject->status("c")).queue_position == 2u);
    f.clock.advance(100ms);
    BOOST_TEST(second.ready());
    BOOST_TEST(!third.ready());
    f.clock.advance(100ms);
    BOOST_TEST(third.ready());
    BOOST_TEST(f.wait(f.subject->status("c")).queue_position == 0u);
}

BOOST_AUTO_TEST_CASE(spawns_beyond_the_concurrency_wait_until_one_has_finished) {
    runtime_options options;
    options.admission.max_concurrent_spawns = 1;
    runtime_fixture f{script{}.input(script::input_mode::hang).idle(), options};
    spawn_request slow{"a"};
    slow.instruction_prelude = "hello\n"; // never taken: the spawn does not finish
    auto first = f.start(f.subject->spawn(std::move(slow)));
    auto second = f.start(f.subject->spawn(spawn_request{"b"}));
    f.settle();
    BOOST_TEST(!first.ready());
    BOOST_TEST(!second.ready());
    f.backend->set_input("a", script::input_mode::accept);
    f.settle();
    BOOST_TEST(first.ready());
    BOOST_TEST(second.ready());
}

BOOST_AUTO_TEST_CASE(who_waits_to_be_spawned_is_refused_at_shutdown_and_no_alarm_stays) {
    runtime_options options;
    options.admission.max_spawns_per_second = 0.001;
    runtime_fixture f{script{}.idle(), options};
    f.spawn("a");
    auto waiting = f.start(f.subject->spawn(spawn_request{"b"}));
    f.settle();
    BOOST_TEST(!waiting.ready());
    f.wait(f.subject->shutdown(1s));
    BOOST_REQUIRE(waiting.ready());
    BOOST_CHECK_THROW(waiting.get(), error);
    BOOST_TEST(!f.clock.next_alarm());
}

BOOST_AUTO_TEST_CASE(a_spawn_rate_is_off_or_within_bounds) {
    for (const double rate : {-1.0, 1e-11, 1e-320, std::numeric_limits<double>::infinity()}) {
        runtime_options options;
        options.admission.max_spawns_per_second = rate;
        BOOST_CHECK_THROW(options.validate(), error);
    }
    runtime_options options;
    options.admission.max_spawns_per_second = 1e-9;
    runtime_fixture f{script{}.idle(), options};
    f.spawn("a");
    auto waiting = f.start(f.subject->spawn(spawn_request{"b"}));
    f.clock.advance(1000h);
    BOOST_TEST(!waiting.ready());
}

BOOST_AUTO_TEST_CASE(memory_above_the_mark_holds_spawns_back) {
    runtime_options options;
    options.admission.memory_high_water_bytes = 1; // any process has more
    runtime_fixture f{script{}.idle(), options};
    auto waiting = f.start(f.subject->spawn(spawn_request{"a"}));
    f.clock.advance(10s);
    BOOST_TEST(!waiting.ready());
    BOOST_TEST(f.wait(f.subject->status("a")).queue_position == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
