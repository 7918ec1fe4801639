#pragma once

#include <muster/detail/try_first.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

namespace muster::detail::fanout {

namespace asio = boost::asio;
namespace sys = boost::system;

/// The way to a subscription's receives by kind, for what builds on them; `Take` says how an event
/// is taken.
struct receive_access {
    /// Starts one with any token.
    template <typename Take, typename Subscription, typename Token>
    static auto begin(Subscription& from, Token&& token) {
        return from.template begin_receive<Take>(std::forward<Token>(token));
    }
    /// Starts one with a handler.
    template <typename Take, typename Subscription, typename Handler>
    static void start(Subscription& from, Handler&& handler) {
        from.template start<Take>(std::forward<Handler>(handler));
    }
    /// Takes what is there. False: there is nothing, or the caller should yield.
    template <typename Take, typename Subscription>
    static bool take_now(Subscription& from, typename Take::result& taken, sys::error_code& ec) {
        return from.template take_now<Take>(taken, ec);
    }
};

/// A receive before it is given a token: to `co_await`, which takes what is there without
/// suspending, or to call with a token later. Cheap to copy; refers to the subscription.
///
/// `Token`: `deferred`, or that as a tuple.
template <typename Subscription, typename Take, typename Token>
class receive_operation {
    using result_type = typename Take::result;
    static constexpr bool is_tuple = !std::is_same_v<Token, asio::deferred_t>;

public:
    explicit receive_operation(Subscription& from) noexcept : from_{&from} {}

    /// Starts it. The return type is spelled out, for Asio asks whether the call would be possible.
    template <typename CompletionToken>
    auto operator()(CompletionToken&& token) const -> decltype(receive_access::begin<Take>(
        std::declval<Subscription&>(),
        std::declval<const Token&>())(std::forward<CompletionToken>(token))) {
        return waiting()(std::forward<CompletionToken>(token));
    }

    // For detail::tries_first.
    class outcome {
    public:
        explicit outcome(Subscription& from)
            : done_{receive_access::take_now<Take>(from, taken_, error_)} {}
        explicit operator bool() const noexcept { return done_; }
        [[nodiscard]] auto take() {
            if constexpr (is_tuple) {
                return std::tuple<sys::error_code, result_type>{error_, std::move(taken_)};
            } else {
                if (error_) {
                    throw sys::system_error{error_};
                }
                return std::move(taken_);
            }
        }

    private:
        sys::error_code error_;
        result_type taken_;
        bool done_; // last: the others are filled in meanwhile
    };
    [[nodiscard]] outcome try_now() const { return outcome{*from_}; }
    [[nodiscard]] auto waiting() const { return receive_access::begin<Take>(*from_, token_of()); }

private:
    [[nodiscard]] static constexpr Token token_of() noexcept {
        if constexpr (is_tuple) {
            return asio::as_tuple(asio::deferred);
        } else {
            return asio::deferred;
        }
    }

    Subscription* from_;
};

/// Whether an operation is asked for, and not started at once.
template <typename Token>
inline constexpr bool is_deferring =
    std::is_same_v<std::remove_cvref_t<Token>, asio::deferred_t> ||
    std::is_same_v<std::remove_cvref_t<Token>, asio::as_tuple_t<asio::deferred_t>>;

/// A receive with this token: the operation, or started.
template <typename Take, typename Subscription, typename Token>
auto receive_with(Subscription& from, Token&& token) {
    if constexpr (is_deferring<Token>) {
        return receive_operation<Subscription, Take, std::remove_cvref_t<Token>>{from};
    } else {
        return receive_access::begin<Take>(from, std::forward<Token>(token));
    }
}

/// Takes what is there without suspending, waits otherwise. Throws what a receive fails with.
template <typename Take, typename Executor, typename Subscription>
asio::awaitable<typename Take::result, Executor> take_or_wait(Subscription& from) {
    sys::error_code ec;
    typename Take::result taken;
    if (!receive_access::take_now<Take>(from, taken, ec)) {
        co_return co_await receive_access::begin<Take>(from, asio::use_awaitable_t<Executor>{});
    }
    if (ec) {
        throw sys::system_error{ec};
    }
    co_return taken;
}

} // namespace muster::detail::fanout
