#pragma once

#include <muster/detail/resumes_coroutine.hpp>
#include <muster/sync/lock_op.hpp>
#include <muster/sync/shared_mutex_base.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace muster {

/// A reader/writer lock whose waiters are asynchronous operations: in come handlers and coroutines
/// that want it, out they go one writer or many readers at a time; it owns the waiting operations.
///
///     muster::shared_lock reading = co_await mutex.async_lock_shared();
///
/// Policy (see shared_mutex_core): first in, first out; a waiting writer holds back later readers;
/// neighbouring readers are granted together; a released lock goes to the front of the queue.
///
/// Guarantees
/// - A handler is called exactly once, by post on its associated executor (default: the mutex's),
///   or destroyed uncalled when a context dies.
/// - In a coroutine (`co_await` of the default token, `use_awaitable`, `as_tuple` of these) a lock
///   that is free is taken without a hop and without an allocation: the coroutine goes on at once,
///   at most 16 times in a row.
/// - A lock that was granted is delivered even if a cancellation arrives before the completion
///   runs; if the completion is destroyed unrun, the lock passes on. It is never lost.
/// - Destroying the mutex completes what waits, and what was granted and has not been delivered,
///   with operation_aborted. When the mutex's context dies first, the waiting operations are
///   destroyed.
///
/// Thread-safe, but for destruction, which must not race with a completion of this mutex's
/// operations on another thread. No holder may outlive the mutex; the mutex must not outlive its
/// executor's context by more than its own destructor.
///
/// Costs: taking and giving back a free lock is one atomic instruction each. A waiter allocates one
/// block with its handler's allocator (by default recycled by Asio) and one for the post.
template <typename Executor>
class basic_shared_mutex {
    using default_token =
        std::conditional_t<std::is_void_v<typename asio::default_completion_token<Executor>::type>,
                           asio::deferred_t,
                           typename asio::default_completion_token<Executor>::type>;
    template <lock_mode Mode>
    class initiate_lock;

public:
    using executor_type = Executor;

    template <typename OtherExecutor>
    struct rebind_executor {
        using other = basic_shared_mutex<OtherExecutor>;
    };

    /// A free mutex; `executor` is where handlers without an executor of their own complete.
    explicit basic_shared_mutex(const Executor& executor)
        : executor_{executor}, base_{asio::query(executor_, asio::execution::context)} {}

    /// The same over the executor of `context`.
    template <typename ExecutionContext>
        requires std::is_convertible_v<ExecutionContext&, asio::execution_context&>
    explicit basic_shared_mutex(ExecutionContext& context)
        : basic_shared_mutex{Executor{context.get_executor()}} {}

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    /// Takes the lock alone: completes with `void(error_code, unique_lock)`.
    ///
    /// Errors: operation_aborted (cancelled or the mutex destroyed; the holder is empty).
    /// Cancellation: terminal, partial, total; a cancelled wait has not held the lock, and a wait
    /// that has been granted completes with it. Complexity: constant.
    template <typename CompletionToken = default_token>
    auto async_lock(CompletionToken&& token = CompletionToken{}) {
        return asio::async_initiate<CompletionToken, void(boost::system::error_code, unique_lock)>(
            initiate_lock<lock_mode::exclusive>{*this}, token);
    }

    /// Takes the lock together with other readers: completes with `void(error_code, shared_lock)`.
    /// Errors, cancellation and complexity as of async_lock.
    template <typename CompletionToken = default_token>
    auto async_lock_shared(CompletionToken&& token = CompletionToken{}) {
        return asio::async_initiate<CompletionToken, void(boost::system::error_code, shared_lock)>(
            initiate_lock<lock_mode::shared>{*this}, token);
    }

    /// Takes the lock alone if nobody holds it or waits; otherwise the holder is empty.
    [[nodiscard]] unique_lock try_lock() noexcept { return attempt<lock_mode::exclusive>(); }

    /// Takes the lock as a reader if no writer holds it and nobody waits; otherwise empty.
    [[nodiscard]] shared_lock try_lock_shared() noexcept { return attempt<lock_mode::shared>(); }

    /// At some moment during the call: whether a writer held it, how many readers did, whether
    /// anybody waited. For tests and reports, not for decisions.
    [[nodiscard]] bool is_locked() const noexcept { return base_.core().is_locked(); }
    [[nodiscard]] std::uint64_t readers() const noexcept { return base_.core().readers(); }
    [[nodiscard]] bool has_waiters() const noexcept { return base_.core().has_waiters(); }

private:
    template <lock_mode Mode>
    [[nodiscard]] lock_holder<Mode> attempt() noexcept {
        return lock_holder<Mode>{base_.core().template try_lock<Mode>() ? &base_ : nullptr};
    }

    Executor executor_;
    detail::shared_mutex_base base_;
};

/// Over any executor.
using shared_mutex = basic_shared_mutex<asio::any_io_executor>;

// ---------------------------------------------------------------------------------------------
// implementation

template <typename Executor>
template <lock_mode Mode>
class basic_shared_mutex<Executor>::initiate_lock {
public:
    using executor_type = Executor;

    explicit initiate_lock(basic_shared_mutex& mutex) noexcept : mutex_{&mutex} {}

    [[nodiscard]] executor_type get_executor() const noexcept { return mutex_->executor_; }

    template <typename Handler>
    void operator()(Handler&& handler) const {
        if constexpr (detail::resumes_coroutine<std::decay_t<Handler>>) {
            if (complete_inline(handler)) {
                return;
            }
        }
        start(std::decay_t<Handler>{std::forward<Handler>(handler)});
    }

private:
    /// Touches nothing of this object after the call: the coroutine may have destroyed it.
    template <typename Handler>
    bool complete_inline(Handler& handler) const {
        if (!detail::inline_resumption::possible()) {
            return false;
        }
        lock_holder<Mode> lock = mutex_->attempt<Mode>();
        if (!lock) {
            return false;
        }
        const detail::inline_resumption nested;
        std::move(handler)(boost::system::error_code{}, std::move(lock));
        return true;
    }

    template <typename Handler>
    void start(Handler handler) const {
        detail::shared_mutex_base& base = mutex_->base_;
        auto* op = detail::lock_op<Mode, Handler, Executor>::make(base, std::move(handler),
                                                                  mutex_->executor_);
        if (base.core().lock_or_wait(*op, Mode)) {
            op->act(detail::lock_op_base::action::post);
        }
    }

    basic_shared_mutex* mutex_;
};

} // namespace muster
