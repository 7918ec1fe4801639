#pragma once

#include <muster/detail/next_up.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace muster::detail {

namespace asio = boost::asio;

/// Whether cancelling the caller's operation reaches the coroutine on the other executor.
enum class on_cancel : bool { finish, forward };

template <typename Executor>
struct initiate_on {
    Executor executor;
    on_cancel when_cancelled;

    template <typename Handler, typename Result>
    void operator()(Handler&& handler, asio::awaitable<Result, Executor>&& work) const {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto done = completion<std::decay_t<Handler>>{std::forward<Handler>(handler), executor};
        if (when_cancelled == on_cancel::finish || !slot.is_connected()) {
            asio::co_spawn(executor, std::move(work), std::move(done));
            return;
        }
        // The signal lives on the other executor and is emitted there only: signals are not
        // thread-safe, and Boost 1.81's own forwarding from one executor to another is not either.
        auto signal = std::make_shared<asio::cancellation_signal>();
        slot.assign(
            [signal = std::weak_ptr{signal}, executor = executor](asio::cancellation_type_t) {
                asio::post(executor, [signal] {
                    if (const auto alive = signal.lock()) {
                        alive->emit(asio::cancellation_type::terminal);
                    }
                });
            });
        done.signal = signal;
        asio::co_spawn(executor, std::move(work),
                       asio::bind_cancellation_slot(signal->slot(), std::move(done)));
    }

    /// Runs on the other executor; takes the result home.
    template <typename Handler>
    struct completion {
        Handler handler;
        asio::executor_work_guard<asio::associated_executor_t<Handler, Executor>> home;
        asio::io_context* plain; ///< where home is nothing but this
        std::shared_ptr<asio::cancellation_signal> signal;

        completion(Handler&& waiting, const Executor& fallback)
            : handler{std::move(waiting)}, home{asio::get_associated_executor(handler, fallback)},
              plain{plain_context(asio::get_associated_executor(handler, fallback))} {}

        template <typename... Result>
        void operator()(std::exception_ptr error, Result... result) {
            auto go_on = [handler = std::move(handler), error = std::move(error),
                          ... result = std::move(result)]() mutable {
                asio::get_associated_cancellation_slot(handler).clear();
                std::move(handler)(std::move(error), std::move(result)...);
            };
            if (plain != nullptr) {
                next_up::post(*plain, std::move(go_on));
            } else {
                asio::post(home.get_executor(), std::move(go_on));
            }
        }
    };
};

template <typename Result>
struct completion_of {
    using signature = void(std::exception_ptr, Result);
};
template <>
struct completion_of<void> {
    using signature = void(std::exception_ptr);
};

/// Runs `work` on `executor` and completes on the caller's, by post: `void(std::exception_ptr)`,
/// followed by what `work` returns.
///
/// `on_cancel::forward`: cancellation of any type reaches `work` as terminal, on its own executor;
/// `finish`: what has begun is finished. The associated slot must be emitted on the caller's
/// executor.
template <typename Executor, typename Result, typename CompletionToken>
auto async_on(const Executor& executor, asio::awaitable<Result, Executor> work,
              on_cancel when_cancelled, CompletionToken&& token) {
    return asio::async_initiate<CompletionToken, typename completion_of<Result>::signature>(
        initiate_on<Executor>{executor, when_cancelled}, token, std::move(work));
}

} // namespace muster::detail
