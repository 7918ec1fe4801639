#include <muster/time/wheel_timer.hpp>

#include "../support/destroy_after.hpp"
#include "../support/handler_probe.hpp"
#include "../support/manual_loop.hpp"
#include "../support/virtual_clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace muster::test {
namespace {

using namespace std::chrono_literals;
using asio::error::operation_aborted;

constexpr std::array cancellation_types{asio::cancellation_type::terminal,
                                        asio::cancellation_type::partial,
                                        asio::cancellation_type::total};

struct fixture {
    manual_loop loop;
    virtual_clock clock{loop.context()};
    std::optional<wheel_service> service{std::in_place, clock};
    std::optional<wheel_timer> timer{std::in_place, *service};
    handler_probe<> probe;
};

asio::awaitable<void> sleep_three_times(wheel_service& service, int& slept) {
    wheel_timer timer{co_await asio::this_coro::executor, service};
    for (int i = 0; i < 3; ++i) {
        timer.expires_after(10ms);
        co_await timer.async_wait(asio::use_awaitable);
        ++slept;
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(time)
BOOST_FIXTURE_TEST_SUITE(timer_waits, fixture)

BOOST_AUTO_TEST_CASE(a_wait_completes_at_the_first_tick_after_the_expiry) {
    timer->expires_after(1500us);
    timer->async_wait(probe.handler());
    clock.advance(1999us);
    BOOST_TEST(probe.calls() == 0U);
    clock.advance(1us);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
}

BOOST_AUTO_TEST_CASE(an_expired_timer_completes_by_post_and_never_inline) {
    timer->async_wait(probe.handler());
    BOOST_TEST(probe.calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
}

BOOST_AUTO_TEST_CASE(all_waits_of_a_timer_complete_in_order) {
    timer->expires_after(5ms);
    std::vector<int> order;
    std::array<handler_probe<>, 3> probes;
    for (int i = 0; i < 3; ++i) {
        probes[static_cast<std::size_t>(i)].then([&order, i] { order.push_back(i); });
        timer->async_wait(probes[static_cast<std::size_t>(i)].handler());
    }
    clock.advance(5ms);
    BOOST_TEST(order == (std::vector{0, 1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(cancel_aborts_all_and_cancel_one_the_first) {
    timer->expires_after(5ms);
    std::array<handler_probe<>, 3> probes;
    for (auto& each : probes) {
        timer->async_wait(each.handler());
    }
    BOOST_TEST(timer->cancel_one() == 1U);
    BOOST_TEST(probes[0].calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(probes[0].error() == operation_aborted);
    BOOST_TEST(timer->cancel() == 2U);
    BOOST_TEST(timer->cancel() == 0U);
    BOOST_TEST(timer->cancel_one() == 0U);
    loop.run_until_idle();
    for (auto& each : probes) {
        BOOST_TEST(each.called_once());
        BOOST_TEST(each.error() == operation_aborted);
    }
    BOOST_TEST(service->size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_timer_whose_waits_were_all_cancelled_keeps_nothing_running) {
    for (const bool one_by_one : {true, false}) {
        timer->expires_after(1h);
        timer->async_wait(probe.handler());
        BOOST_TEST((one_by_one ? timer->cancel_one() : timer->cancel()) == 1U);
        BOOST_TEST(!clock.next_alarm());
    }
}

BOOST_AUTO_TEST_CASE(setting_the_expiry_aborts_waits_and_the_timer_stays_usable) {
    timer->expires_after(5ms);
    timer->async_wait(probe.handler());
    BOOST_TEST(timer->expires_after(7ms) == 1U);
    handler_probe<> second;
    timer->async_wait(second.handler());
    clock.advance(6ms);
    BOOST_TEST(probe.error() == operation_aborted);
    BOOST_TEST(second.calls() == 0U);
    clock.advance(1ms);
    BOOST_TEST(second.called_once());
    BOOST_TEST(!second.error());
    BOOST_TEST((timer->expiry() == clock.now()));
}

BOOST_AUTO_TEST_CASE(a_cancel_after_the_expiry_comes_too_late) {
    struct canceller : wheel_entry {
        canceller(const wheel_service& on, wheel_timer& of)
            : wheel_entry{on, &canceller::on_due}, victim{of} {}
        static tick on_due(wheel_entry& entry, tick, tick) noexcept {
            auto& self = static_cast<canceller&>(entry);
            self.cancelled = self.victim.cancel();
            return tick::never();
        }
        wheel_timer& victim;
        std::size_t cancelled = 99;
    };
    canceller late{*service, *timer};
    timer->expires_after(5ms);
    timer->async_wait(probe.handler());
    late.schedule(tick{5}); // the same tick, after the timer
    clock.advance(5ms);
    BOOST_TEST(late.cancelled == 0U);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
}

BOOST_AUTO_TEST_CASE(the_handler_runs_on_its_own_executor) {
    auto strand = asio::make_strand(loop.get_executor());
    timer->expires_after(1ms);
    timer->async_wait(probe.bound(strand));
    clock.advance(1ms);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.ran_on_executor());
}

BOOST_AUTO_TEST_CASE(the_handlers_executor_may_be_one_of_the_networking_ts) {
    const asio::executor old{loop.get_executor()};
    timer->expires_after(5ms);
    timer->async_wait(asio::bind_executor(old, probe.handler()));
    clock.advance(5ms);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
}

/// A context without outstanding work would not run any more.
BOOST_AUTO_TEST_CASE(a_wait_is_outstanding_work_of_the_handlers_executor) {
    asio::io_context elsewhere;
    timer->expires_after(5ms);
    timer->async_wait(asio::bind_executor(elsewhere.get_executor(), probe.handler()));
    BOOST_TEST(elsewhere.poll() == 0U);
    BOOST_TEST(!elsewhere.stopped());
    clock.advance(5ms);
    BOOST_TEST(elsewhere.poll() == 1U);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(elsewhere.poll() == 0U);
    BOOST_TEST(elsewhere.stopped());
}

BOOST_AUTO_TEST_CASE(memory_comes_from_the_handlers_allocator_and_is_gone_when_it_runs) {
    allocation_counts counts;
    std::size_t live_in_handler = 1;
    probe.then([&] { live_in_handler = counts.live_bytes; });
    timer->expires_after(1ms);
    timer->async_wait(asio::bind_allocator(counting_allocator<void>{counts}, probe.handler()));
    BOOST_TEST(counts.allocations == 1U);
    clock.advance(1ms);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(live_in_handler == 0U);
    BOOST_TEST(counts.allocations == counts.deallocations);
}

BOOST_AUTO_TEST_CASE(a_wait_keeps_its_context_at_work) {
    wheel_service real{loop.get_executor()};
    wheel_timer soon{real, 2ms};
    soon.async_wait(probe.handler());
    loop.context().run();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
}

BOOST_AUTO_TEST_CASE(each_cancellation_type_ends_a_wait_in_each_state) {
    for (const auto type : cancellation_types) {
        asio::cancellation_signal signal;
        handler_probe<> waiting;
        timer->expires_after(5ms);
        timer->async_wait(waiting.bound(signal.slot()));
        signal.emit(type); // waiting
        signal.emit(type); // settled, completion posted
        loop.run_until_idle();
        signal.emit(type); // completed
        BOOST_TEST(waiting.called_once());
        BOOST_TEST(waiting.error() == operation_aborted);
        BOOST_TEST(service->size() == 0U);

        handler_probe<> expired;
        timer->expires_after(-1ms);
        timer->async_wait(expired.bound(signal.slot()));
        signal.emit(type); // expired already
        loop.run_until_idle();
        BOOST_TEST(expired.called_once());
        BOOST_TEST(!expired.error());
    }
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_leaves_the_timers_other_waits) {
    asio::cancellation_signal signal;
    timer->expires_after(5ms);
    timer->async_wait(probe.bound(signal.slot()));
    handler_probe<> other;
    timer->async_wait(other.handler());
    signal.emit(asio::cancellation_type::total);
    clock.advance(5ms);
    BOOST_TEST(probe.error() == operation_aborted);
    BOOST_TEST(other.called_once());
    BOOST_TEST(!other.error());
}

BOOST_AUTO_TEST_CASE(a_signal_may_be_emitted_after_timer_and_service_are_gone) {
    asio::cancellation_signal signal;
    timer->expires_after(5ms);
    timer->async_wait(probe.bound(signal.slot()));
    timer.reset();
    service.reset();
    signal.emit(asio::cancellation_type::terminal);
    loop.run_until_idle();
    signal.emit(asio::cancellation_type::terminal);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.error() == operation_aborted);
}

BOOST_AUTO_TEST_CASE(a_destroyed_timer_aborts_its_waits) {
    timer->expires_after(5ms);
    timer->async_wait(probe.handler());
    timer.reset();
    BOOST_TEST(probe.calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.error() == operation_aborted);
}

BOOST_AUTO_TEST_CASE(a_destroyed_service_aborts_waits_and_those_to_come) {
    timer->expires_after(5ms);
    timer->async_wait(probe.handler());
    service.reset();
    loop.run_until_idle();
    BOOST_TEST(probe.error() == operation_aborted);
    handler_probe<> late;
    timer->async_wait(late.handler());
    BOOST_TEST(late.calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(late.called_once());
    BOOST_TEST(late.error() == operation_aborted);
}

BOOST_AUTO_TEST_CASE(a_moved_timer_takes_its_waits_along) {
    timer->expires_after(5ms);
    asio::cancellation_signal signal;
    handler_probe<> cancelled;
    timer->async_wait(probe.handler());
    timer->async_wait(cancelled.bound(signal.slot()));
    wheel_timer moved{std::move(*timer)};
    timer.reset();
    signal.emit(asio::cancellation_type::terminal);
    clock.advance(5ms);
    BOOST_TEST(!probe.error());
    BOOST_TEST(probe.called_once());
    BOOST_TEST(cancelled.error() == operation_aborted);
    BOOST_TEST((moved.expiry() == clock.now()));
}

BOOST_AUTO_TEST_CASE(move_assignment_aborts_the_targets_waits_and_may_change_the_service) {
    wheel_service second_service{clock};
    wheel_timer target{second_service};
    target.expires_after(1ms);
    handler_probe<> old;
    target.async_wait(old.handler());
    timer->expires_after(5ms);
    timer->async_wait(probe.handler());
    target = std::move(*timer);
    clock.advance(5ms);
    BOOST_TEST(old.error() == operation_aborted);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
}

BOOST_AUTO_TEST_CASE(coroutines_and_the_default_token_can_wait) {
    int slept = 0;
    asio::co_spawn(loop.get_executor(), sleep_three_times(*service, slept), asio::detached);
    clock.advance(29ms);
    BOOST_TEST(slept == 2);
    clock.advance(1ms);
    BOOST_TEST(slept == 3);

    timer->expires_after(5ms);
    auto deferred = timer->async_wait(); // the default: deferred
    std::move(deferred)(probe.handler());
    clock.advance(5ms);
    BOOST_TEST(probe.called_once());

    asio::use_awaitable_t<>::as_default_on_t<wheel_timer> awaited{*service};
    static_assert(std::is_same_v<decltype(awaited.async_wait()), asio::awaitable<void>>);
}

BOOST_AUTO_TEST_CASE(a_scenario_may_be_cut_off_after_every_handler) {
    struct scenario {
        std::unique_ptr<virtual_clock> clock;
        std::unique_ptr<wheel_service> service;
        std::unique_ptr<wheel_timer> timer;
    };
    const auto ran = destroy_after_every_nth_handler([](manual_loop& cut) {
        scenario made;
        made.clock = std::make_unique<virtual_clock>(cut.context());
        made.service = std::make_unique<wheel_service>(*made.clock);
        made.timer = std::make_unique<wheel_timer>(*made.service, 3ms);
        made.timer->async_wait(handler_probe<>{}.handler());
        made.timer->async_wait(asio::bind_executor(asio::make_strand(cut.get_executor()),
                                                   handler_probe<>{}.handler()));
        asio::co_spawn(
            cut.get_executor(),
            [](wheel_service* on) -> asio::awaitable<void> {
                wheel_timer own{*on, 1ms};
                co_await own.async_wait(asio::use_awaitable);
                co_await own.async_wait(asio::use_awaitable);
                own.expires_after(1ms);
                co_await own.async_wait(asio::use_awaitable);
            }(made.service.get()),
            asio::detached);
        asio::post(cut.context(), [clock = made.clock.get()] { clock->stall(5ms); });
        return made;
    });
    BOOST_TEST(ran >= 2U);
}

BOOST_AUTO_TEST_CASE(a_coroutine_that_owns_its_timer_ends_with_its_context) {
    for (int handlers = 0; handlers < 6; ++handlers) {
        auto context = std::make_unique<manual_loop>();
        wheel_service real{context->get_executor()};
        int slept = 0;
        asio::co_spawn(context->get_executor(), sleep_three_times(real, slept), asio::detached);
        context->run(static_cast<std::size_t>(handlers));
        context.reset(); // with the wait, the frame and the timer in it
        BOOST_TEST(slept == 0);
    }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
