#include <muster/sync/shared_mutex.hpp>

#include <muster/sync/light_strand.hpp>

#include "destroy_after.hpp"
#include "handler_probe.hpp"
#include "manual_loop.hpp"

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

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

namespace {

using shared_probe = handler_probe<shared_lock>;
using unique_probe = handler_probe<unique_lock>;
using asio::cancellation_type;

constexpr std::array all_cancellations{cancellation_type::terminal, cancellation_type::partial,
                                       cancellation_type::total};

struct fixture {
    manual_loop loop;
    light_strand strand{loop.context()};
    shared_mutex mutex{loop.context()};
    asio::cancellation_signal signal;
};

} // namespace

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(shared_mutex_operations)

BOOST_FIXTURE_TEST_CASE(free_lock_is_delivered_by_post, fixture) {
    shared_probe reader;
    unique_probe writer;
    mutex.async_lock_shared(reader.handler());
    BOOST_TEST(reader.calls() == 0U);
    BOOST_TEST(mutex.readers() == 1U);
    BOOST_TEST(loop.run_until_idle() == 1U);
    BOOST_TEST(reader.called_once());
    BOOST_TEST(!reader.error());
    BOOST_TEST(reader.result().owns_lock());
    reader.result().unlock();
    mutex.async_lock(writer.handler());
    loop.run_until_idle();
    BOOST_TEST(writer.called_once());
    BOOST_TEST(mutex.is_locked());
}

BOOST_FIXTURE_TEST_CASE(try_lock_takes_what_is_free_and_never_waits, fixture) {
    {
        const shared_lock first = mutex.try_lock_shared();
        const shared_lock second = mutex.try_lock_shared();
        BOOST_TEST(first.owns_lock());
        BOOST_TEST(second.owns_lock());
        BOOST_TEST(!mutex.try_lock());
    }
    unique_lock writer = mutex.try_lock();
    BOOST_TEST(!!writer);
    BOOST_TEST(!mutex.try_lock_shared());
    BOOST_TEST(!mutex.try_lock());
    unique_lock moved = std::move(writer);
    BOOST_TEST(!writer);
    moved.unlock();
    moved.unlock();
    BOOST_TEST(!mutex.is_locked());
    moved = mutex.try_lock();
    moved = unique_lock{};
    BOOST_TEST(!mutex.is_locked());
}

BOOST_FIXTURE_TEST_CASE(waiters_are_served_in_order_and_readers_in_runs, fixture) {
    std::string order;
    unique_lock held = mutex.try_lock();
    std::array<shared_probe, 4> readers;
    unique_probe writer;
    for (auto& reader : readers) {
        reader.then([&] { order += 'r'; });
    }
    writer.then([&] { order += 'w'; });
    mutex.async_lock_shared(readers[0].handler());
    mutex.async_lock_shared(readers[1].handler());
    mutex.async_lock(writer.handler());
    mutex.async_lock_shared(readers[2].handler());
    mutex.async_lock_shared(readers[3].handler());
    loop.run_until_idle();
    BOOST_TEST(order.empty());
    held.unlock();
    BOOST_TEST(order.empty());
    loop.run_until_idle();
    BOOST_TEST(order == "rr");
    readers[0].result().unlock();
    loop.run_until_idle();
    BOOST_TEST(order == "rr");
    readers[1].result().unlock();
    loop.run_until_idle();
    BOOST_TEST(order == "rrw");
    writer.result().unlock();
    loop.run_until_idle();
    BOOST_TEST(order == "rrwrr");
    BOOST_TEST(mutex.readers() == 2U);
}

BOOST_FIXTURE_TEST_CASE(completion_runs_on_the_bound_executor, fixture) {
    for (const bool ready : {true, false}) {
        shared_probe reader;
        unique_lock held = ready ? unique_lock{} : mutex.try_lock();
        mutex.async_lock_shared(reader.bound(strand));
        held.unlock();
        loop.run_until_idle();
        BOOST_TEST(reader.called_once());
        BOOST_TEST(reader.ran_on_executor());
    }
}

BOOST_AUTO_TEST_CASE(completion_falls_back_to_the_mutex_executor) {
    manual_loop loop;
    light_strand strand{loop.context()};
    basic_shared_mutex<light_strand> mutex{strand};
    shared_probe reader;
    bool inside = false;
    reader.then([&] { inside = strand.running_in_this_thread(); });
    mutex.async_lock_shared(reader.handler());
    loop.run_until_idle();
    BOOST_TEST(reader.called_once());
    BOOST_TEST(inside);
    BOOST_TEST((mutex.get_executor() == strand));
}

BOOST_FIXTURE_TEST_CASE(associated_allocator_is_used_and_emptied_before_the_call, fixture) {
    allocation_counts counts;
    shared_probe reader;
    std::size_t live = 1;
    reader.then([&] { live = counts.live_bytes; });
    unique_lock held = mutex.try_lock();
    mutex.async_lock_shared(
        asio::bind_allocator(counting_allocator<char>{counts}, reader.bound(strand)));
    BOOST_TEST(counts.allocations == 1U);
    held.unlock();
    loop.run_until_idle();
    BOOST_TEST(reader.called_once());
    BOOST_TEST(live == 0U);
    BOOST_TEST(counts.deallocations == counts.allocations);
}

BOOST_AUTO_TEST_CASE(waiting_counts_as_work) {
    asio::io_context context;
    shared_mutex mutex{context};
    unique_lock held = mutex.try_lock();
    shared_probe reader;
    mutex.async_lock_shared(reader.handler());
    context.poll();
    BOOST_TEST(!context.stopped());
    held.unlock();
    context.run();
    BOOST_TEST(reader.called_once());
    BOOST_TEST(context.stopped());
}

BOOST_FIXTURE_TEST_CASE(every_cancellation_type_ends_a_wait, fixture) {
    unique_lock held = mutex.try_lock();
    for (const auto type : all_cancellations) {
        shared_probe reader;
        unique_probe writer;
        asio::cancellation_signal other;
        mutex.async_lock_shared(reader.bound(strand, signal.slot()));
        mutex.async_lock(writer.bound(strand, other.slot()));
        signal.emit(type);
        other.emit(type);
        BOOST_TEST(reader.calls() + writer.calls() == 0U);
        loop.run_until_idle();
        BOOST_TEST(reader.called_once());
        BOOST_TEST(reader.error() == asio::error::operation_aborted);
        BOOST_TEST(!reader.result());
        BOOST_TEST(reader.ran_on_executor());
        BOOST_TEST(writer.called_once());
        BOOST_TEST(writer.error() == asio::error::operation_aborted);
        BOOST_TEST(!signal.slot().has_handler());
        BOOST_TEST(!mutex.has_waiters());
    }
    held.unlock();
    BOOST_TEST(!!mutex.try_lock());
}

BOOST_FIXTURE_TEST_CASE(cancelling_twice_completes_once, fixture) {
    unique_lock held = mutex.try_lock();
    shared_probe reader;
    mutex.async_lock_shared(reader.bound(signal.slot()));
    signal.emit(cancellation_type::none);
    BOOST_TEST(mutex.has_waiters());
    signal.emit(cancellation_type::total);
    signal.emit(cancellation_type::terminal);
    loop.run_until_idle();
    signal.emit(cancellation_type::terminal);
    BOOST_TEST(reader.called_once());
}

BOOST_FIXTURE_TEST_CASE(cancellation_between_grant_and_completion_still_delivers_the_lock,
                        fixture) {
    for (const auto type : all_cancellations) {
        shared_probe reader;
        unique_lock held = mutex.try_lock();
        mutex.async_lock_shared(reader.bound(signal.slot()));
        held.unlock();
        signal.emit(type);
        loop.run_until_idle();
        BOOST_TEST(reader.called_once());
        BOOST_TEST(!reader.error());
        BOOST_TEST(reader.result().owns_lock());
    }
    BOOST_TEST(mutex.readers() == 0U);
}

BOOST_FIXTURE_TEST_CASE(cancellation_of_a_ready_lock_still_delivers_it, fixture) {
    for (const auto type : all_cancellations) {
        unique_probe writer;
        mutex.async_lock(writer.bound(signal.slot()));
        signal.emit(type);
        loop.run_until_idle();
        BOOST_TEST(!writer.error());
        BOOST_TEST(writer.result().owns_lock());
    }
}

BOOST_FIXTURE_TEST_CASE(cancelled_writer_lets_readers_in, fixture) {
    const shared_lock held = mutex.try_lock_shared();
    unique_probe writer;
    shared_probe reader;
    mutex.async_lock(writer.bound(signal.slot()));
    mutex.async_lock_shared(reader.handler());
    loop.run_until_idle();
    BOOST_TEST(reader.calls() == 0U);
    signal.emit(cancellation_type::total);
    loop.run_until_idle();
    BOOST_TEST(writer.error() == asio::error::operation_aborted);
    BOOST_TEST(!reader.error());
    BOOST_TEST(mutex.readers() == 2U);
}

BOOST_FIXTURE_TEST_CASE(slot_that_was_taken_over_is_left_alone, fixture) {
    unique_lock held = mutex.try_lock();
    shared_probe reader;
    int emitted = 0;
    mutex.async_lock_shared(reader.bound(signal.slot()));
    signal.slot().assign([&](cancellation_type) { ++emitted; });
    held.unlock();
    loop.run_until_idle();
    signal.emit(cancellation_type::total);
    BOOST_TEST(reader.called_once());
    BOOST_TEST(emitted == 1);
}

BOOST_FIXTURE_TEST_CASE(signal_may_die_before_the_wait_ends, fixture) {
    unique_lock held = mutex.try_lock();
    shared_probe reader;
    {
        asio::cancellation_signal brief;
        mutex.async_lock_shared(reader.bound(brief.slot()));
        held.unlock(); // granted: the completion will not touch the slot
    }
    loop.run_until_idle();
    BOOST_TEST(reader.called_once());
}

BOOST_AUTO_TEST_CASE(emitting_after_the_context_died_finds_nothing) {
    asio::cancellation_signal waiting_signal;
    asio::cancellation_signal granted_signal;
    shared_probe waiting;
    unique_probe granted;
    {
        fixture f;
        f.mutex.async_lock(granted.bound(granted_signal.slot()));
        f.mutex.async_lock_shared(waiting.bound(waiting_signal.slot()));
    }
    granted_signal.emit(cancellation_type::terminal);
    waiting_signal.emit(cancellation_type::terminal);
    BOOST_TEST(granted.calls() + waiting.calls() == 0U);
    BOOST_TEST(granted.abandoned() == 1U);
    BOOST_TEST(waiting.abandoned() == 1U);
}

BOOST_AUTO_TEST_CASE(destroying_the_mutex_aborts_who_waits_and_who_was_not_yet_told) {
    manual_loop loop;
    auto mutex = std::make_unique<shared_mutex>(loop.context());
    unique_probe granted;
    shared_probe waiting;
    asio::cancellation_signal signal;
    mutex->async_lock(granted.handler());
    mutex->async_lock_shared(waiting.bound(signal.slot()));
    mutex.reset();
    signal.emit(cancellation_type::terminal);
    BOOST_TEST(granted.calls() + waiting.calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(granted.called_once());
    BOOST_TEST(granted.error() == asio::error::operation_aborted);
    BOOST_TEST(!granted.result());
    BOOST_TEST(waiting.called_once());
    BOOST_TEST(waiting.error() == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(completion_that_is_destroyed_unrun_passes_the_lock_on) {
    manual_loop other;
    fixture f;
    unique_probe lost;
    unique_probe next;
    {
        manual_loop dying;
        f.mutex.async_lock(lost.bound(dying.get_executor()));
        f.mutex.async_lock(next.bound(other.get_executor()));
        other.run_until_idle();
        BOOST_TEST(next.calls() == 0U);
    }
    BOOST_TEST(lost.abandoned() == 1U);
    other.run_until_idle();
    BOOST_TEST(next.called_once());
    BOOST_TEST(next.result().owns_lock());
    next.result().unlock();
}

BOOST_AUTO_TEST_CASE(handlers_may_own_the_mutex_they_wait_for) {
    const auto setup = [](manual_loop& loop) {
        auto mutex = std::make_shared<shared_mutex>(loop.context());
        auto held = std::make_shared<unique_lock>(mutex->try_lock());
        for (int i = 0; i < 3; ++i) {
            mutex->async_lock([mutex](boost::system::error_code, unique_lock) {});
            mutex->async_lock_shared(
                [mutex](boost::system::error_code, shared_lock lock) { lock.unlock(); });
        }
        asio::post(loop.context(), [mutex, held] { held->unlock(); });
        return 0;
    };
    BOOST_TEST(destroy_after_every_nth_handler(setup) == 7U);
    BOOST_TEST(destroy_after_every_nth_handler(setup, destroy_order::context_first) == 7U);
}

BOOST_AUTO_TEST_CASE(mutex_may_be_destroyed_at_any_point) {
    std::vector<shared_probe> probes;
    const auto setup = [&probes](manual_loop& loop) {
        auto mutex = std::make_unique<shared_mutex>(loop.context());
        auto held = std::make_shared<unique_lock>(mutex->try_lock());
        for (int i = 0; i < 3; ++i) {
            mutex->async_lock([](boost::system::error_code, unique_lock) {});
            probes.emplace_back();
            mutex->async_lock_shared(
                [handler = probes.back().handler()](boost::system::error_code ec,
                                                    shared_lock) mutable { handler(ec, {}); });
        }
        held->unlock();
        return mutex;
    };
    BOOST_TEST(destroy_after_every_nth_handler(setup) == 6U);
    for (const auto& probe : probes) {
        BOOST_TEST(probe.calls() + probe.abandoned() == 1U);
    }
}

BOOST_FIXTURE_TEST_CASE(a_handler_may_lock_again_and_destroy_its_holder, fixture) {
    int depth = 0;
    std::function<void(boost::system::error_code, unique_lock)> again =
        [&](boost::system::error_code, unique_lock lock) {
            if (++depth < 50) {
                mutex.async_lock(again);
                lock.unlock();
            }
        };
    mutex.async_lock(again);
    BOOST_TEST(loop.run_until_idle() == 50U);
    BOOST_TEST(depth == 50);
}

BOOST_AUTO_TEST_SUITE_END()

// -----------------------------------------------------------------------------------------------

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

BOOST_AUTO_TEST_SUITE(shared_mutex_in_coroutines)

BOOST_FIXTURE_TEST_CASE(free_lock_is_taken_without_suspending, fixture) {
    int done = 0;
    asio::co_spawn(loop.context(), lock_often<asio::any_io_executor>(mutex, 1'000, done),
                   asio::detached);
    BOOST_TEST(loop.run_one());
    BOOST_TEST(done == 1'000);
}

BOOST_FIXTURE_TEST_CASE(operation_without_a_token_can_be_given_one_later, fixture) {
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

BOOST_FIXTURE_TEST_CASE(every_executor_and_token_of_a_coroutine_will_do, fixture) {
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

BOOST_FIXTURE_TEST_CASE(terminal_cancellation_ends_a_waiting_coroutine, fixture) {
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

BOOST_FIXTURE_TEST_CASE(coroutine_cancelled_after_the_grant_gives_the_lock_back, fixture) {
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
