#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/version.hpp>

#include <concepts>
#include <utility>

namespace muster::detail {

/// An asynchronous operation that can often be done at once: `try_now()` returns an outcome that
/// converts to false if it cannot, and else has the result, or the error to throw, in `take()`;
/// `waiting()` returns the same operation without the attempt, or one whose result the outcome's
/// `take(result)` makes into that of the whole.
///
/// `co_await` of such an operation in an `asio::awaitable` tries first and does not even suspend if
/// that succeeds; called with any other token, it is like every operation.
template <typename Operation>
concept tries_first = requires(Operation& operation) {
    {static_cast<bool>(operation.try_now())};
    {operation.try_now().take()};
    {operation.waiting()};
};

} // namespace muster::detail

// Boost 1.81 has no hook for an operation that is done already, so that this specialises the
// awaiter of Asio for our own operations. Unknown versions do without: then a free lock costs a
// hop. (An inline completion instead would nest on the stack, and its returns cost more than a call
// of an awaitable.)
#if BOOST_VERSION < 108200

namespace boost::asio::detail {

template <typename Signature, muster::detail::tries_first Operation, typename Executor>
class awaitable_async_op<Signature, Operation, Executor> {
    using waiting_operation = decltype(std::declval<Operation&>().waiting());
    using outcome_type = decltype(std::declval<Operation&>().try_now());
    using result_type = decltype(std::declval<outcome_type&>().take());
    using suspended_type =
        awaitable_async_op<typename completion_signature_of<waiting_operation>::type,
                           waiting_operation, Executor>;

public:
    awaitable_async_op(Operation&& op, awaitable_frame_base<Executor>* frame)
        : outcome_{op.try_now()}, waiting_{op.waiting()}, suspended_{std::move(waiting_), frame} {}
    awaitable_async_op(const awaitable_async_op&) = delete;
    awaitable_async_op& operator=(const awaitable_async_op&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return static_cast<bool>(outcome_); }
    void await_suspend(coroutine_handle<void> caller) { suspended_.await_suspend(caller); }
    [[gnu::always_inline]] result_type await_resume() {
        if (outcome_) {
            return outcome_.take();
        }
        if constexpr (requires { outcome_.take(suspended_.await_resume()); }) {
            return outcome_.take(suspended_.await_resume());
        } else {
            return suspended_.await_resume();
        }
    }

private:
    outcome_type outcome_;
    waiting_operation waiting_;
    suspended_type suspended_;
};

} // namespace boost::asio::detail

#endif
