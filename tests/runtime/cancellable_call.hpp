#pragma once

#include "runtime_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace muster::test {

/// A call that can be cancelled, by any type.
class cancellable_call {
public:
    template <typename T>
    cancellable_call(runtime_fixture& f, asio::awaitable<T> work) {
        asio::co_spawn(f.context, run(std::move(work)),
                       asio::bind_cancellation_slot(
                           signal_.slot(), [state = state_](const std::exception_ptr& failure) {
                               ++state->calls;
                               state->failure = failure;
                           }));
        f.settle();
    }

    void cancel(asio::cancellation_type type) { signal_.emit(type); }
    [[nodiscard]] int calls() const { return state_->calls; }
    [[nodiscard]] sys::error_code error() const {
        try {
            if (state_->failure) {
                std::rethrow_exception(state_->failure);
            }
        } catch (const sys::system_error& e) {
            return e.code();
        }
        return {};
    }

private:
    struct shared {
        int calls = 0;
        std::exception_ptr failure;
    };

    template <typename T>
    static asio::awaitable<void> run(asio::awaitable<T> work) {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        co_await std::move(work);
    }

    asio::cancellation_signal signal_;
    std::shared_ptr<shared> state_ = std::make_shared<shared>();
};

} // namespace muster::test
