#pragma once

#include <muster/detail/outstanding_work.hpp>
#include <muster/detail/record_memory.hpp>
#include <muster/detail/same_executor.hpp>
#include <muster/time/detail/wait_queue.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <tuple>
#include <utility>

namespace muster::detail {

namespace asio = boost::asio;

/// One wait under way: in comes a handler, out goes its call with an error code and `Results`; owns
/// both until then.
///
/// Lives until its completion has run on the handler's executor, so that a cancellation between
/// expiry and completion finds it alive, and finds nothing to do.
template <typename Handler, typename Executor, typename... Results>
class wait_op final : public wait_op_base {
public:
    /// Allocates with the handler's allocator, by default from record memory.
    /// `home` is the service's executor.
    [[nodiscard]] static wait_op* make(Handler&& handler, const Executor& fallback,
                                       const asio::any_io_executor& home,
                                       const Results&... results);

private:
    class canceller;
    class completion;

    using handler_executor = asio::associated_executor_t<Handler, Executor>;
    using handler_allocator = asio::associated_allocator_t<Handler, record_allocator<void>>;
    using op_allocator =
        typename std::allocator_traits<handler_allocator>::template rebind_alloc<wait_op>;

    wait_op(Handler&& handler, const handler_executor& executor, bool local,
            const Results&... results)
        : wait_op_base{&wait_op::act, local}, handler_{std::move(handler)}, work_{executor},
          results_{results...} {}
    ~wait_op();

    static handler_allocator allocator_of(const Handler& handler) {
        return asio::get_associated_allocator(handler, record_allocator<void>{});
    }
    static void act(wait_op_base* base, outcome how, way where);
    void connect_slot();
    void complete(boost::system::error_code error);
    void destroy();

    Handler handler_;
    outstanding_work<handler_executor> work_;
    canceller* canceller_ = nullptr; // lives in the slot; each forgets the other when it ends
    [[no_unique_address]] std::tuple<Results...> results_;
};

// ---- implementation
// ------------------------------------------------------------------------------

/// What the cancellation slot holds. Slot and operation may end in either order.
template <typename Handler, typename Executor, typename... Results>
class wait_op<Handler, Executor, Results...>::canceller {
public:
    explicit canceller(wait_op* op) noexcept : op_{op} { op_->canceller_ = this; }
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
    wait_op* op_;
};

/// What the handler's executor holds for a wait that is settled.
template <typename Handler, typename Executor, typename... Results>
class wait_op<Handler, Executor, Results...>::completion {
public:
    using allocator_type = handler_allocator;

    completion(wait_op* op, boost::system::error_code error) noexcept : op_{op}, error_{error} {}
    completion(completion&& other) noexcept
        : op_{std::exchange(other.op_, nullptr)}, error_{other.error_} {}
    completion& operator=(completion&&) = delete;
    ~completion() {
        if (op_ != nullptr) {
            op_->destroy();
        }
    }

    [[nodiscard]] allocator_type get_allocator() const { return allocator_of(op_->handler_); }
    void operator()() { std::exchange(op_, nullptr)->complete(error_); }

private:
    wait_op* op_;
    boost::system::error_code error_;
};

template <typename Handler, typename Executor, typename... Results>
wait_op<Handler, Executor, Results...>*
wait_op<Handler, Executor, Results...>::make(Handler&& handler, const Executor& fallback,
                                             const asio::any_io_executor& home,
                                             const Results&... results) {
    const handler_executor executor = asio::get_associated_executor(handler, fallback);
    op_allocator memory{allocator_of(handler)};
    const auto release = [&memory](wait_op* place) {
        memory.deallocate(place, 1);
    };
    std::unique_ptr<wait_op, decltype(release)> place{memory.allocate(1), release};
    new (place.get())
        wait_op{std::move(handler), executor, same_executor(executor, home), results...};
    wait_op* const op = place.release();
    op->connect_slot();
    return op;
}

template <typename Handler, typename Executor, typename... Results>
wait_op<Handler, Executor, Results...>::~wait_op() {
    if (canceller_ != nullptr) {
        canceller_->forget();
    }
}

template <typename Handler, typename Executor, typename... Results>
void wait_op<Handler, Executor, Results...>::act(wait_op_base* base, outcome how, way where) {
    auto* const self = static_cast<wait_op*>(base);
    if (how == outcome::destroyed) {
        self->destroy();
        return;
    }
    boost::system::error_code error;
    if (how == outcome::aborted) {
        error = asio::error::operation_aborted;
    }
    if (where == way::here) {
        self->complete(error);
        return;
    }
    const auto executor = self->work_.get_executor();
    asio::post(executor, completion{self, error});
}

template <typename Handler, typename Executor, typename... Results>
void wait_op<Handler, Executor, Results...>::connect_slot() {
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) {
        slot.template emplace<canceller>(this);
    }
}

/// The memory goes back before the handler runs, the count of outstanding work after.
template <typename Handler, typename Executor, typename... Results>
void wait_op<Handler, Executor, Results...>::complete(boost::system::error_code error) {
    if (canceller_ != nullptr) { // else somebody has taken the slot over
        asio::get_associated_cancellation_slot(handler_).clear();
    }
    const auto work = std::move(work_);
    auto results = std::move(results_);
    Handler handler{std::move(handler_)};
    op_allocator memory{allocator_of(handler)};
    this->~wait_op();
    memory.deallocate(this, 1);
    std::apply(std::move(handler), std::tuple_cat(std::make_tuple(error), std::move(results)));
}

/// The handler's destructor may free the timer, the service and more: it runs last.
template <typename Handler, typename Executor, typename... Results>
void wait_op<Handler, Executor, Results...>::destroy() {
    const auto work = std::move(work_);
    const Handler handler{std::move(handler_)};
    op_allocator memory{allocator_of(handler)};
    this->~wait_op();
    memory.deallocate(this, 1);
}

} // namespace muster::detail
