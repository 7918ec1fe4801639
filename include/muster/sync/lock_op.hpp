#pragma once

#include <muster/detail/outstanding_work.hpp>
#include <muster/detail/record_memory.hpp>
#include <muster/detail/same_executor.hpp>
#include <muster/sync/shared_mutex_base.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace muster::detail {

/// One `async_lock` or `async_lock_shared` under way: in comes a handler, out goes its call with
/// the lock or operation_aborted; it owns both until then.
///
/// Lives until its completion has run on the handler's executor, so that a cancellation between the
/// grant and the completion finds it alive, and finds nothing to do.
template <lock_mode Mode, typename Handler, typename Executor>
class lock_op final : public lock_op_base {
public:
    /// Connects the cancellation slot. Allocates with the handler's allocator, by default from
    /// record memory.
    static lock_op* make(shared_mutex_base& mutex, Handler&& handler, const Executor& fallback);

private:
    class canceller;
    class completion;
    class run;

    using handler_executor = asio::associated_executor_t<Handler, Executor>;
    using handler_allocator = asio::associated_allocator_t<Handler, record_allocator<void>>;
    using op_allocator =
        typename std::allocator_traits<handler_allocator>::template rebind_alloc<lock_op>;

    lock_op(shared_mutex_base& mutex, Handler&& handler, const handler_executor& executor,
            bool is_home)
        : lock_op_base{mutex, &lock_op::perform, is_home}, handler_{std::move(handler)},
          work_{executor} {}
    ~lock_op();

    static handler_allocator allocator_of(const Handler& handler) {
        return asio::get_associated_allocator(handler, record_allocator<void>{});
    }
    static void perform(lock_op_base* base, action what, list& others);
    void connect_slot();
    void disconnect_slot();
    void complete();
    void free();

    Handler handler_;
    outstanding_work<handler_executor> work_;
    canceller* canceller_ = nullptr; // lives in the slot; each unlinks itself from the other
};

// ---------------------------------------------------------------------------------------------
// implementation

/// What the cancellation slot holds. Slot and operation may die in either order.
template <lock_mode Mode, typename Handler, typename Executor>
class lock_op<Mode, Handler, Executor>::canceller {
public:
    explicit canceller(lock_op* op) noexcept : op_{op} { op_->canceller_ = this; }
    canceller(const canceller&) = delete;
    canceller& operator=(const canceller&) = delete;
    ~canceller() {
        if (op_ != nullptr) {
            op_->canceller_ = nullptr;
        }
    }

    /// A wait has no side effects: terminal, partial and total are all the same to it.
    void operator()(asio::cancellation_type type) {
        if (op_ != nullptr && type != asio::cancellation_type::none) {
            op_->cancel();
        }
    }
    void forget() noexcept { op_ = nullptr; }

private:
    lock_op* op_;
};

/// What the handler's executor holds for an operation that is settled.
template <lock_mode Mode, typename Handler, typename Executor>
class lock_op<Mode, Handler, Executor>::completion {
public:
    using allocator_type = handler_allocator;

    explicit completion(lock_op* op) noexcept : op_{op} {}
    completion(completion&& other) noexcept : op_{std::exchange(other.op_, nullptr)} {}
    completion& operator=(completion&&) = delete;
    ~completion() {
        if (op_ != nullptr) {
            op_->act(action::drop);
        }
    }

    [[nodiscard]] allocator_type get_allocator() const { return allocator_of(op_->handler_); }
    void operator()() { std::exchange(op_, nullptr)->complete(); }

private:
    lock_op* op_;
};

/// What the mutex's executor holds for several operations that are settled and complete on it.
template <lock_mode Mode, typename Handler, typename Executor>
class lock_op<Mode, Handler, Executor>::run {
public:
    explicit run(list settled) noexcept : settled_{std::move(settled)} {}
    run(run&&) noexcept = default;
    run& operator=(run&&) = delete;
    ~run() {
        while (lock_op_base* op = shared_mutex_base::pop(settled_)) {
            op->act(action::drop);
        }
    }

    /// The first completes here, as if it had been posted; the others may run on other threads.
    void operator()() {
        lock_op_base* const first = shared_mutex_base::pop(settled_);
        while (lock_op_base* op = shared_mutex_base::pop(settled_)) {
            op->act(action::post);
        }
        first->act(action::complete);
    }

private:
    list settled_;
};

template <lock_mode Mode, typename Handler, typename Executor>
lock_op<Mode, Handler, Executor>* lock_op<Mode, Handler, Executor>::make(shared_mutex_base& mutex,
                                                                         Handler&& handler,
                                                                         const Executor& fallback) {
    op_allocator memory{allocator_of(handler)};
    struct block {
        op_allocator& memory_;
        lock_op* place_;
        ~block() {
            if (place_ != nullptr) {
                memory_.deallocate(place_, 1);
            }
        }
    } fresh{memory, memory.allocate(1)};
    const handler_executor executor = asio::get_associated_executor(handler, fallback);
    new (fresh.place_)
        lock_op{mutex, std::move(handler), executor, same_executor(executor, fallback)};
    lock_op* op = std::exchange(fresh.place_, nullptr);
    op->connect_slot();
    return op;
}

template <lock_mode Mode, typename Handler, typename Executor>
lock_op<Mode, Handler, Executor>::~lock_op() {
    if (canceller_ != nullptr) {
        canceller_->forget();
    }
}

template <lock_mode Mode, typename Handler, typename Executor>
void lock_op<Mode, Handler, Executor>::perform(lock_op_base* base, action what, list& others) {
    auto* self = static_cast<lock_op*>(base);
    switch (what) {
    case action::post: {
        const auto executor = self->work_.get_executor();
        asio::post(executor, completion{self});
        break;
    }
    case action::lead: {
        const auto executor = self->work_.get_executor();
        asio::post(executor, run{std::move(others)});
        break;
    }
    case action::complete: self->complete(); break;
    case action::drop: self->pass_on(); [[fallthrough]];
    case action::destroy: self->free(); break;
    }
}

template <lock_mode Mode, typename Handler, typename Executor>
void lock_op<Mode, Handler, Executor>::connect_slot() {
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) {
        slot.template emplace<canceller>(this);
    }
}

/// Only while the slot still holds our canceller: somebody may have taken the slot over.
template <lock_mode Mode, typename Handler, typename Executor>
void lock_op<Mode, Handler, Executor>::disconnect_slot() {
    if (canceller_ != nullptr) {
        asio::get_associated_cancellation_slot(handler_).clear();
    }
}

/// The memory goes back before the handler runs, the count of outstanding work after. A lock that
/// the handler did not take goes back before the handler dies, for that may be the mutex's end.
template <lock_mode Mode, typename Handler, typename Executor>
void lock_op<Mode, Handler, Executor>::complete() {
    disconnect_slot();
    shared_mutex_base* owner = mutex();
    lock_holder<Mode> lock{take_lock() ? owner : nullptr};
    boost::system::error_code error;
    if (!lock) {
        error = asio::error::operation_aborted;
    }
    const auto work = std::move(work_);
    Handler handler{std::move(handler_)};
    op_allocator memory{allocator_of(handler)};
    this->~lock_op();
    memory.deallocate(this, 1);
    std::move(handler)(error, lock_holder<Mode>{std::move(lock)});
}

/// The handler's destructor may be what frees the mutex: it runs last, from the stack.
template <lock_mode Mode, typename Handler, typename Executor>
void lock_op<Mode, Handler, Executor>::free() {
    const auto work = std::move(work_);
    const Handler handler{std::move(handler_)};
    op_allocator memory{allocator_of(handler)};
    this->~lock_op();
    memory.deallocate(this, 1);
}

} // namespace muster::detail
