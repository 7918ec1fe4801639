// Several who wait for a lock and are let in together: one post for those who complete on the
// mutex's own executor.

#include "mutex_fixture.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace muster::test {
namespace {

struct fixture {
    std::optional<manual_loop> loop{std::in_place};
    std::optional<shared_mutex> mutex{std::in_place, loop->context()};
    unique_lock held = mutex->try_lock();
    std::array<shared_probe, 4> readers;

    void wait() {
        for (auto& reader : readers) {
            mutex->async_lock_shared(reader.handler());
        }
    }
    [[nodiscard]] std::size_t called() const {
        std::size_t count = 0;
        for (const auto& reader : readers) {
            count += reader.calls();
        }
        return count;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(sync)
BOOST_FIXTURE_TEST_SUITE(lock_run, fixture)

BOOST_AUTO_TEST_CASE(the_first_comes_with_the_post_and_the_others_after_it_in_order) {
    std::string order;
    for (std::size_t i = 0; i < readers.size(); ++i) {
        readers[i].then([&order, i] { order += static_cast<char>('0' + i); });
    }
    wait();
    loop->run_until_idle();
    held.unlock();
    BOOST_TEST(order.empty());
    BOOST_TEST(loop->run(1) == 1U);
    BOOST_TEST(order == "0");
    BOOST_TEST(loop->run_until_idle() == 3U);
    BOOST_TEST(order == "0123");
    BOOST_TEST(mutex->readers() == 4U);
}

BOOST_AUTO_TEST_CASE(who_completes_elsewhere_does_not_need_the_mutexes_executor) {
    manual_loop other;
    mutex->async_lock_shared(readers[0].handler());
    mutex->async_lock_shared(readers[1].bound(other.get_executor()));
    mutex->async_lock_shared(readers[2].handler());
    mutex->async_lock_shared(readers[3].bound(other.get_executor()));
    held.unlock();
    BOOST_TEST(other.run_until_idle() == 2U);
    BOOST_TEST(readers[1].called_once());
    BOOST_TEST(readers[3].called_once());
    BOOST_TEST(called() == 2U);
    loop->run_until_idle();
    BOOST_TEST(called() == 4U);
}

BOOST_AUTO_TEST_CASE(a_cancellation_between_grant_and_completion_finds_nothing_to_do) {
    std::array<asio::cancellation_signal, 4> signals;
    for (std::size_t i = 0; i < readers.size(); ++i) {
        mutex->async_lock_shared(readers[i].bound(signals[i].slot()));
    }
    held.unlock();
    for (auto& signal : signals) {
        signal.emit(asio::cancellation_type::terminal);
    }
    loop->run_until_idle();
    for (auto& reader : readers) {
        BOOST_TEST(reader.called_once());
        BOOST_TEST(reader.result().owns_lock());
    }
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_keeps_nobody_else_waiting) {
    readers[0].then([] { throw std::runtime_error("thrown"); });
    wait();
    held.unlock();
    BOOST_CHECK_THROW(loop->run(1), std::runtime_error);
    loop->run_until_idle();
    BOOST_TEST(called() == 4U);
}

BOOST_AUTO_TEST_CASE(a_mutex_that_dies_aborts_those_who_were_not_told_yet) {
    wait();
    held.unlock();
    loop->run(1);
    BOOST_TEST(called() == 1U);
    readers[0].result().unlock();
    mutex.reset();
    loop->run_until_idle();
    BOOST_TEST(readers[0].error() == boost::system::error_code{});
    for (std::size_t i = 1; i < readers.size(); ++i) {
        BOOST_TEST(readers[i].called_once());
        BOOST_TEST(readers[i].error() == asio::error::operation_aborted);
        BOOST_TEST(!readers[i].result());
    }
}

BOOST_AUTO_TEST_CASE(a_run_that_dies_with_its_context_passes_its_locks_on) {
    manual_loop other;
    unique_probe writer;
    auto dying = std::make_unique<manual_loop>();
    auto own = std::make_unique<shared_mutex>(dying->context());
    unique_lock first = own->try_lock();
    for (auto& reader : readers) {
        own->async_lock_shared(reader.handler());
    }
    own->async_lock(writer.bound(other.get_executor()));
    first.unlock();
    BOOST_TEST(own->readers() == 4U);
    dying->run(1);
    readers[0].result().unlock();
    dying.reset();
    BOOST_TEST(called() == 1U);
    for (std::size_t i = 1; i < readers.size(); ++i) {
        BOOST_TEST(readers[i].abandoned() == 1U);
    }
    other.run_until_idle();
    own.reset();
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace muster::test
