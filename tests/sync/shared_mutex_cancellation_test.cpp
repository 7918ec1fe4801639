#include "mutex_fixture.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/test/unit_test.hpp>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(shared_mutex_cancellation)

BOOST_FIXTURE_TEST_CASE(every_cancellation_type_ends_a_wait, mutex_fixture) {
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

BOOST_FIXTURE_TEST_CASE(cancelling_twice_completes_once, mutex_fixture) {
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
                        mutex_fixture) {
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

BOOST_FIXTURE_TEST_CASE(cancellation_of_a_ready_lock_still_delivers_it, mutex_fixture) {
    for (const auto type : all_cancellations) {
        unique_probe writer;
        mutex.async_lock(writer.bound(signal.slot()));
        signal.emit(type);
        loop.run_until_idle();
        BOOST_TEST(!writer.error());
        BOOST_TEST(writer.result().owns_lock());
    }
}

BOOST_FIXTURE_TEST_CASE(cancelled_writer_lets_readers_in, mutex_fixture) {
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

BOOST_FIXTURE_TEST_CASE(slot_that_was_taken_over_is_left_alone, mutex_fixture) {
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

BOOST_FIXTURE_TEST_CASE(signal_may_die_before_the_wait_ends, mutex_fixture) {
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
        mutex_fixture f;
        f.mutex.async_lock(granted.bound(granted_signal.slot()));
        f.mutex.async_lock_shared(waiting.bound(waiting_signal.slot()));
    }
    granted_signal.emit(cancellation_type::terminal);
    waiting_signal.emit(cancellation_type::terminal);
    BOOST_TEST(granted.calls() + waiting.calls() == 0U);
    BOOST_TEST(granted.abandoned() == 1U);
    BOOST_TEST(waiting.abandoned() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
