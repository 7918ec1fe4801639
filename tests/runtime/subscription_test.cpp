#include "listening_fixture.hpp"

#include "handler_probe.hpp"

#include <muster/detail/wake_list.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <utility>

namespace {

using namespace muster;
using namespace muster::test;

constexpr asio::cancellation_type cancellation_types[]{asio::cancellation_type::terminal,
                                                       asio::cancellation_type::partial,
                                                       asio::cancellation_type::total};

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(subscription)

// ---- who sees what

BOOST_AUTO_TEST_CASE(a_global_subscription_sees_all_sessions_in_one_order) {
    listening_fixture f;
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    f.spawn("b");
    for (int i = 0; i < 5; ++i) {
        f.print("a", 2);
        f.print("b", 1);
    }
    f.spawn("c");
    f.print("c", 1);
    const auto got = f.drain(all);
    BOOST_REQUIRE(got.size() == 16u);
    BOOST_TEST(got.front().sequence == 1u);
    BOOST_TEST(got.back().sequence == 16u);
    BOOST_TEST(got.back().value.session().view() == "c");
    require_increasing(got);
}

BOOST_AUTO_TEST_CASE(a_session_subscription_sees_its_session_only) {
    listening_fixture f;
    f.spawn("a");
    f.spawn("b");
    auto a = f.listen("a");
    auto b = f.listen("b");
    for (int i = 0; i < 3; ++i) {
        f.print("a", 1);
        f.print("b", 2);
    }
    const auto of_a = f.drain(a);
    const auto of_b = f.drain(b);
    BOOST_REQUIRE(of_a.size() == 3u);
    BOOST_REQUIRE(of_b.size() == 6u);
    require_increasing(of_a);
    require_increasing(of_b);
    BOOST_TEST(of_a[1].sequence == 4u); // the runtime's numbers, with what b said in between
    BOOST_TEST(of_a[1].value.session().view() == "a");
    BOOST_TEST(of_b[1].value.session().view() == "b");
}

BOOST_AUTO_TEST_CASE(all_subscribers_share_one_payload) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a");
    auto other = f.listen("a");
    auto all = f.subject->subscribe_all();
    f.print("a", 1);
    const auto first = f.drain(one).at(0);
    BOOST_TEST(first.value.get_if<output>() == f.drain(other).at(0).value.get_if<output>());
    BOOST_TEST(first.value.get_if<output>() == f.drain(all).at(0).value.get_if<output>());
    BOOST_TEST(f.total(counter::event_clone_ops_total) == 0u);
}

BOOST_AUTO_TEST_CASE(an_event_that_is_published_again_is_copied_and_the_copy_counted) {
    const event same{output{"again"}};
    const auto source = [same] {
        return same;
    };
    runtime_fixture f{script{}.emit_from(source).emit_from(source).idle()};
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    const auto got = f.drain(all);
    BOOST_REQUIRE(got.size() == 2u);
    require_increasing(got);
    BOOST_TEST(got[0].value.get_if<output>()->bytes == "again");
    BOOST_TEST(got[1].value.get_if<output>()->bytes == "again");
    BOOST_TEST(f.total(counter::event_clone_ops_total) == 2u);
}

BOOST_AUTO_TEST_CASE(without_subscribers_events_are_counted_and_nothing_else) {
    runtime_fixture f{script{}.burst(80, "xy").idle()};
    f.spawn("a");
    BOOST_TEST(f.total(counter::events_received_total) == 80u);
    BOOST_TEST(f.total(counter::output_bytes_total) == 160u);
    BOOST_TEST(f.total(counter::events_forwarded_session_total) == 0u);
    BOOST_TEST(f.total(counter::events_forwarded_global_total) == 0u);
    BOOST_TEST(f.total(counter::event_clone_ops_total) == 0u);
    BOOST_TEST(f.total(counter::queue_pressure_dropped_events_total) == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_forwarded_is_counted_for_each_channel) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a");
    f.print("a", 3);
    auto all = f.subject->subscribe_all();
    f.print("a", 2);
    one.reset();
    f.print("a", 4);
    BOOST_TEST(f.total(counter::events_forwarded_session_total) == 5u);
    BOOST_TEST(f.total(counter::events_forwarded_global_total) == 6u);
    BOOST_TEST(f.total(counter::session_receiver_count_last) == 0u);
    BOOST_TEST(f.total(counter::global_receiver_count_last) == 1u);
}

// ---- the end of a session

BOOST_AUTO_TEST_CASE(subscribers_drain_what_is_kept_before_the_stream_closes) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a");
    f.print("a", 3);
    f.wait(f.subject->kill("a"));
    f.wait(f.subject->remove("a"));
    BOOST_TEST(kinds(f.drain(one)) == "output output output killed ");
    BOOST_TEST((f.last_error == errc::stream_closed));
    f.drain(one);
    BOOST_TEST((f.last_error == errc::stream_closed));
    BOOST_TEST(f.total(counter::subscriber_closed_session_total) == 1u);
}

BOOST_AUTO_TEST_CASE(a_pending_receive_is_told_that_the_session_has_ended) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a");
    handler_probe<event_delivery> last;
    handler_probe<event_delivery> closed;
    one.async_receive(last.handler());
    f.wait(f.subject->kill("a"));
    BOOST_TEST(last.called_once());
    BOOST_TEST((last.result().value.kind() == event_kind::killed));
    one.async_receive(closed.handler());
    f.settle();
    BOOST_TEST((closed.error() == errc::stream_closed));
}

BOOST_AUTO_TEST_CASE(a_global_subscription_outlives_the_sessions) {
    listening_fixture f;
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    f.wait(f.subject->kill("a"));
    f.spawn("b");
    f.print("b", 1);
    BOOST_TEST(kinds(f.drain(all)) == "killed output ");
    BOOST_TEST((f.last_error == asio::error::would_block));
    f.subject.reset();
    f.settle();
    f.drain(all);
    BOOST_TEST((f.last_error == errc::stream_closed));
}

BOOST_AUTO_TEST_CASE(an_ended_session_cannot_be_subscribed_to) {
    listening_fixture f;
    f.spawn("a");
    f.wait(f.subject->kill("a"));
    BOOST_TEST((f.failure_of(f.subject->subscribe("a")) == errc::stream_closed));
    BOOST_TEST(f.last_message.find("'a'") != std::string::npos);
    BOOST_TEST((f.failure_of(f.subject->subscribe("b")) == errc::session_not_found));
    BOOST_TEST(f.total(counter::subscribe_session_calls_total) == 2u);
    BOOST_TEST(f.total(counter::subscribe_session_failures_total) == 2u);
}

/// Spawns when it is told to.
class gated_backend final : public backend {
public:
    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor executor) override {
        auto opened = gate_.async_wait(executor, asio::deferred);
        co_await std::move(opened);
        auto made = real_.spawn(request, executor);
        co_return co_await std::move(made);
    }
    void open() { gate_.wake_all(); }

private:
    detail::wake_list gate_;
    script_backend real_{script{}.idle()};
};

BOOST_AUTO_TEST_CASE(a_starting_session_cannot_be_subscribed_to_yet) {
    runtime_fixture f; // for its clock and its context; the runtime under test is another one
    const auto gated = std::make_shared<gated_backend>();
    muster::runtime subject{f.context, gated};
    auto spawning = f.start(subject.spawn(spawn_request{"a"}));
    f.settle();
    BOOST_TEST((f.failure_of(subject.subscribe("a")) == errc::session_starting));
    BOOST_TEST((f.failure_of(subject.kill("a")) == errc::session_starting));
    BOOST_TEST((f.failure_of(subject.send_input("a", "x")) == errc::session_starting));
    BOOST_TEST((f.failure_of(subject.prompt_checkpoint("a", "x")) == errc::session_starting));
    BOOST_TEST((f.failure_of(subject.remove("a")) == errc::session_not_terminal));
    BOOST_TEST((f.wait(subject.status("a")).status == session_status::starting));
    gated->open();
    f.settle();
    spawning.get();
    BOOST_TEST(static_cast<bool>(f.wait(subject.subscribe("a"))));
    f.wait(subject.kill("a"));
}

// ---- receiving

BOOST_AUTO_TEST_CASE(a_receive_completes_with_the_next_event_and_never_at_once) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a");
    handler_probe<event_delivery> waiting;
    one.async_receive(waiting.handler());
    f.settle();
    BOOST_TEST(waiting.calls() == 0u);
    f.print("a", 2);
    BOOST_TEST(waiting.called_once());
    BOOST_TEST(waiting.result().sequence == 1u);
    handler_probe<event_delivery> ready;
    one.async_receive(ready.handler());
    BOOST_TEST(ready.calls() == 0u);
    f.settle();
    BOOST_TEST(ready.called_once());
    BOOST_TEST(ready.result().sequence == 2u);
}

BOOST_AUTO_TEST_CASE(a_receive_completes_on_the_handlers_executor) {
    listening_fixture f;
    f.spawn("a");
    auto all = f.subject->subscribe_all();
    const auto strand = asio::make_strand(f.context);
    handler_probe<event_delivery> probe;
    all.async_receive(probe.bound(strand));
    f.print("a", 1);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.ran_on_executor());
}

BOOST_AUTO_TEST_CASE(the_default_token_defers_the_receive) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a");
    handler_probe<event_delivery> probe;
    auto receive = one.async_receive();
    std::move(receive)(probe.handler());
    f.print("a", 1);
    BOOST_TEST(probe.called_once());
}

BOOST_AUTO_TEST_CASE(a_second_receive_at_the_same_time_is_refused) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a");
    handler_probe<event_delivery> first;
    handler_probe<event_delivery> second;
    one.async_receive(first.handler());
    one.async_receive(second.handler());
    f.settle();
    BOOST_TEST((second.error() == asio::error::already_started));
    f.print("a", 1);
    BOOST_TEST(first.called_once());
    BOOST_TEST(!first.error());
}

BOOST_AUTO_TEST_CASE(a_cancelled_receive_takes_nothing) {
    for (const auto type : cancellation_types) {
        listening_fixture f;
        f.spawn("a");
        auto one = f.listen("a");
        asio::cancellation_signal signal;
        handler_probe<event_delivery> cancelled;
        one.async_receive(cancelled.bound(signal.slot()));
        signal.emit(type);
        f.print("a", 1);
        BOOST_TEST(cancelled.called_once());
        BOOST_TEST((cancelled.error() == asio::error::operation_aborted));
        BOOST_TEST(f.drain(one).size() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(cancel_ends_the_receive_and_not_the_subscription) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a");
    handler_probe<event_delivery> cancelled;
    one.async_receive(cancelled.handler());
    one.cancel();
    f.settle();
    BOOST_TEST((cancelled.error() == asio::error::operation_aborted));
    f.print("a", 1);
    BOOST_TEST(f.drain(one).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_subscription_that_is_destroyed_aborts_its_receive) {
    listening_fixture f;
    f.spawn("a");
    handler_probe<event_delivery> aborted;
    {
        auto one = f.listen("a");
        one.async_receive(aborted.handler());
        f.say("a", event{output{"too late"}});
    }
    f.settle();
    BOOST_TEST(aborted.called_once());
    BOOST_TEST((aborted.error() == asio::error::operation_aborted));
    f.print("a", 1);
    BOOST_TEST(f.total(counter::events_forwarded_session_total) == 0u);
}

BOOST_AUTO_TEST_CASE(a_moved_subscription_goes_on_where_it_was) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a", subscribe_options{2});
    f.print("a", 5);
    const auto marker = one.try_receive(f.last_error);
    BOOST_TEST(marker.missing.events == 3u);
    auto moved = std::move(one);
    f.print("a", 1);
    const auto got = f.drain(moved);
    BOOST_REQUIRE(got.size() >= 2u);
    BOOST_TEST(got.front().sequence == 4u); // what the marker stood in front of
    BOOST_TEST(got.back().sequence == 6u);
    session_subscription assigned;
    BOOST_TEST(!assigned);
    assigned = std::move(moved);
    handler_probe<event_delivery> probe;
    assigned.async_receive(probe.handler());
    f.print("a", 1);
    BOOST_TEST(probe.result().sequence == 7u);
}

BOOST_AUTO_TEST_CASE(the_event_behind_a_marker_follows_with_the_next_receive) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a", subscribe_options{1});
    f.print("a", 3);
    handler_probe<event_delivery> marker;
    handler_probe<event_delivery> next;
    one.async_receive(marker.handler());
    f.settle();
    BOOST_TEST(marker.result().missing.events == 2u);
    one.async_receive(next.handler());
    BOOST_TEST(next.calls() == 0u);
    f.settle();
    BOOST_TEST(next.called_once());
    BOOST_TEST(next.result().sequence == 3u);
    BOOST_TEST(!next.result().missing);
}

BOOST_AUTO_TEST_CASE(a_batch_carries_the_gap_and_no_marker) {
    listening_fixture f;
    f.spawn("a");
    auto one = f.listen("a", subscribe_options{4});
    f.print("a", 10);
    const auto batch = one.try_receive_batch(f.last_error);
    BOOST_TEST(batch.missing().events == 6u);
    BOOST_REQUIRE(!batch.empty());
    BOOST_TEST(batch[0].sequence == 7u);
    BOOST_TEST(f.total(counter::output_truncation_markers_total) == 0u);
    BOOST_TEST(f.total(counter::queue_pressure_dropped_events_total) == 6u);
}

asio::awaitable<int> read_to_the_end(session_subscription reader) {
    int read = 0;
    try {
        for (;;) {
            co_await reader.receive();
            ++read;
        }
    } catch (const sys::system_error& e) {
        co_return e.code() == errc::stream_closed ? read : -1;
    }
}

BOOST_AUTO_TEST_CASE(a_coroutine_reads_until_the_stream_closes) {
    listening_fixture f;
    f.spawn("a");
    auto reading = f.start(read_to_the_end(f.listen("a")));
    f.print("a", 20);
    f.print("a", 5);
    f.wait(f.subject->kill("a"));
    BOOST_TEST(reading.get() == 26);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
