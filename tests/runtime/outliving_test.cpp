// Subscriptions that outlive their runtime and its context.

#include "runtime_fixture.hpp"

#include <muster/backend/process.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace {

using namespace muster;
using namespace muster::test;

asio::awaitable<void> spawn_shell(muster::runtime& subject) {
    spawn_request request{"a", {"/bin/sh", "-c", "echo hello; sleep 1000"}};
    co_await subject.spawn(std::move(request));
}

asio::awaitable<void> spawn_and_listen(muster::runtime& subject, session_subscription& one) {
    co_await spawn_shell(subject);
    one = co_await subject.subscribe("a");
}

template <typename Subscription>
sys::error_code end_of(Subscription& reader) {
    sys::error_code end;
    while (!end) {
        static_cast<void>(reader.try_receive(end));
    }
    return end;
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(outliving)

BOOST_AUTO_TEST_CASE(a_global_subscription_may_outlive_the_context) {
    global_subscription all;
    {
        asio::io_context context;
        muster::runtime subject{context, std::make_shared<process_backend>(context)};
        all = subject.subscribe_all();
    }
    BOOST_TEST((end_of(all) == errc::stream_closed));
}

BOOST_AUTO_TEST_CASE(a_session_subscription_may_outlive_the_context) {
    session_subscription one;
    {
        asio::io_context context;
        muster::runtime subject{context, std::make_shared<process_backend>(context)};
        bool listens = false;
        asio::co_spawn(context, spawn_and_listen(subject, one),
                       [&](const std::exception_ptr& failed) { listens = !failed; });
        while (!one && context.run_one() != 0) {
        }
        BOOST_TEST(listens);
    }
    end_of(one);
}

BOOST_AUTO_TEST_CASE(the_backend_goes_with_the_runtime_and_its_last_worker) {
    runtime_fixture f;
    std::weak_ptr<backend> alive = f.backend;
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    auto one = f.wait(f.subject->subscribe("a"));
    f.backend.reset();
    f.subject.reset();
    BOOST_TEST(!alive.expired()); // its worker has not heard of it
    f.settle();
    BOOST_TEST(alive.expired());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
