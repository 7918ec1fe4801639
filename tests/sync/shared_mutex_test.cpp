#include "mutex_fixture.hpp"

#include "destroy_after.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(shared_mutex_operations)

BOOST_FIXTURE_TEST_CASE(free_lock_is_delivered_by_post, mutex_fixture) {
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

BOOST_AUTO_TEST_CASE(a_handler_that_leaves_the_lock_alone_may_own_the_mutex) {
    manual_loop loop;
    auto mutex = std::make_shared<shared_mutex>(loop.context());
    const std::weak_ptr<shared_mutex> gone = mutex;
    auto& waited_for = *mutex;
    bool held = false;
    waited_for.async_lock(
        [owner = std::move(mutex), &held](boost::system::error_code, const unique_lock& lock) {
            held = lock.owns_lock();
        });
    loop.run_until_idle();
    BOOST_TEST(held);
    BOOST_TEST(gone.expired());
}

BOOST_FIXTURE_TEST_CASE(try_lock_takes_what_is_free_and_never_waits, mutex_fixture) {
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

BOOST_FIXTURE_TEST_CASE(waiters_are_served_in_order_and_readers_in_runs, mutex_fixture) {
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

BOOST_FIXTURE_TEST_CASE(completion_runs_on_the_bound_executor, mutex_fixture) {
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

BOOST_FIXTURE_TEST_CASE(handlers_executor_may_be_one_of_the_networking_ts, mutex_fixture) {
    const asio::executor old{loop.get_executor()};
    unique_probe writer;
    mutex.async_lock(asio::bind_executor(old, writer.handler()));
    loop.run_until_idle();
    BOOST_TEST(writer.called_once());
    BOOST_TEST(mutex.is_locked());
}

BOOST_FIXTURE_TEST_CASE(associated_allocator_is_used_and_emptied_before_the_call, mutex_fixture) {
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
    mutex_fixture f;
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
            for (int reader = 0; reader < 3; ++reader) { // let in together
                mutex->async_lock_shared(
                    [mutex](boost::system::error_code, shared_lock lock) { lock.unlock(); });
            }
        }
        asio::post(loop.context(), [mutex, held] { held->unlock(); });
        return 0;
    };
    BOOST_TEST(destroy_after_every_nth_handler(setup) == 13U);
    BOOST_TEST(destroy_after_every_nth_handler(setup, destroy_order::context_first) == 13U);
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

BOOST_FIXTURE_TEST_CASE(a_handler_may_lock_again_and_destroy_its_holder, mutex_fixture) {
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
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
