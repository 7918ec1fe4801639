#include "mutex_fixture.hpp"

#include "destroy_after.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

namespace {

/// A coroutine that locks `rounds` times and says so.
template <typename Executor>
asio::awaitable<void, Executor> lock_often(shared_mutex& mutex, int rounds, int& done) {
    for (int i = 0; i < rounds; ++i) {
        const shared_lock lock = co_await mutex.async_lock_shared();
        done += lock.owns_lock() ? 1 : 0;
    }
}

template <typename Executor>
asio::awaitable<void, Executor> hold_in_turn(std::shared_ptr<shared_mutex> mutex,
                                             std::string& order, char name) {
    for (int i = 0; i < 3; ++i) {
        const unique_lock lock = co_await mutex->async_lock();
        order += name;
        auto yield = asio::post(mutex->get_executor(), asio::deferred);
        co_await std::move(yield);
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(shared_mutex_in_coroutines)

BOOST_FIXTURE_TEST_CASE(free_lock_is_taken_without_suspending, mutex_fixture) {
    int done = 0;
    asio::co_spawn(loop.context(), lock_often<asio::any_io_executor>(mutex, 1'000, done),
                   asio::detached);
    BOOST_TEST(loop.run_one());
    BOOST_TEST(done == 1'000);
}

BOOST_FIXTURE_TEST_CASE(operation_without_a_token_can_be_given_one_later, mutex_fixture) {
    unique_probe writer;
    auto operation = mutex.async_lock();
    BOOST_TEST(!mutex.is_locked());
    std::move(operation)(writer.bound(strand));
    loop.run_until_idle();
    BOOST_TEST(writer.called_once());
    BOOST_TEST(writer.ran_on_executor());
    BOOST_TEST(writer.result().owns_lock());
}

BOOST_AUTO_TEST_CASE(default_token_of_the_executor_is_used) {
    manual_loop loop;
    using executor = asio::use_awaitable_t<>::executor_with_default<asio::any_io_executor>;
    basic_shared_mutex<executor> mutex{executor{loop.get_executor()}};
    bool held = false;
    const auto lock_once = [&]() -> asio::awaitable<void> {
        asio::awaitable<unique_lock> operation = mutex.async_lock();
        const unique_lock lock = co_await std::move(operation);
        held = lock.owns_lock();
    };
    asio::co_spawn(loop.context(), lock_once(), asio::detached);
    loop.run_until_idle();
    BOOST_TEST(held);
}

BOOST_FIXTURE_TEST_CASE(every_executor_and_token_of_a_coroutine_will_do, mutex_fixture) {
    int done = 0;
    asio::co_spawn(strand, lock_often<light_strand>(mutex, 3, done), asio::detached);
    asio::co_spawn(loop.get_executor(), lock_often<asio::io_context::executor_type>(mutex, 3, done),
                   asio::detached);
    asio::co_spawn(asio::make_strand(loop.context()),
                   lock_often<asio::strand<asio::io_context::executor_type>>(mutex, 3, done),
                   asio::detached);
    const auto tokens = [](shared_mutex& m, int& count) -> asio::awaitable<void> {
        {
            auto [error, lock] = co_await m.async_lock_shared(asio::as_tuple(asio::deferred));
            count += !error && lock ? 1 : 0;
        }
        {
            const unique_lock lock = co_await m.async_lock(asio::use_awaitable);
            count += lock ? 1 : 0;
        }
        {
            auto [error, lock] = co_await m.async_lock(asio::as_tuple(asio::use_awaitable));
            count += !error && lock ? 1 : 0;
        }
    };
    asio::co_spawn(loop.context(), tokens(mutex, done), asio::detached);
    loop.run_until_idle();
    BOOST_TEST(done == 12);
    auto future = mutex.async_lock(asio::use_future);
    loop.run_until_idle();
    BOOST_TEST(future.get().owns_lock());
}

BOOST_AUTO_TEST_CASE(contended_coroutines_take_turns_and_die_cleanly_at_every_point) {
    std::string order;
    const auto setup = [&order](manual_loop& loop) {
        order.clear();
        auto mutex = std::make_shared<shared_mutex>(loop.context());
        light_strand strand{loop.context()};
        asio::co_spawn(strand, hold_in_turn<light_strand>(mutex, order, 'a'), asio::detached);
        asio::any_io_executor any = loop.get_executor();
        asio::co_spawn(any, hold_in_turn<asio::any_io_executor>(mutex, order, 'b'), asio::detached);
        return 0;
    };
    destroy_after_every_nth_handler(setup);
    BOOST_TEST(order == "ababab");
    destroy_after_every_nth_handler(setup, destroy_order::context_first);
    BOOST_TEST(order == "ababab");
}

BOOST_FIXTURE_TEST_CASE(terminal_cancellation_ends_a_waiting_coroutine, mutex_fixture) {
    const unique_lock held = mutex.try_lock();
    std::exception_ptr failure;
    int done = 0;
    asio::co_spawn(strand, lock_often<light_strand>(mutex, 1, done),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](std::exception_ptr error) { failure = error; }));
    loop.run_until_idle();
    BOOST_TEST(mutex.has_waiters());
    asio::post(strand, [&] { signal.emit(cancellation_type::terminal); });
    loop.run_until_idle();
    BOOST_TEST(!!failure);
    BOOST_TEST(!mutex.has_waiters());
    BOOST_TEST(done == 0);
}

BOOST_FIXTURE_TEST_CASE(coroutine_cancelled_after_the_grant_gives_the_lock_back, mutex_fixture) {
    unique_lock held = mutex.try_lock();
    std::exception_ptr failure;
    int done = 0;
    asio::co_spawn(strand, lock_often<light_strand>(mutex, 2, done),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](std::exception_ptr error) { failure = error; }));
    loop.run_until_idle();
    signal.emit(cancellation_type::terminal); // reaches the coroutine through its strand: first
    held.unlock();                            // granted, and then told of the cancellation
    loop.run_until_idle();
    BOOST_TEST(done == 1); // the second attempt finds the coroutine cancelled
    BOOST_TEST(!!failure);
    BOOST_TEST(mutex.readers() == 0U);
}

BOOST_AUTO_TEST_CASE(threads_of_coroutines_keep_the_invariant) {
    asio::io_context context{2};
    shared_mutex mutex{context};
    long plain = 0; // written by writers only: the lock must order them
    std::atomic<int> writers{0};
    std::atomic<bool> broken{false};
    std::atomic<int> finished{0};
    constexpr int rounds = 400;
    const auto work = [&](int id) -> asio::awaitable<void, light_strand> {
        for (int i = 0; i < rounds; ++i) {
            if ((i + id) % 4 == 0) {
                const unique_lock lock = co_await mutex.async_lock();
                broken = broken || writers.fetch_add(1) != 0;
                ++plain;
                writers.fetch_sub(1);
            } else {
                const shared_lock lock = co_await mutex.async_lock_shared();
                broken = broken || writers.load() != 0 || plain < 0;
            }
        }
        ++finished;
    };
    for (int id = 0; id < 8; ++id) {
        asio::co_spawn(light_strand{context}, work(id), asio::detached);
    }
    std::thread runner{[&] {
        context.run();
    }};
    context.run();
    runner.join();
    BOOST_TEST(!broken);
    BOOST_TEST(finished == 8);
    BOOST_TEST(plain == 8 * rounds / 4);
}

BOOST_AUTO_TEST_CASE(threads_of_cancelled_waits_lose_no_lock) {
    asio::io_context context{2};
    shared_mutex mutex{context};
    constexpr int rounds = 400;
    struct client {
        client(asio::io_context& io, shared_mutex& m) : strand{io}, mutex{m} {}
        light_strand strand;
        shared_mutex& mutex;
        asio::cancellation_signal signal;
        int left = rounds;
        int calls = 0;
        bool consistent = true;
        void next() {
            if (left-- == 0) {
                return;
            }
            const auto done = [this](boost::system::error_code ec, unique_lock lock) {
                ++calls;
                consistent = consistent && !ec == lock.owns_lock();
                next();
            };
            mutex.async_lock(
                asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(strand, done)));
            if (left % 2 == 0) {
                asio::post(strand, [this] { signal.emit(cancellation_type::total); });
            }
        }
    };
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(std::make_unique<client>(context, mutex));
        asio::post(clients.back()->strand, [c = clients.back().get()] { c->next(); });
    }
    std::thread runner{[&] {
        context.run();
    }};
    context.run();
    runner.join();
    for (const auto& c : clients) {
        BOOST_TEST(c->calls == rounds);
        BOOST_TEST(c->consistent);
    }
    BOOST_TEST(!mutex.is_locked());
    BOOST_TEST(!mutex.has_waiters());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
