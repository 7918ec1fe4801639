#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace muster::detail {

namespace asio = boost::asio;

/// Whether calling a `Handler` does nothing but resume the `asio::awaitable` that has just
/// suspended for it. Such a handler may be called from within the initiation: the coroutine cannot
/// tell.
///
/// Names Asio's handler types, as there is no public trait in Boost 1.81; an unknown type is false,
/// which costs a hop and nothing else.
template <typename Handler>
inline constexpr bool resumes_coroutine = false;
template <typename Signature, typename Executor>
inline constexpr bool
    resumes_coroutine<asio::detail::awaitable_async_op_handler<Signature, Executor>> = true;
template <typename Executor, typename... Results>
inline constexpr bool resumes_coroutine<asio::detail::awaitable_handler<Executor, Results...>> =
    true;
template <typename Handler>
inline constexpr bool resumes_coroutine<asio::detail::as_tuple_handler<Handler>> =
    resumes_coroutine<Handler>;
template <typename Handler>
inline constexpr bool resumes_coroutine<asio::detail::redirect_error_handler<Handler>> =
    resumes_coroutine<Handler>;

/// Bounds how deep inline resumptions nest on one thread's stack; a posted one starts afresh.
///
///     if (inline_resumption::possible()) {
///         const inline_resumption nested;
///         std::move(handler)(result);
///     }
class inline_resumption {
public:
    static constexpr int limit = 16;

    [[nodiscard]] static bool possible() noexcept { return depth_ < limit; }

    inline_resumption() noexcept { ++depth_; }
    ~inline_resumption() { --depth_; }
    inline_resumption(const inline_resumption&) = delete;
    inline_resumption& operator=(const inline_resumption&) = delete;

private:
    static constinit inline thread_local int depth_ = 0;
};

} // namespace muster::detail
