// Backends that take their time: what the runtime does, and does not do, meanwhile.

#include "hand_backend.hpp"

#include <boost/test/unit_test.hpp>

#include <utility>
#include <vector>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::hand_fixture;

runtime_options prompting_every_second() {
    runtime_options options;
    options.checkpoint = checkpoint_policy{1s};
    return options;
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(slow_backend)

BOOST_AUTO_TEST_CASE(shutdown_waits_for_a_spawn_that_is_under_way_and_ends_its_worker) {
    hand_fixture f;
    f.workers->spawning.is_open = false;
    auto spawning = f.start(f.subject->spawn(spawn_request{"a"}));
    f.settle();
    auto ending = f.start(f.subject->shutdown(1s));
    f.settle();
    BOOST_TEST(!ending.ready());
    f.workers->open(f.workers->spawning);
    f.settle();
    BOOST_REQUIRE(ending.ready());
    BOOST_TEST(ending.get().complete());
    BOOST_TEST(f.workers->alive == 0u);
    BOOST_CHECK_THROW(spawning.get(), error);
}

BOOST_AUTO_TEST_CASE(a_spawn_that_does_not_return_is_reported_by_shutdown) {
    hand_fixture f;
    f.workers->spawning.is_open = false;
    auto spawning = f.start(f.subject->spawn(spawn_request{"a"}));
    f.settle();
    auto ending = f.start(f.subject->shutdown(1s));
    f.clock.advance(1s);
    const auto report = ending.get();
    BOOST_TEST(!report.complete());
    BOOST_TEST(report.workers_left == 1u);
    BOOST_REQUIRE(report.sessions.size() == 1u);
    BOOST_TEST(!report.sessions.front().ended);
    f.workers->open(f.workers->spawning);
    f.settle();
    BOOST_TEST(f.workers->alive == 0u);
}

BOOST_AUTO_TEST_CASE(who_waits_to_be_spawned_never_reaches_the_backend_after_a_shutdown) {
    runtime_options options;
    options.admission.max_spawns_per_second = 1;
    hand_fixture f{options};
    f.spawn("a");
    auto waiting = f.start(f.subject->spawn(spawn_request{"b"}));
    f.settle();
    BOOST_TEST(f.wait(f.subject->shutdown(1s)).complete());
    BOOST_REQUIRE(waiting.ready());
    BOOST_CHECK_THROW(waiting.get(), error);
    BOOST_TEST(f.workers->spawns == 1u);
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_spawned_after_the_runtime_is_gone_is_ended) {
    hand_fixture f;
    f.workers->spawning.is_open = false;
    auto spawning = f.start(f.subject->spawn(spawn_request{"a"}));
    f.settle();
    f.subject.reset();
    f.workers->open(f.workers->spawning);
    f.settle();
    BOOST_TEST(f.workers->spawns == 1u);
    BOOST_TEST(f.workers->alive == 0u);
    BOOST_CHECK_THROW(spawning.get(), error);
}

BOOST_AUTO_TEST_CASE(a_prompt_that_fails_because_the_session_is_being_killed_is_not_a_failure) {
    hand_fixture f{prompting_every_second()};
    auto told = f.subject->subscribe_diagnostics();
    f.workers->sending.is_open = false;
    f.workers->killing.is_open = false;
    f.spawn("a");
    f.clock.advance(1s);
    auto killing = f.start(f.subject->kill("a"));
    f.settle();
    BOOST_TEST(!killing.ready());
    BOOST_TEST(f.total(counter::checkpoint_send_failures_total) == 1u); // the input was closed
    f.workers->open(f.workers->killing);
    f.settle();
    BOOST_CHECK_NO_THROW(killing.get());
    static_cast<void>(told.try_receive(f.last_error));
    BOOST_TEST((f.last_error == asio::error::would_block));
}

BOOST_AUTO_TEST_CASE(a_tick_that_meets_an_ended_session_is_counted_and_sends_nothing) {
    // The tick is on its way to the session's strand when the kill succeeds there.
    for (std::size_t count = 0; count < 16; ++count) {
        hand_fixture f{prompting_every_second()};
        auto receipts = f.subject->subscribe_receipts();
        f.spawn("a");
        auto killing = f.start(f.subject->kill("a"));
        for (std::size_t i = 0; i < count; ++i) {
            f.context.restart();
            f.context.poll_one();
        }
        f.clock.stall(1s); // due now, and the kill goes on
        f.clock.advance(10s);
        BOOST_CHECK_NO_THROW(killing.get());
        const auto ticks = f.total(counter::checkpoint_ticks_total);
        const auto sent = f.total(counter::checkpoint_send_attempts_total);
        BOOST_TEST(ticks <= 1u);
        BOOST_TEST(sent + f.total(counter::checkpoint_skips_not_running_total) == ticks);
    }
}

BOOST_AUTO_TEST_CASE(a_kill_returns_when_the_stream_has_ended_and_not_before) {
    hand_fixture f;
    f.workers->ending.is_open = false;
    f.spawn("a");
    auto killing = f.start(f.subject->kill("a"));
    f.settle();
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::killed));
    BOOST_TEST(!killing.ready());
    f.workers->open(f.workers->ending);
    f.settle();
    BOOST_CHECK_NO_THROW(killing.get());
    BOOST_TEST(f.workers->alive == 0u);
}

BOOST_AUTO_TEST_CASE(a_stream_that_ends_while_a_kill_fails_has_ended_by_itself) {
    hand_fixture f;
    f.workers->killing.is_open = false;
    f.spawn("a");
    auto killing = f.start(f.subject->kill("a"));
    f.settle();
    f.workers->end_streams();
    f.settle();
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
    f.workers->kills_fail = true;
    f.workers->open(f.workers->killing);
    f.settle();
    BOOST_CHECK_THROW(killing.get(), error);
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::done));
    BOOST_TEST(f.workers->alive == 0u);
}

BOOST_AUTO_TEST_CASE(what_a_worker_says_after_its_last_words_is_ignored) {
    hand_fixture f;
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    std::vector<event> words;
    words.emplace_back(output{"before"});
    words.emplace_back(done{"finished"});
    words.emplace_back(output{"too late"});
    words.emplace_back(crashed{"even later"});
    f.workers->say(std::move(words));
    f.settle();
    const auto got = f.drain(all);
    BOOST_REQUIRE(got.size() == 2u);
    BOOST_TEST((got.back().value.kind() == event_kind::done));
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::done));
    BOOST_TEST(f.total(counter::events_received_total) == 2u);
}

BOOST_AUTO_TEST_CASE(a_kill_that_does_not_return_holds_up_no_other_session) {
    hand_fixture f{prompting_every_second()};
    f.workers->killing.is_open = false;
    f.spawn("a");
    f.spawn("b");
    auto stuck = f.start(f.subject->kill("a"));
    f.settle();
    f.wait(f.subject->send_input("b", "x"));
    BOOST_TEST(f.wait(f.subject->list()).size() == 2u);
    f.clock.advance(1s);
    BOOST_TEST(f.total(counter::checkpoint_ticks_total) == 2u);
    BOOST_TEST(!stuck.ready());
    const auto report = f.start(f.subject->shutdown(1s));
    f.clock.advance(1s);
    BOOST_TEST(report.ready());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
