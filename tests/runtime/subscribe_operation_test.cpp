// `async_subscribe`: what the operation does by itself, at a registry that is free or held by the
// test.

#include "../../lib/runtime/runtime_core.hpp"
#include "../../lib/runtime/spawning.hpp"
#include "destroy_after.hpp"
#include "handler_probe.hpp"
#include "runtime_fixture.hpp"

#include <muster/runtime/subscribe_operation.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/test/unit_test.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace muster;
using detail::subscribe_operation;

constexpr asio::cancellation_type cancellation_types[]{asio::cancellation_type::terminal,
                                                       asio::cancellation_type::partial,
                                                       asio::cancellation_type::total};

sys::error_code code_of(const std::exception_ptr& thrown) {
    try {
        if (thrown) {
            std::rethrow_exception(thrown);
        }
    } catch (const sys::system_error& e) {
        return e.code();
    }
    return {};
}

/// What became of a subscription.
struct ending {
    int calls = 0;
    sys::error_code error;
    std::optional<session_subscription> made;

    void come(const std::exception_ptr& thrown, session_subscription subscribed) {
        ++calls;
        error = code_of(thrown);
        made.emplace(std::move(subscribed));
    }
};

/// The inside of a runtime with the session "a", whose registry the test can hold.
class world {
public:
    explicit world(test::manual_loop& loop) : clock_{loop.context()} {
        runtime_options options;
        options.time = &clock_;
        core_ = detail::make_core(
            loop.context(), std::make_shared<script_backend>(script{}.emit(output{"x"}).idle()),
            options);
        detail::session_ptr added{new detail::session{*core_, "a", spawn_options{}}};
        asio::co_spawn(added->executor(), detail::spawn_session(core_, added, spawn_request{"a"}),
                       asio::detached);
        loop.run_until_idle();
    }
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    ~world() {
        if (core_) {
            close();
        }
    }

    void hold_registry() {
        held_ = core_->lock.try_lock();
        BOOST_REQUIRE(static_cast<bool>(held_));
    }
    void free_registry() { held_.unlock(); }
    /// The runtime goes away, as far as the test is concerned.
    void close() {
        free_registry();
        core_->close();
        core_.reset();
    }

    [[nodiscard]] subscribe_operation subscribe(const char* id) {
        return {*core_, id, subscribe_options{8}};
    }
    [[nodiscard]] std::uint64_t total(counter which) const {
        return core_->totals.read().get(which).value();
    }
    [[nodiscard]] const std::shared_ptr<ending>& outcome() const { return outcome_; }

    /// Awaits a subscription; the result is in `outcome`.
    asio::awaitable<void> await(const char* id) {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        const auto outcome = outcome_;
        std::exception_ptr thrown;
        try {
            auto made = co_await subscribe(id);
            outcome->come(nullptr, std::move(made));
            co_return;
        } catch (...) {
            thrown = std::current_exception();
        }
        outcome->come(thrown, {});
    }
    [[nodiscard]] auto note() const {
        return [outcome = outcome_](const std::exception_ptr& thrown, session_subscription made) {
            outcome->come(thrown, std::move(made));
        };
    }

private:
    std::shared_ptr<ending> outcome_ = std::make_shared<ending>();
    test::virtual_clock clock_;
    detail::core_ptr core_;
    unique_lock held_;
};

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(async_subscribe)

BOOST_AUTO_TEST_CASE(a_free_registry_is_no_reason_to_suspend) {
    test::manual_loop loop;
    world w{loop};
    asio::co_spawn(loop.context(), w.await("a"), asio::detached);
    BOOST_TEST(loop.run(1) == 1u);
    BOOST_TEST(w.outcome()->calls == 1);
    BOOST_TEST(static_cast<bool>(*w.outcome()->made));
    BOOST_TEST(w.total(counter::subscribe_session_calls_total) == 1u);
    BOOST_TEST(w.total(counter::subscribe_session_failures_total) == 0u);
}

BOOST_AUTO_TEST_CASE(a_registry_in_use_is_waited_for) {
    test::manual_loop loop;
    world w{loop};
    w.hold_registry();
    asio::co_spawn(loop.context(), w.await("a"), asio::detached);
    loop.run_until_idle();
    BOOST_TEST(w.outcome()->calls == 0);
    BOOST_TEST(w.total(counter::subscribe_session_calls_total) == 1u);
    w.free_registry();
    loop.run_until_idle();
    BOOST_TEST(w.outcome()->calls == 1);
    BOOST_TEST(static_cast<bool>(*w.outcome()->made));
    BOOST_TEST(w.total(counter::subscribe_session_failures_total) == 0u);
    w.hold_registry(); // or the subscription would still have it
}

BOOST_AUTO_TEST_CASE(a_failure_is_thrown_and_counted) {
    for (const bool busy : {false, true}) {
        test::manual_loop loop;
        world w{loop};
        if (busy) {
            w.hold_registry();
        }
        asio::co_spawn(loop.context(), w.await("b"), asio::detached);
        loop.run_until_idle();
        w.free_registry();
        loop.run_until_idle();
        BOOST_TEST((w.outcome()->error == errc::session_not_found));
        BOOST_TEST(w.total(counter::subscribe_session_calls_total) == 1u);
        BOOST_TEST(w.total(counter::subscribe_session_failures_total) == 1u);
    }
}

BOOST_AUTO_TEST_CASE(a_wait_for_the_registry_can_be_cancelled) {
    for (const auto type : cancellation_types) {
        test::manual_loop loop;
        world w{loop};
        w.hold_registry();
        asio::cancellation_signal signal;
        asio::co_spawn(loop.context(), w.await("a"),
                       asio::bind_cancellation_slot(signal.slot(), asio::detached));
        loop.run_until_idle();
        signal.emit(type);
        loop.run_until_idle();
        BOOST_TEST((w.outcome()->error == asio::error::operation_aborted));
        BOOST_TEST(w.total(counter::subscribe_session_failures_total) == 1u);
    }
}

BOOST_AUTO_TEST_CASE(the_runtime_may_go_while_its_registry_is_waited_for) {
    test::manual_loop loop;
    world w{loop};
    w.hold_registry();
    asio::co_spawn(loop.context(), w.await("a"), asio::detached);
    loop.run_until_idle();
    w.close();
    loop.run_until_idle();
    BOOST_TEST(w.outcome()->calls == 1);
    BOOST_REQUIRE(static_cast<bool>(*w.outcome()->made)); // it came before the end, and hears of it
    sys::error_code end;
    static_cast<void>(w.outcome()->made->try_receive(end));
    BOOST_TEST((end == errc::stream_closed));
}

/// Who waits is then the last to know the registry, and has its lock when it finds nothing there.
BOOST_AUTO_TEST_CASE(the_runtime_may_go_while_its_registry_is_waited_for_in_vain) {
    test::manual_loop loop;
    world w{loop};
    w.hold_registry();
    asio::co_spawn(loop.context(), w.await("b"), asio::detached);
    loop.run_until_idle();
    w.close();
    loop.run_until_idle();
    BOOST_TEST(w.outcome()->calls == 1);
    BOOST_TEST((w.outcome()->error == errc::session_not_found));
}

// ---- with a token

BOOST_AUTO_TEST_CASE(a_handler_gets_the_subscription_on_its_executor) {
    for (const bool busy : {false, true}) {
        test::manual_loop loop;
        world w{loop};
        if (busy) {
            w.hold_registry();
        }
        const auto strand = asio::make_strand(loop.context());
        bool on_strand = false;
        w.subscribe("a")(asio::bind_executor(
            strand, [&](const std::exception_ptr& thrown, session_subscription made) {
                on_strand = strand.running_in_this_thread();
                w.note()(thrown, std::move(made));
            }));
        BOOST_TEST(w.outcome()->calls == 0);
        loop.run_until_idle();
        BOOST_TEST(w.outcome()->calls == (busy ? 0 : 1));
        w.free_registry();
        loop.run_until_idle();
        BOOST_TEST(w.outcome()->calls == 1);
        BOOST_TEST(static_cast<bool>(*w.outcome()->made));
        BOOST_TEST(on_strand);
    }
}

BOOST_AUTO_TEST_CASE(a_handler_gets_the_failure_as_an_exception) {
    test::manual_loop loop;
    world w{loop};
    w.subscribe("b")(w.note());
    loop.run_until_idle();
    BOOST_TEST((w.outcome()->error == errc::session_not_found));
    BOOST_TEST(!*w.outcome()->made);
    BOOST_TEST(w.total(counter::subscribe_session_failures_total) == 1u);
}

BOOST_AUTO_TEST_CASE(a_handler_can_cancel_the_wait) {
    for (const auto type : cancellation_types) {
        test::manual_loop loop;
        world w{loop};
        w.hold_registry();
        asio::cancellation_signal signal;
        w.subscribe("a")(asio::bind_cancellation_slot(signal.slot(), w.note()));
        loop.run_until_idle();
        signal.emit(type);
        loop.run_until_idle();
        BOOST_TEST((w.outcome()->error == asio::error::operation_aborted));
    }
}

/// The result is on its way then, and the signal may go when it arrives.
BOOST_AUTO_TEST_CASE(a_handler_elsewhere_can_cancel_too_late) {
    test::manual_loop loop;
    test::manual_loop elsewhere;
    world w{loop};
    auto signal = std::make_unique<asio::cancellation_signal>();
    auto note = [&](const std::exception_ptr& thrown, session_subscription made) {
        signal.reset();
        w.note()(thrown, std::move(made));
    };
    w.subscribe("a")(asio::bind_cancellation_slot(
        signal->slot(), asio::bind_executor(elsewhere.get_executor(), std::move(note))));
    loop.run_until_idle();
    signal->emit(asio::cancellation_type::terminal);
    elsewhere.run_until_idle();
    loop.run_until_idle();
    BOOST_TEST(w.outcome()->calls == 1);
    BOOST_TEST(static_cast<bool>(*w.outcome()->made));
}

/// Nor does its executor, however long it takes, keep others from the registry.
BOOST_AUTO_TEST_CASE(a_handler_elsewhere_does_not_hold_the_registry) {
    for (const bool busy : {false, true}) {
        test::manual_loop loop;
        test::manual_loop elsewhere;
        world w{loop};
        if (busy) {
            w.hold_registry();
        }
        w.subscribe("a")(asio::bind_executor(elsewhere.get_executor(), w.note()));
        loop.run_until_idle();
        w.free_registry();
        loop.run_until_idle();
        w.hold_registry();
        elsewhere.run_until_idle();
        BOOST_TEST(static_cast<bool>(*w.outcome()->made));
    }
}

BOOST_AUTO_TEST_CASE(a_deferred_one_begins_when_it_is_called) {
    test::manual_loop loop;
    world w{loop};
    auto later = w.subscribe("a")(asio::deferred);
    loop.run_until_idle();
    BOOST_TEST(w.total(counter::subscribe_session_calls_total) == 0u);
    std::move(later)(w.note());
    loop.run_until_idle();
    BOOST_TEST(static_cast<bool>(*w.outcome()->made));
    BOOST_TEST(w.total(counter::subscribe_session_calls_total) == 1u);
}

BOOST_AUTO_TEST_CASE(the_facade_offers_both) {
    test::runtime_fixture f;
    f.spawn("a");
    ending by_token;
    f.subject->async_subscribe("a", subscribe_options{8},
                               [&](const std::exception_ptr& thrown, session_subscription made) {
                                   by_token.come(thrown, std::move(made));
                               });
    f.settle();
    BOOST_TEST(by_token.calls == 1);
    BOOST_TEST(static_cast<bool>(*by_token.made));
    session_subscription awaited;
    const auto listen = [](muster::runtime& subject,
                           session_subscription& into) -> asio::awaitable<void> {
        into = co_await subject.async_subscribe("a");
    };
    f.wait(listen(*f.subject, awaited));
    BOOST_TEST(static_cast<bool>(awaited));
}

BOOST_AUTO_TEST_CASE(it_can_be_cut_off_anywhere) {
    for (const bool by_token : {false, true}) {
        const auto handlers = test::destroy_after_every_nth_handler([&](test::manual_loop& loop) {
            auto w = std::make_unique<world>(loop);
            w->hold_registry();
            if (by_token) {
                w->subscribe("a")(w->note());
            } else {
                asio::co_spawn(loop.context(), w->await("a"), asio::detached);
            }
            asio::post(loop.context(), [&freed = *w] { freed.free_registry(); });
            return w;
        });
        BOOST_TEST(handlers >= 2u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
