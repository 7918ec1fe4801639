#pragma once

#include <muster/detail/later.hpp>
#include <muster/time/wheel_timer.hpp>

#include <cstdint>

namespace muster {

/// What becomes of ticks that came due while nobody waited for them. Never a burst: they are left
/// out, and the next tick says how many.
enum class missed_ticks : std::uint8_t {
    skip,  ///< the cadence keeps its phase
    delay, ///< the cadence starts anew from the late tick
};

/// One tick of an interval.
struct interval_tick {
    wheel_service::time_point due; ///< when it should have come
    std::uint64_t missed = 0;      ///< how many before it were left out

    interval_tick() = default;
    interval_tick(wheel_service::time_point due_at, std::uint64_t left_out) noexcept
        : due{due_at}, missed{left_out} {}
};

/// A cadence flows in, ticks flow out: `due`, `due + period`, `due + 2 * period`, …, without drift
/// however late each is received.
///
/// A tick that is already due when it is waited for completes within a tick of the wheel. Then,
/// with `missed_ticks::skip`, it stands for the latest tick of the cadence that is due, and those
/// before it are counted as missed; with `missed_ticks::delay`, it is the earliest one, those after
/// it that are due are counted as missed, and the next comes one period from now.
///
/// Thread safety and destruction are those of `basic_wheel_timer`.
template <typename Executor = asio::any_io_executor>
class basic_interval {
public:
    using executor_type = Executor;
    using duration = wheel_service::duration;
    using time_point = wheel_service::time_point;

    /// The first tick is due one period from now. A period that is not positive counts as one
    /// nanosecond: every tick of the wheel. A tick beyond what the clock can count never comes.
    basic_interval(const Executor& executor, const wheel_service& service, duration period,
                   missed_ticks policy = missed_ticks::skip)
        : timer_{executor, service}, period_{period > duration::zero() ? period : duration{1}},
          policy_{policy} {
        restart_at(detail::later(timer_.state().source().now(), period_));
    }
    explicit basic_interval(const wheel_service& service, duration period,
                            missed_ticks policy = missed_ticks::skip) requires
        std::is_convertible_v<asio::any_io_executor, Executor>
        : basic_interval{service.get_executor(), service, period, policy} {}

    [[nodiscard]] executor_type get_executor() const noexcept { return timer_.get_executor(); }
    [[nodiscard]] duration period() const noexcept { return period_; }

    /// Starts the cadence anew: the next tick is due at `first`. Waits under way are aborted.
    void restart_at(time_point first) {
        timer_.cancel();
        seen_ = expiries();
        next_ = after_ = first;
    }

    /// Aborts waits under way; returns how many. Their tick is not lost: the next wait gets it.
    std::size_t cancel() { return timer_.cancel(); }

    /// Waits for the next tick; `void(error_code, interval_tick)`, by post, never inline. One wait
    /// at a time.
    ///
    /// Errors: operation_aborted, as `basic_wheel_timer::async_wait`. Cancellation (all types): the
    /// tick is not lost, the next wait gets it. One allocation, from the handler's allocator.
    template <typename Token = detail::timer_token<Executor>>
    auto async_tick(Token&& token = Token{}) {
        return asio::async_initiate<Token, void(boost::system::error_code, interval_tick)>(
            initiate_tick{this}, token);
    }

private:
    struct initiate_tick {
        using executor_type = Executor;

        basic_interval* interval;

        [[nodiscard]] executor_type get_executor() const noexcept {
            return interval->get_executor();
        }
        template <typename Handler>
        void operator()(Handler&& handler) const {
            const interval_tick next = interval->plan();
            interval->timer_.start(std::forward<Handler>(handler), next);
        }
    };

    [[nodiscard]] std::uint32_t expiries() const noexcept {
        return timer_.state().expiries(timer_.entry_);
    }

    /// Decides which tick the coming wait is for, and lets the timer expire at it.
    [[nodiscard]] interval_tick plan() {
        if (const auto count = expiries(); count != seen_) { // what was planned was delivered
            seen_ = count;
            next_ = after_;
        }
        const time_point now = timer_.state().source().now();
        interval_tick planned{next_, now < next_ ? 0 : count_between(next_, now)};
        if (policy_ == missed_ticks::skip) {
            planned.due += static_cast<duration::rep>(planned.missed) * period_;
        }
        const bool anew = policy_ == missed_ticks::delay && now > detail::later(next_, period_);
        after_ = detail::later(anew ? now : planned.due, period_);
        timer_.expiry_ = planned.due;
        return planned;
    }

    [[nodiscard]] std::uint64_t count_between(time_point from, time_point to) const noexcept {
        return static_cast<std::uint64_t>((to - from) / period_);
    }

    basic_wheel_timer<Executor> timer_;
    duration period_;
    time_point next_;  // the first tick that was not delivered
    time_point after_; // the one after that, once it is
    std::uint32_t seen_ = 0;
    missed_ticks policy_;
};

using interval = basic_interval<>;

} // namespace muster
