#pragma once

#include <muster/detail/later.hpp>
#include <muster/time/detail/wait_op.hpp>
#include <muster/time/detail/wheel_state.hpp>
#include <muster/time/wheel_service.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace muster {

template <typename Executor>
class basic_interval;

namespace detail {

/// The executor's default token; deferred where it has none.
template <typename Executor>
using timer_token =
    std::conditional_t<std::is_void_v<asio::default_completion_token_t<Executor>>, asio::deferred_t,
                       asio::default_completion_token_t<Executor>>;

} // namespace detail

/// A deadline flows in, completions of waits flow out: `asio::basic_waitable_timer` on a shared
/// wheel. Owns its waits.
///
/// Differs from Asio's timer in what it costs (a place in the wheel instead of one in a heap) and
/// in its resolution: waits complete at the first tick at or after the expiry, never early.
///
/// Thread safety: distinct timers: thread-safe. One timer: unsafe, but its waits may be cancelled
/// through their slots while other threads run the service.
///
/// Destroyed with waits outstanding: they complete with operation_aborted. The same when the
/// service is destroyed; waits started after that are aborted at once.
template <typename Executor = asio::any_io_executor>
class basic_wheel_timer {
public:
    using executor_type = Executor;
    using clock_type = wheel_service::clock_type;
    using duration = wheel_service::duration;
    using time_point = wheel_service::time_point;

    template <typename Other>
    struct rebind_executor {
        using other = basic_wheel_timer<Other>;
    };

    /// Expired until told otherwise. Handlers without an executor of their own run on `executor`.
    basic_wheel_timer(const Executor& executor, const wheel_service& service)
        : entry_{service.state()}, executor_{executor} {}
    basic_wheel_timer(const Executor& executor, const wheel_service& service, time_point expiry)
        : basic_wheel_timer{executor, service} {
        expiry_ = expiry;
    }
    basic_wheel_timer(const Executor& executor, const wheel_service& service, duration after)
        : basic_wheel_timer{executor, service} {
        expires_after(after);
    }
    /// On the service's executor.
    explicit basic_wheel_timer(const wheel_service& service) requires
        std::is_convertible_v<asio::any_io_executor, Executor>
        : basic_wheel_timer{service.get_executor(), service} {}
    basic_wheel_timer(const wheel_service& service, time_point expiry) requires
        std::is_convertible_v<asio::any_io_executor, Executor>
        : basic_wheel_timer{service.get_executor(), service, expiry} {}
    basic_wheel_timer(const wheel_service& service, duration after) requires
        std::is_convertible_v<asio::any_io_executor, Executor>
        : basic_wheel_timer{service.get_executor(), service, after} {}

    /// The waits move along; the source may only be assigned to or destroyed then. Assignment
    /// aborts the waits of its target.
    basic_wheel_timer(basic_wheel_timer&& other) noexcept = default;
    basic_wheel_timer& operator=(basic_wheel_timer&& other) = default;
    ~basic_wheel_timer() { cancel(); }

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
    [[nodiscard]] time_point expiry() const noexcept { return expiry_; }

    /// Sets the expiry. Waits under way complete with operation_aborted; returns how many.
    std::size_t expires_at(time_point expiry) {
        const std::size_t cancelled = cancel();
        expiry_ = expiry;
        return cancelled;
    }
    /// As `expires_at`, from the source's time now on; a sum that overflows means "never".
    std::size_t expires_after(duration after) {
        return expires_at(detail::later(state().source().now(), after));
    }

    /// Completes every wait with operation_aborted; returns how many. A wait that has expired, but
    /// whose handler has not run yet, is not among them and completes with success.
    std::size_t cancel() {
        return std::exchange(waited_for_, false) ? state().cancel_waits(entry_) : 0;
    }
    /// The same for the one that was started first.
    std::size_t cancel_one() { return state().cancel_one_wait(entry_); }

    /// Waits until the expiry; `void(error_code)`, by post, never inline.
    ///
    /// Errors: operation_aborted when cancelled, when the timer is set anew or destroyed, when the
    /// service has ended. Cancellation (terminal, partial and total alike): the wait ends without
    /// effect, the timer stays as it is. One allocation, from the handler's allocator.
    template <typename Token = detail::timer_token<Executor>>
    auto async_wait(Token&& token = Token{}) {
        return asio::async_initiate<Token, void(boost::system::error_code)>(initiate_wait{this},
                                                                            token);
    }

private:
    friend class basic_interval<Executor>;

    /// What `async_initiate` calls with the handler.
    struct initiate_wait {
        using executor_type = Executor;

        basic_wheel_timer* timer;

        [[nodiscard]] executor_type get_executor() const noexcept { return timer->executor_; }
        template <typename Handler>
        void operator()(Handler&& handler) const {
            timer->start(std::forward<Handler>(handler));
        }
    };

    template <typename Handler, typename... Results>
    void start(Handler&& handler, const Results&... results) {
        using op = detail::wait_op<std::decay_t<Handler>, Executor, Results...>;
        std::decay_t<Handler> owned{std::forward<Handler>(handler)};
        detail::wait_op_base* const waiting =
            op::make(std::move(owned), executor_, state().executor(), results...);
        waited_for_ = true;
        state().wait(entry_, *waiting, state().tick_at(expiry_));
    }

    [[nodiscard]] detail::wheel_state& state() const noexcept { return entry_.state(); }

    [[no_unique_address]] detail::waiting_entry entry_; // what follows fits into its padding
    bool waited_for_ = false;                           // since it was last cancelled
    time_point expiry_{};
    Executor executor_;
};

using wheel_timer = basic_wheel_timer<>;

} // namespace muster
