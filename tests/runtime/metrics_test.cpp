// What a snapshot says in a quiet runtime adds up, and shows subscribers without their help.

#include "listening_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

std::uint64_t sum_of_sessions(const runtime_snapshot& shot, counter which) {
    std::uint64_t sum = 0;
    for (const auto& each : shot.sessions) {
        sum += each.counters.get(which).value();
    }
    return sum;
}

/// Everything that a subscriber's events have become.
std::uint64_t accounted(const subscriber_row& row) {
    return row.delivered_events + row.lagged_events + row.backlog_events;
}

const subscriber_row& row_of(const runtime_snapshot& shot, std::string_view name) {
    for (const auto& each : shot.subscribers) {
        if (each.name == name) {
            return each;
        }
    }
    BOOST_FAIL("no subscriber " << name);
    return shot.subscribers.front();
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(what_was_received_is_the_sum_over_the_sessions) {
    listening_fixture f;
    for (const auto* id : {"a", "b", "c"}) {
        f.spawn(id);
        f.print(id, 7);
    }
    f.say("b", event{done{}});
    f.settle();
    const auto shot = f.wait(f.subject->snapshot());
    const auto received = shot.totals.get(counter::events_received_total).value();
    BOOST_TEST(received == 22u);
    BOOST_TEST(sum_of_sessions(shot, counter::events_received_total) == received);
    BOOST_TEST(shot.totals.get(counter::done_events_total).value() == 1u);
    BOOST_TEST(shot.session_count() == 3u);
    BOOST_TEST(shot.session_count(session_status::done) == 1u);
    BOOST_TEST(shot.session_count(session_status::running) == 2u);
}

BOOST_AUTO_TEST_CASE(removing_a_session_takes_nothing_from_the_totals) {
    listening_fixture f;
    f.spawn("a");
    f.print("a", 5);
    auto slow = f.listen("a", subscribe_options{"slow", 2});
    f.print("a", 5);
    f.wait(f.subject->kill("a"));
    const auto before = f.wait(f.subject->snapshot());
    f.wait(f.subject->remove("a"));
    const auto after = f.wait(f.subject->snapshot());
    for (const auto which : {counter::events_received_total, counter::killed_events_total,
                             counter::output_bytes_total, counter::spawn_successes_total}) {
        BOOST_TEST(after.totals.get(which).value() == before.totals.get(which).value());
    }
}

BOOST_AUTO_TEST_CASE(delivered_dropped_and_unread_are_all_that_was_published_to_each) {
    listening_fixture f;
    f.spawn("a");
    f.spawn("b");
    std::vector<session_subscription> readers;
    for (const std::uint64_t capacity : {3u, 10u, 1000u}) {
        readers.push_back(
            f.listen("a", subscribe_options{"a" + std::to_string(capacity), capacity}));
    }
    auto all = f.subject->subscribe_all(subscribe_options{"all", 8});
    auto asleep = f.subject->subscribe_all(subscribe_options{"asleep", 5});
    constexpr std::uint64_t rounds = 6;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        f.print("a", 9);
        f.say("a", event{turn_state{round % 2 == 0}});
        f.print("b", 2);
        for (auto& each : readers) { // some of it, one by one and in batches
            static_cast<void>(each.try_receive(f.last_error));
            static_cast<void>(each.try_receive(f.last_error));
            static_cast<void>(each.try_receive_batch(f.last_error));
        }
        static_cast<void>(all.try_receive(f.last_error));
    }
    const auto shot = f.wait(f.subject->snapshot());
    std::uint64_t accounted_for = 0;
    std::uint64_t lagged = 0;
    for (const auto& each : shot.subscribers) {
        BOOST_TEST(accounted(each) == rounds * (each.session ? 10 : 12), each.name);
        accounted_for += accounted(each);
        lagged += each.lagged_events;
    }
    BOOST_TEST(accounted_for == rounds * (10 * 3 + 12 * 2));
    BOOST_TEST(shot.totals.get(counter::queue_pressure_dropped_events_total).value() == lagged);
    BOOST_TEST(shot.totals.get(counter::subscriber_lagged_events_session_total).value() +
                   shot.totals.get(counter::subscriber_lagged_events_global_total).value() ==
               lagged);
    BOOST_TEST(shot.totals.get(counter::events_forwarded_session_total).value() == rounds * 10);
    BOOST_TEST(shot.totals.get(counter::events_forwarded_global_total).value() == rounds * 12);
    BOOST_TEST(shot.totals.get(counter::event_clone_ops_total).value() == 0u);
}

BOOST_AUTO_TEST_CASE(attempts_are_sent_failed_or_timed_out) {
    runtime_options options;
    options.checkpoint = checkpoint_policy{1s};
    options.checkpoint.on_failure = failure_policy::retry();
    options.checkpoint.send_deadline = 1500ms;
    listening_fixture f{options};
    for (const auto* id : {"takes", "refuses", "hangs"}) {
        f.spawn(id);
    }
    f.backend->set_input("refuses", script::input_mode::refuse);
    f.backend->set_input("hangs", script::input_mode::hang);
    f.settle();
    f.clock.advance(10s);
    f.backend->set_input("hangs", script::input_mode::accept);
    f.clock.advance(2s);
    const auto shot = f.wait(f.subject->snapshot());
    const auto total = [&](counter which) {
        return shot.totals.get(which).value();
    };
    BOOST_TEST(total(counter::checkpoint_send_failures_total) == 12u);
    BOOST_TEST(total(counter::checkpoint_send_timeouts_total) > 3u);
    BOOST_TEST(total(counter::checkpoint_send_attempts_total) ==
               f.backend->inputs_accepted() + total(counter::checkpoint_send_failures_total) +
                   total(counter::checkpoint_send_timeouts_total));
    BOOST_TEST(total(counter::checkpoint_ticks_total) ==
               total(counter::checkpoint_send_attempts_total) +
                   total(counter::checkpoint_coalesced_total));
    BOOST_TEST(sum_of_sessions(shot, counter::checkpoint_ticks_total) ==
               total(counter::checkpoint_ticks_total));
}

BOOST_AUTO_TEST_CASE(every_tick_send_and_event_has_its_time_recorded) {
    runtime_options options;
    options.checkpoint = checkpoint_policy{1s};
    listening_fixture f{options};
    f.spawn("a");
    auto one = f.listen("a");
    f.print("a", 6);
    f.drain(one);
    f.clock.advance(1000s);
    const auto shot = f.wait(f.subject->snapshot());
    const auto count_of = [&](latency which) {
        return shot.latencies[static_cast<std::size_t>(which)].value().count;
    };
    BOOST_TEST(count_of(latency::registry_read_lock_wait) == 1000u);
    BOOST_TEST(count_of(latency::checkpoint_lateness) == 1000u);
    BOOST_TEST(count_of(latency::checkpoint_send) == 1000u);
    BOOST_TEST(count_of(latency::dispatch) == 6u);
    BOOST_TEST(count_of(latency::publish_to_receive) == 6u);
    for (const auto which :
         {counter::checkpoint_loop_read_lock_wait_nanos_total, counter::checkpoint_send_nanos_total,
          counter::event_dispatch_nanos_total}) {
        BOOST_TEST(shot.totals.get(which).value() > 0u);
    }
}

BOOST_AUTO_TEST_CASE(calls_are_successes_and_failures) {
    listening_fixture f;
    f.spawn("a");
    f.failure_of(f.subject->spawn(spawn_request{"a"}));
    f.failure_of(f.subject->kill("x"));
    f.wait(f.subject->kill("a"));
    f.failure_of(f.subject->send_input("a", "x"));
    f.failure_of(f.subject->resize("a", terminal_size{1, 1}));
    f.failure_of(f.subject->focus("a"));
    BOOST_TEST(f.total(counter::spawn_requests_total) == 2u);
    BOOST_TEST(f.total(counter::spawn_successes_total) == 1u);
    BOOST_TEST(f.total(counter::spawn_failures_total) == 1u);
    BOOST_TEST(f.total(counter::kill_requests_total) == 2u);
    BOOST_TEST(f.total(counter::kill_successes_total) == 1u);
    BOOST_TEST(f.total(counter::kill_failures_total) == 1u);
    BOOST_TEST(f.total(counter::send_input_failures_total) == 1u);
    BOOST_TEST(f.total(counter::resize_failures_total) == 1u);
    BOOST_TEST(f.total(counter::focus_failures_total) == 1u);
}

BOOST_AUTO_TEST_CASE(without_metrics_counters_are_not_measured_and_subscribers_still_seen) {
    runtime_options options;
    options.metrics_enabled = false;
    listening_fixture f{options};
    f.spawn("a");
    auto one = f.listen("a", subscribe_options{"one", 2});
    f.print("a", 5);
    BOOST_TEST(f.drain(one).size() == 3u);
    const auto shot = f.wait(f.subject->snapshot());
    BOOST_TEST(!shot.totals.get(counter::events_received_total).has_value());
    BOOST_TEST(!shot.sessions.front().counters.get(counter::events_received_total).has_value());
    BOOST_TEST(row_of(shot, "one").lagged_events == 3u);
}

// ---- subscribers that can be looked at

BOOST_AUTO_TEST_CASE(a_subscriber_that_never_polls_is_visible) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a", subscribe_options{"asleep", 4});
    f.print("a", 10);
    const auto shot = f.wait(f.subject->snapshot());
    const auto& row = row_of(shot, "asleep");
    BOOST_TEST(row.session->view() == "a");
    BOOST_TEST(row.cursor == 0u);
    BOOST_TEST(row.backlog_events == 10u);
    BOOST_TEST(row.backlog_bytes == 20u);
    BOOST_TEST(row.delivered_events == 0u);
    BOOST_TEST(row.lagged_events == 0u); // it does not know yet
    BOOST_TEST(!row.since_last_poll.has_value());
    BOOST_REQUIRE(row.oldest_unread_age.has_value());
    BOOST_TEST((*row.oldest_unread_age > 0ns));
    BOOST_TEST((*row.oldest_unread_age <= shot.uptime + 1s));
}

BOOST_AUTO_TEST_CASE(a_poll_is_seen_and_the_cursor_moves) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a", subscribe_options{"one", 4});
    auto all = f.subject->subscribe_all(subscribe_options{"all", 4});
    f.print("a", 10);
    f.drain(all);
    static_cast<void>(one.try_receive(f.last_error)); // the marker
    static_cast<void>(one.try_receive(f.last_error));
    const auto shot = f.wait(f.subject->snapshot());
    const auto& row = row_of(shot, "one");
    BOOST_TEST(row.cursor == 7u);
    BOOST_TEST(row.delivered_events == 1u);
    BOOST_TEST(row.lagged_events == 6u);
    BOOST_TEST(row.lagged_bytes == 12u);
    BOOST_TEST(row.backlog_events == 3u);
    BOOST_TEST(row.since_last_poll.has_value());
    const auto& read = row_of(shot, "all");
    BOOST_TEST(!read.session.has_value());
    BOOST_TEST(read.cursor == 10u);
    BOOST_TEST(read.backlog_events == 0u);
    BOOST_TEST(!read.oldest_unread_age.has_value());
    BOOST_TEST((*read.since_last_poll >= *row.since_last_poll));
}

BOOST_AUTO_TEST_CASE(the_age_of_the_oldest_unread_event_is_that_of_what_was_overwritten_too) {
    listening_fixture f;
    f.spawn("a");
    auto early = f.subject->subscribe_all(subscribe_options{"early", 2});
    f.print("a", 1);
    auto late = f.subject->subscribe_all(subscribe_options{"late", 2});
    f.print("a", 500); // many segments
    const auto shot = f.wait(f.subject->snapshot());
    const auto early_age = row_of(shot, "early").oldest_unread_age->count();
    const auto late_age = row_of(shot, "late").oldest_unread_age->count();
    BOOST_TEST(early_age > late_age);
}

BOOST_AUTO_TEST_CASE(a_disconnected_subscriber_is_seen_until_it_knows) {
    listening_fixture f;
    f.spawn("a");
    auto all = f.subject->subscribe_all(
        subscribe_options{"strict", 4, start_position::latest(), overflow_policy::disconnect});
    f.print("a", 5);
    BOOST_TEST(row_of(f.wait(f.subject->snapshot()), "strict").backlog_events == 5u);
    const auto told = all.try_receive(f.last_error);
    BOOST_TEST((f.last_error == errc::subscriber_lagged));
    BOOST_TEST(told.missing.first_sequence == 1u);
    BOOST_TEST(told.missing.last_sequence == 5u);
    BOOST_TEST(told.missing.events == 5u);
    BOOST_TEST(f.wait(f.subject->snapshot()).subscribers.empty());
    BOOST_TEST(f.total(counter::subscriber_lagged_errors_global_total) == 1u);
    BOOST_TEST(f.total(counter::subscriber_lagged_events_global_total) == 5u);
}

asio::awaitable<sys::error_code> error_of(global_subscription& reader) {
    try {
        static_cast<void>(co_await reader.receive());
        co_return sys::error_code{};
    } catch (const sys::system_error& e) {
        co_return e.code();
    }
}

BOOST_AUTO_TEST_CASE(a_coroutine_that_is_disconnected_is_told_once_and_then_finds_it_closed) {
    listening_fixture f;
    f.spawn("a");
    auto all = f.subject->subscribe_all(
        subscribe_options{"strict", 4, start_position::latest(), overflow_policy::disconnect});
    f.print("a", 4);
    BOOST_TEST(!f.wait(error_of(all)));
    f.print("a", 10);
    BOOST_TEST((f.wait(error_of(all)) == errc::subscriber_lagged));
    BOOST_TEST((f.wait(error_of(all)) == errc::stream_closed));
    BOOST_TEST(f.total(counter::subscriber_closed_global_total) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
