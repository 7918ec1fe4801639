#pragma once

#include <muster/detail/try_first.hpp>
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
/// - `co_await mutex.async_lock()` in an `asio::awaitable` tries first: if the lock is free, it is
///   taken without suspending, without a hop and without an allocation. So a coroutine that finds
///   its locks free does not yield by them. With a token, even `deferred`, it always goes by post.
/// - A lock that is not free is looked at again for up to 2 µs before anybody queues, where the
///   process has other threads and where that has paid lately: to suspend, and perhaps to send the
///   thread to sleep, costs more.
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
/// block with its handler's allocator (by default memory that is used again) and one for the post.
template <typename Executor>
class basic_shared_mutex {
    using default_token = typename asio::default_completion_token<Executor>::type;
    template <lock_mode Mode>
    class initiate_lock;
    template <lock_mode Mode>
    class operation;

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
    template <typename CompletionToken>
    auto async_lock(CompletionToken&& token) {
        return operation<lock_mode::exclusive>{*this}(std::forward<CompletionToken>(token));
    }
    /// With the executor's default token; without one, the operation itself, to `co_await` or to
    /// call with a token later.
    [[nodiscard]] auto async_lock() { return by_default<lock_mode::exclusive>(); }

    /// Takes the lock together with other readers: completes with `void(error_code, shared_lock)`.
    /// Errors, cancellation and complexity as of async_lock.
    template <typename CompletionToken>
    auto async_lock_shared(CompletionToken&& token) {
        return operation<lock_mode::shared>{*this}(std::forward<CompletionToken>(token));
    }
    [[nodiscard]] auto async_lock_shared() { return by_default<lock_mode::shared>(); }

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

    template <lock_mode Mode>
    [[nodiscard]] auto by_default() {
        if constexpr (std::is_void_v<default_token>) {
            return operation<Mode>{*this};
        } else {
            return operation<Mode>{*this}(default_token{});
        }
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

    /// `tried`: in vain, a moment ago.
    initiate_lock(basic_shared_mutex& mutex, bool tried) noexcept : mutex_{&mutex}, tried_{tried} {}

    [[nodiscard]] executor_type get_executor() const noexcept { return mutex_->executor_; }

    template <typename Handler>
    void operator()(Handler&& handler) const {
        start(std::decay_t<Handler>{std::forward<Handler>(handler)});
    }

private:
    template <typename Handler>
    void start(Handler handler) const {
        detail::shared_mutex_base& base = mutex_->base_;
        auto* op = detail::lock_op<Mode, Handler, Executor>::make(base, std::move(handler),
                                                                  mutex_->executor_);
        if (!tried_ && base.core().template try_lock_for_a_moment<Mode>()) {
            base.core().adopt(*op, Mode);
        } else if (!base.core().lock_or_wait(*op, Mode)) {
            return;
        }
        op->act(detail::lock_op_base::action::post);
    }

    basic_shared_mutex* mutex_;
    bool tried_;
};

/// The wait for a lock before it is given a token. Cheap to copy; refers to the mutex.
template <typename Executor>
template <lock_mode Mode>
class basic_shared_mutex<Executor>::operation {
    using signature = void(boost::system::error_code, lock_holder<Mode>);

public:
    explicit operation(basic_shared_mutex& mutex) noexcept : mutex_{&mutex} {}

    /// The return type is spelled out, for Asio asks whether the call would be possible.
    template <typename CompletionToken>
    auto operator()(CompletionToken&& token) const
        -> decltype(asio::async_initiate<CompletionToken, signature>(
            std::declval<initiate_lock<Mode>>(), token)) {
        return asio::async_initiate<CompletionToken, signature>(initiate_lock<Mode>{*mutex_, false},
                                                                token);
    }

    // For detail::tries_first.
    struct outcome {
        lock_holder<Mode> holder;
        explicit operator bool() const noexcept { return static_cast<bool>(holder); }
        [[nodiscard]] lock_holder<Mode> take() noexcept { return std::move(holder); }
    };
    [[nodiscard]] outcome try_now() const noexcept {
        auto& base = mutex_->base_;
        return outcome{lock_holder<Mode>{
            base.core().template try_lock_for_a_moment<Mode>() ? &base : nullptr}};
    }
    [[nodiscard]] auto waiting() const {
        return asio::async_initiate<const asio::deferred_t, signature>(
            initiate_lock<Mode>{*mutex_, true}, asio::deferred);
    }

private:
    basic_shared_mutex* mutex_;
};

} // namespace muster
