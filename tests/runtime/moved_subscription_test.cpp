// Subscriptions that move while somebody waits for them.

#include "handler_probe.hpp"
#include "listening_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <utility>

namespace {

using namespace muster;
using namespace muster::test;

/// A subscription that has moved, and whose first home is gone.
template <typename Subscription>
Subscription moved_out_of(std::unique_ptr<Subscription> home) {
    return std::move(*home);
}

template <typename Subscription>
std::unique_ptr<Subscription> at_home(Subscription subscribed) {
    return std::make_unique<Subscription>(std::move(subscribed));
}

template <typename Subscription>
asio::awaitable<event_delivery> await_one(Subscription& from) {
    co_return co_await from.async_receive();
}
template <typename Subscription>
asio::awaitable<std::size_t> await_batch(Subscription& from) {
    const auto batch = co_await from.async_receive_batch();
    co_return batch.size();
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(moved_subscription)

BOOST_AUTO_TEST_CASE(a_pending_receive_moves_along) {
    listening_fixture f;
    f.spawn("a");
    auto one = at_home(f.listen("a"));
    auto all = at_home(f.subject->subscribe_all());
    handler_probe<event_delivery> of_one;
    handler_probe<global_subscription::batch_type> of_all;
    one->async_receive(of_one.handler());
    all->async_receive_batch(of_all.handler());
    const auto moved_one = moved_out_of(std::move(one));
    const auto moved_all = moved_out_of(std::move(all));
    f.print("a", 1);
    BOOST_TEST(of_one.called_once());
    BOOST_TEST(of_one.result().sequence == 1u);
    BOOST_TEST(of_all.result().size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_awaited_receive_moves_along) {
    listening_fixture f;
    f.spawn("a");
    auto one = at_home(f.listen("a"));
    auto all = at_home(f.subject->subscribe_all());
    auto of_one = f.start(await_one(*one));
    auto of_all = f.start(await_batch(*all));
    f.settle();
    const auto moved_one = moved_out_of(std::move(one));
    const auto moved_all = moved_out_of(std::move(all));
    f.print("a", 1);
    BOOST_TEST(of_one.get().sequence == 1u);
    BOOST_TEST(of_all.get() == 1u);
}

BOOST_AUTO_TEST_CASE(what_was_lost_is_counted_after_a_move) {
    listening_fixture f;
    f.spawn("a");
    auto one = at_home(f.listen("a", subscribe_options{1}));
    auto of_one = f.start(await_one(*one));
    f.settle();
    const auto moved = moved_out_of(std::move(one));
    f.backend->push("a", event{output{"xy"}});
    f.backend->push("a", event{output{"xy"}});
    f.settle();
    BOOST_TEST(of_one.get().missing.events == 1u);
    BOOST_TEST(f.total(counter::queue_pressure_dropped_events_total) == 1u);
}

BOOST_AUTO_TEST_CASE(the_end_is_counted_once_wherever_it_is_heard) {
    listening_fixture f;
    f.spawn("a");
    auto one = at_home(f.listen("a"));
    f.wait(f.subject->kill("a"));
    static_cast<void>(f.drain(*one));
    auto moved = at_home(moved_out_of(std::move(one)));
    handler_probe<event_delivery> closed;
    moved->async_receive(closed.handler());
    auto moved_again = moved_out_of(std::move(moved));
    f.settle();
    BOOST_TEST((closed.error() == errc::stream_closed));
    static_cast<void>(f.drain(moved_again));
    BOOST_TEST(f.total(counter::subscriber_closed_session_total) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
