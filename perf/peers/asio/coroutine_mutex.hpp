#pragma once

#include "workload.hpp"

#include "workloads/shared/loop.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

namespace muster::work::peer {

/// A reader/writer lock in the manner of an Asio object: counts under a std::mutex, waiters as
/// completion handlers that are posted when granted. First come, first served.
class coroutine_mutex {
public:
    explicit coroutine_mutex(executor where) : where_(where) {}

    bool try_lock_shared() {
        const std::lock_guard hold(guard_);
        return grant(false);
    }

    bool try_lock() {
        const std::lock_guard hold(guard_);
        return grant(true);
    }

    template <class Token>
    auto async_lock_shared(Token&& token) {
        return asio::async_initiate<Token, void()>(initiate{this, false}, token);
    }

    template <class Token>
    auto async_lock(Token&& token) {
        return asio::async_initiate<Token, void()>(initiate{this, true}, token);
    }

    /// What a coroutine awaits: a free lock is taken without a hop through the context.
    task<> lock_shared() {
        if (!try_lock_shared())
            co_await async_lock_shared(asio::deferred);
    }

    task<> lock() {
        if (!try_lock())
            co_await async_lock(asio::deferred);
    }

    void unlock_shared() { unlock(readers_); }
    void unlock() { unlock(writers_); }

private:
    using waiter = asio::any_completion_handler<void()>;

    struct queued {
        queued(waiter who, bool write) : handler(std::move(who)), exclusive(write) {}
        waiter handler;
        bool exclusive;
    };

    struct initiate {
        template <class Handler>
        void operator()(Handler&& handler) const {
            std::unique_lock hold(self->guard_);
            if (!self->grant(exclusive)) {
                self->waiting_.emplace_back(std::forward<Handler>(handler), exclusive);
                return;
            }
            hold.unlock();
            asio::post(self->where_, std::forward<Handler>(handler));
        }
        coroutine_mutex* self;
        bool exclusive;
    };

    /// First come, first served: nobody overtakes a waiter.
    bool grant(bool exclusive) { return waiting_.empty() && admit(exclusive); }

    bool admit(bool exclusive) {
        if (writers_ != 0 || (exclusive && readers_ != 0))
            return false;
        ++(exclusive ? writers_ : readers_);
        return true;
    }

    void unlock(std::uint64_t& holders) {
        std::unique_lock hold(guard_);
        --holders;
        if (waiting_.empty())
            return;
        std::vector<waiter> granted;
        while (!waiting_.empty() && admit(waiting_.front().exclusive)) {
            granted.push_back(std::move(waiting_.front().handler));
            waiting_.pop_front();
        }
        hold.unlock();
        for (waiter& next : granted)
            asio::post(where_, std::move(next));
    }

    executor where_;
    std::mutex guard_;
    std::uint64_t readers_ = 0;
    std::uint64_t writers_ = 0;
    std::deque<queued> waiting_;
};

} // namespace muster::work::peer
