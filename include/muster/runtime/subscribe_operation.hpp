#pragma once

#include <muster/detail/async_on.hpp>
#include <muster/detail/try_first.hpp>
#include <muster/fanout/options.hpp>
#include <muster/runtime/event_subscription.hpp>
#include <muster/session/session_id.hpp>
#include <muster/sync/light_strand.hpp>
#include <muster/sync/shared_mutex.hpp>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <utility>

namespace muster::detail {

class runtime_core;

/// A subscription to one session that has not been begun: to `co_await`, which waits for nothing
/// but the registry's lock and suspends only if that is taken, or to call with a token. Refers to
/// the runtime, which may go away once it has begun.
class subscribe_operation {
    using signature = void(std::exception_ptr, session_subscription);
    using lock_operation = decltype(std::declval<shared_mutex&>().async_lock_shared());
    using lock_wait = decltype(std::declval<lock_operation&>().waiting());
    class initiation;
    /// What starting it returns; spelled out, for Asio asks whether the call would be possible.
    template <typename CompletionToken>
    using started = decltype(asio::async_initiate<CompletionToken, signature>(
        std::declval<initiation>(), std::declval<CompletionToken&>(),
        std::declval<subscribe_operation>()));

public:
    subscribe_operation(runtime_core& core, session_id id, subscribe_options options) noexcept
        : core_{&core}, id_{std::move(id)}, options_{std::move(options)} {}

    /// Starts it.
    template <typename CompletionToken>
    started<CompletionToken> operator()(CompletionToken&& token) &&;

    // For detail::tries_first. What is tried is the lock; the subscribing is done where the
    // coroutine goes on, right into what it gets.
    class outcome {
    public:
        explicit outcome(subscribe_operation& asked);
        outcome(const outcome&) = delete;
        outcome& operator=(const outcome&) = delete;
        ~outcome() {
            if (!succeeded_ || waited_) [[unlikely]] {
                settle();
            }
        }

        explicit operator bool() const noexcept { return !waited_; }
        [[nodiscard]] session_subscription take();
        [[nodiscard]] session_subscription take(shared_lock waited_for) {
            reading_ = std::move(waited_for);
            return take();
        }

    private:
        void settle() noexcept;

        subscribe_operation* asked_;
        shared_lock reading_;
        bool waited_; ///< and has kept the core meanwhile
        bool succeeded_ = false;
    };
    [[nodiscard]] outcome try_now() { return outcome{*this}; }
    [[nodiscard]] lock_wait waiting() const;

private:
    [[nodiscard]] asio::awaitable<session_subscription, light_strand> as_coroutine() &&;
    [[nodiscard]] asio::io_context& context() const noexcept;

    runtime_core* core_;
    session_id id_;
    subscribe_options options_;
};

/// On a strand, for the context may be run by several threads, and a cancellation must not meet
/// the coroutine in the middle; and not where the handler runs, which may take its time to let go
/// of the registry.
class subscribe_operation::initiation {
public:
    template <typename Handler>
    void operator()(Handler&& handler, subscribe_operation asked) const {
        const light_strand strand{asked.context()};
        const auto home = asio::get_associated_executor(handler, asked.context().get_executor());
        async_on(strand, std::move(asked).as_coroutine(), on_cancel::forward,
                 asio::bind_executor(home, std::forward<Handler>(handler)));
    }
};

template <typename CompletionToken>
auto subscribe_operation::operator()(CompletionToken&& token) && -> started<CompletionToken> {
    return asio::async_initiate<CompletionToken, signature>(initiation{}, token, std::move(*this));
}

} // namespace muster::detail
