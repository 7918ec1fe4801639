#pragma once

#include <muster/detail/try_first.hpp>
#include <muster/fanout/detail/channel_state.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <optional>
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
    /// Starts a wait for something to receive: `void(const wait_result<Take>*)`, deferred.
    template <typename Take, typename Subscription>
    static auto begin_wait(Subscription& from) {
        return from.template begin_wait<Take>();
    }
    /// Whether there is something, and it is not time to let others have the thread.
    template <typename Subscription>
    static bool worth_trying(Subscription& from) noexcept {
        return from.worth_trying();
    }
    /// The slot of the next event if `take_here` can take it, else null.
    template <typename Subscription>
    static auto next_here(const Subscription& from) noexcept {
        return from.next_here();
    }
    template <typename Take, typename Subscription>
    static typename Take::result take_here(Subscription& from,
                                           const typename Take::slot_type& next) {
        return from.template take_here<Take>(next);
    }
    /// Takes what is there. False: there is nothing.
    template <typename Take, typename Subscription>
    static bool take_now(Subscription& from, typename Take::result& taken, sys::error_code& ec) {
        return from.template take_now<Take>(taken, ec);
    }
    /// What the channel knows of it; stays where it is when the subscription moves.
    template <typename Subscription>
    static const auto& reader(const Subscription& from) noexcept {
        return *from.reader_;
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
        return receive_access::begin<Take>(*from_,
                                           token_of())(std::forward<CompletionToken>(token));
    }

    // For detail::tries_first. An event that is simply there is not taken before the coroutine goes
    // on, and then from its slot into what the coroutine gets.
    class outcome {
    public:
        explicit outcome(Subscription& from) : from_{&from} {
            if (!receive_access::worth_trying(from)) {
                return;
            }
            if constexpr (Take::takes_one) {
                next_ = receive_access::next_here(from);
                if (next_ != nullptr) {
                    return;
                }
            }
            look();
        }
        explicit operator bool() const noexcept { return next_ != nullptr || found_; }
        [[nodiscard, gnu::always_inline]] auto take() {
            if constexpr (Take::takes_one) {
                if (next_ != nullptr) {
                    return here([this] { return receive_access::take_here<Take>(*from_, *next_); });
                }
            }
            return whole(*found_);
        }
        /// The subscription may have moved, or gone, since.
        [[nodiscard, gnu::always_inline]] auto take(const wait_result<Take>* waited) {
            if constexpr (Take::takes_one) {
                if (waited->next != nullptr) {
                    return here(
                        [=] { return fanout::take_here<Take>(*waited->reader, *waited->next); });
                }
            }
            return whole(*waited->instead);
        }

    private:
        using tuple = std::tuple<sys::error_code, result_type>;

        [[gnu::noinline]] void look() {
            found_.emplace();
            if (!receive_access::take_now<Take>(*from_, found_->taken, found_->error)) {
                found_.reset();
            }
        }
        template <typename TakeOne>
        [[nodiscard]] static auto here(const TakeOne& take_one) {
            if constexpr (is_tuple) {
                return tuple{sys::error_code{}, take_one()};
            } else {
                return take_one();
            }
        }
        [[nodiscard]] static auto whole(received<Take>& all) {
            if constexpr (is_tuple) {
                return tuple{all.error, std::move(all.taken)};
            } else {
                if (all.error) {
                    throw sys::system_error{all.error};
                }
                return std::move(all.taken);
            }
        }

        Subscription* from_;
        const typename Take::slot_type* next_ = nullptr;
        std::optional<received<Take>> found_;
    };
    [[nodiscard]] outcome try_now() const { return outcome{*from_}; }
    [[nodiscard]] auto waiting() const { return receive_access::begin_wait<Take>(*from_); }

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
    receive_operation<Subscription, Take, asio::deferred_t> receive{from};
    co_return co_await std::move(receive);
}

} // namespace muster::detail::fanout
