#pragma once

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <utility>

namespace muster::detail {

namespace asio = boost::asio;

/// One coroutine or handler that waits in a `wake_list`.
class wake_waiter : public boost::intrusive::list_base_hook<> {
public:
    /// Frees the waiter and posts its handler with `ec`.
    virtual void complete(boost::system::error_code ec) = 0;

protected:
    ~wake_waiter() = default;
};

template <typename Handler, typename Executor>
class wake_waiter_of final : public wake_waiter {
public:
    wake_waiter_of(Handler handler, const Executor& fallback)
        : handler_{std::move(handler)}, work_{asio::prefer(
                                            asio::get_associated_executor(handler_, fallback),
                                            asio::execution::outstanding_work.tracked)} {}

    void complete(boost::system::error_code ec) override {
        asio::get_associated_cancellation_slot(handler_).clear();
        Handler handler{std::move(handler_)};
        auto work = std::move(work_);
        delete this;
        asio::post(work, [handler = std::move(handler), ec]() mutable { std::move(handler)(ec); });
    }

private:
    using tracked = std::decay_t<decltype(asio::prefer(
        std::declval<asio::associated_executor_t<Handler, Executor>>(),
        asio::execution::outstanding_work.tracked))>;
    Handler handler_;
    tracked work_;
};

/// Those who wait for something to happen on one strand: waiters flow in, one wake-up for all flows
/// out.
///
/// Strand-bound: every member, and the emission of cancellation, on one executor. A waiter costs
/// one allocation.
class wake_list {
public:
    wake_list() = default;
    wake_list(const wake_list&) = delete;
    wake_list& operator=(const wake_list&) = delete;

    /// Every waiter completes with `operation_aborted`.
    ~wake_list() { wake_all(asio::error::operation_aborted); }

    /// Waits for the next `wake_all`. Completion: `void(error_code)`, by post, on the associated
    /// executor or on `executor`. Any type of cancellation ends the wait with `operation_aborted`
    /// and leaves nothing behind.
    template <typename Executor, typename CompletionToken>
    auto async_wait(const Executor& executor, CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            initiate_wait<Executor>{this, executor}, token);
    }

    /// Completes everybody who waits now. Who starts to wait from then on waits for the next call.
    void wake_all(boost::system::error_code ec = {}) {
        waiter_list woken;
        woken.swap(waiters_);
        while (!woken.empty()) {
            auto& waiter = woken.front();
            woken.pop_front();
            waiter.complete(ec);
        }
    }

    /// Completes whoever has waited longest, if anybody has.
    void wake_one(boost::system::error_code ec = {}) {
        if (!waiters_.empty()) {
            auto& waiter = waiters_.front();
            waiters_.pop_front();
            waiter.complete(ec);
        }
    }

    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }

private:
    using waiter_list =
        boost::intrusive::list<wake_waiter, boost::intrusive::constant_time_size<false>>;

    template <typename Executor>
    struct initiate_wait {
        wake_list* list;
        Executor executor;

        template <typename Handler>
        void operator()(Handler&& handler) const {
            auto slot = asio::get_associated_cancellation_slot(handler);
            auto* waiter = new wake_waiter_of<std::decay_t<Handler>, Executor>{
                std::forward<Handler>(handler), executor};
            list->waiters_.push_back(*waiter);
            if (slot.is_connected()) {
                slot.assign([list = list, waiter](asio::cancellation_type_t) {
                    list->waiters_.erase(waiter_list::s_iterator_to(*waiter));
                    waiter->complete(asio::error::operation_aborted);
                });
            }
        }
    };

    waiter_list waiters_;
};

} // namespace muster::detail
