#include "listening_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace muster::test;

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(lag)

BOOST_AUTO_TEST_CASE(the_capacity_is_exact) {
    listening_fixture f;
    f.spawn("a");
    auto kept = f.listen("a", subscribe_options{5});
    f.print("a", 5);
    const auto all = f.drain(kept);
    BOOST_TEST(all.size() == 5u);
    BOOST_TEST(!all.front().missing);
    f.print("a", 6);
    const auto some = f.drain(kept);
    BOOST_REQUIRE(some.size() == 6u); // a marker and five events
    BOOST_TEST(some.front().missing.events == 1u);
    BOOST_TEST(some.front().missing.bytes == 2u);
    BOOST_TEST(some.front().missing.first_sequence == 6u);
    BOOST_TEST(some.front().missing.last_sequence == 6u);
}

BOOST_AUTO_TEST_CASE(a_marker_stands_for_what_a_session_subscriber_has_lost) {
    listening_fixture f;
    f.spawn("a");
    auto slow = f.listen("a", subscribe_options{8});
    f.print("a", 80);
    const auto got = f.drain(slow);
    BOOST_REQUIRE(got.size() == 9u);
    const auto* marker = got.front().value.get_if<output>();
    BOOST_REQUIRE(marker != nullptr);
    BOOST_TEST((marker->stream == output_stream::standard_error));
    BOOST_TEST(marker->bytes ==
               "[muster] output truncated: dropped 72 events due to stream pressure\n");
    BOOST_TEST(got.front().value.session().view() == "a");
    BOOST_TEST(got.front().missing.events == 72u);
    BOOST_TEST(got.front().missing.bytes == 144u);
    BOOST_TEST(got.front().missing.first_sequence == 1u);
    BOOST_TEST(got.front().missing.last_sequence == 72u);
    BOOST_TEST(!got[1].missing);
    BOOST_TEST(got[1].sequence == 73u);
    require_increasing(got);
}

BOOST_AUTO_TEST_CASE(a_global_subscriber_is_told_too_and_goes_on) {
    listening_fixture f;
    f.spawn("a");
    auto slow = f.subject->subscribe_all(subscribe_options{4});
    f.print("a", 10);
    const auto got = f.drain(slow);
    BOOST_REQUIRE(got.size() == 4u);
    BOOST_TEST(got.front().missing.events == 6u);
    BOOST_TEST(got.front().missing.bytes == 12u);
    BOOST_TEST(got.front().sequence == 7u);
    f.print("a", 1);
    const auto later = f.drain(slow);
    BOOST_REQUIRE(later.size() == 1u);
    BOOST_TEST(!later.front().missing);
    BOOST_TEST(f.total(counter::subscriber_lagged_errors_global_total) == 1u);
    BOOST_TEST(f.total(counter::subscriber_lagged_events_global_total) == 6u);
    BOOST_TEST(f.total(counter::output_truncation_markers_total) == 0u);
}

/// 80 events a session; all are read after the burst: one subscriber a session, and a global one.
void check_pressure(int sessions, std::uint64_t dropped) {
    runtime_fixture f{script{}.await_input().burst(80, "x").idle()};
    std::vector<session_subscription> readers;
    for (int i = 0; i < sessions; ++i) {
        const auto id = std::to_string(i);
        f.spawn(id.c_str());
        readers.push_back(f.wait(f.subject->subscribe(id, subscribe_options{8})));
    }
    auto all = f.subject->subscribe_all(subscribe_options{32});
    for (int i = 0; i < sessions; ++i) {
        f.wait(f.subject->send_input(std::to_string(i), "go"));
    }
    for (auto& each : readers) {
        const auto got = f.drain(each);
        BOOST_TEST(got.size() == 9u);
        require_increasing(got);
    }
    const auto got = f.drain(all);
    BOOST_TEST(got.size() == 32u);
    require_increasing(got);
    const auto count = static_cast<std::uint64_t>(sessions);
    BOOST_TEST(f.total(counter::events_received_total) == 80u * count);
    BOOST_TEST(f.total(counter::queue_pressure_dropped_events_total) == dropped);
    BOOST_TEST(f.total(counter::queue_pressure_dropped_bytes_total) == dropped);
    BOOST_TEST(f.total(counter::output_truncation_markers_total) == count);
    BOOST_TEST(f.total(counter::subscriber_lagged_errors_session_total) == count);
    BOOST_TEST(f.total(counter::subscriber_lagged_events_session_total) == 72u * count);
    BOOST_TEST(f.total(counter::subscriber_lagged_errors_global_total) == 1u);
    BOOST_TEST(f.total(counter::subscriber_lagged_events_global_total) == 80u * count - 32u);
    BOOST_TEST(f.total(counter::event_clone_ops_total) == 0u);
}

BOOST_AUTO_TEST_CASE(the_drops_under_pressure_are_counted_exactly) {
    check_pressure(1, 120);
    check_pressure(5, 728);
}

BOOST_AUTO_TEST_CASE(a_slow_subscriber_costs_the_others_nothing) {
    listening_fixture f;
    f.spawn("a");
    auto slow = f.listen("a", subscribe_options{1});
    auto quick = f.listen("a", subscribe_options{100});
    f.print("a", 100);
    const auto got = f.drain(quick);
    BOOST_TEST(got.size() == 100u);
    BOOST_TEST(!got.front().missing);
    BOOST_TEST(f.drain(slow).size() == 2u);
}

BOOST_AUTO_TEST_CASE(status_events_reach_a_subscriber_that_fell_behind) {
    listening_fixture f;
    f.spawn("a");
    auto slow = f.listen("a", subscribe_options{3});
    auto all = f.subject->subscribe_all(subscribe_options{3});
    f.print("a", 2);
    f.say("a", event{turn_state{true}});
    f.say("a", event{checkpoint{"half way"}});
    f.print("a", 20);
    f.say("a", event{done{"finished"}});
    f.settle();
    for (const auto& got : {f.drain(all), f.drain(slow)}) {
        require_increasing(got);
        BOOST_TEST(count_of(got, event_kind::turn_state) == 1);
        BOOST_TEST(count_of(got, event_kind::checkpoint) == 1);
        BOOST_TEST(count_of(got, event_kind::done) == 1);
        BOOST_REQUIRE(!got.empty());
        BOOST_TEST((got.back().value.kind() == event_kind::done));
        BOOST_TEST(got.front().missing.events == 20u);
    }
    BOOST_TEST((f.last_error == errc::stream_closed));
}

BOOST_AUTO_TEST_CASE(of_each_status_kind_the_latest_survives) {
    listening_fixture f;
    f.spawn("a");
    auto all = f.subject->subscribe_all(subscribe_options{2});
    for (int i = 0; i < 10; ++i) {
        f.say("a", event{checkpoint{std::to_string(i)}});
    }
    f.print("a", 5);
    const auto got = f.drain(all);
    BOOST_TEST(kinds(got) == "checkpoint output output ");
    BOOST_TEST(got.front().value.get_if<muster::checkpoint>()->summary == "9");
    BOOST_TEST(got.front().missing.events == 12u);
}

BOOST_AUTO_TEST_CASE(status_events_in_front_of_what_was_lost_come_before_the_marker) {
    listening_fixture f;
    f.spawn("a");
    auto slow = f.listen("a", subscribe_options{2});
    f.say("a", event{turn_state{true}});
    f.say("a", event{muster::checkpoint{"begun"}});
    f.print("a", 10);
    const auto got = f.drain(slow);
    BOOST_TEST(kinds(got) == "turn_state checkpoint output output output ");
    require_increasing(got);
    BOOST_REQUIRE(got.size() == 5u);
    BOOST_TEST(!got[0].missing);
    BOOST_TEST(got[2].sequence == 3u); // the marker's number is that of the first lost event
    BOOST_TEST(got[2].missing.first_sequence == 3u);
    BOOST_TEST(got[2].missing.last_sequence == 10u);
    BOOST_TEST(got[2].missing.events == 8u);
    BOOST_TEST(got[3].sequence == 11u);
}

BOOST_AUTO_TEST_CASE(a_batch_after_a_marker_goes_on_with_the_event_behind_it) {
    listening_fixture f;
    f.spawn("a");
    auto slow = f.listen("a", subscribe_options{4});
    f.print("a", 10);
    BOOST_TEST(slow.try_receive(f.last_error).missing.events == 6u);
    deliveries got;
    for (;;) {
        const auto batch = slow.try_receive_batch(f.last_error);
        if (f.last_error) {
            break;
        }
        BOOST_TEST(!batch.missing());
        for (const auto& [value, sequence] : batch) {
            got.push_back({value, sequence, {}, 0});
        }
    }
    BOOST_TEST(got.size() == 4u);
    BOOST_TEST(got.front().sequence == 7u);
    require_increasing(got);
}

BOOST_AUTO_TEST_CASE(the_event_behind_a_marker_is_not_lost_again) {
    listening_fixture f;
    f.spawn("a");
    auto slow = f.listen("a", subscribe_options{2});
    f.print("a", 5);
    BOOST_TEST(slow.try_receive(f.last_error).missing.events == 3u);
    BOOST_TEST(slow.info().delivered_events == 0u); // the marker is nobody's event
    BOOST_TEST(slow.info().unread_events == 2u);
    f.print("a", 10);
    const auto got = f.drain(slow);
    require_increasing(got);
    BOOST_REQUIRE(got.size() == 4u);
    BOOST_TEST(got[0].sequence == 4u);
    BOOST_TEST(!got[0].missing);
    BOOST_TEST(got[1].missing.first_sequence == 5u);
    BOOST_TEST(got[1].missing.last_sequence == 13u);
    BOOST_TEST(got[2].sequence == 14u);
}

BOOST_AUTO_TEST_CASE(a_subscriber_can_ask_to_be_disconnected_instead) {
    listening_fixture f;
    f.spawn("a");
    auto strict = f.listen(
        "a", subscribe_options{"strict", 4, start_position::latest(), overflow_policy::disconnect});
    f.print("a", 5);
    const auto told = strict.try_receive(f.last_error);
    BOOST_TEST((f.last_error == errc::subscriber_lagged));
    BOOST_TEST(told.missing.events == 5u);
    BOOST_TEST(f.drain(strict).empty());
    BOOST_TEST((f.last_error == errc::stream_closed));
    f.print("a", 1);
    BOOST_TEST(f.total(counter::events_forwarded_session_total) == 5u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
