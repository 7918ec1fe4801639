#pragma once

#include <muster/backend/backend.hpp>

#include <boost/asio/basic_waitable_timer.hpp>

#include <chrono>
#include <vector>

namespace muster::detail {

/// Wakes the coroutines of one session that wait for its state to change. Owns nothing but the list
/// of them; they look at the state themselves. Strand-bound.
class change_signal {
public:
    using clock = std::chrono::steady_clock;

    explicit change_signal(session_executor executor) : executor_{std::move(executor)} {}
    change_signal(const change_signal&) = delete;
    change_signal& operator=(const change_signal&) = delete;

    /// Returns at the next `notify`, at the deadline, or when the coroutine is cancelled. The
    /// signal must outlive the wait.
    session_awaitable<> wait_until(clock::time_point deadline);

    void notify();

private:
    using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, session_executor>;
    class listed;

    session_executor executor_;
    std::vector<timer*> waiting_;
};

/// Whether the calling coroutine has been cancelled.
[[nodiscard]] session_awaitable<bool> is_cancelled();

/// Throws `operation_aborted` if it has.
[[nodiscard]] session_awaitable<> throw_if_cancelled();

} // namespace muster::detail
