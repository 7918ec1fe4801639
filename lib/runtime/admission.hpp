#pragma once

#include <muster/detail/wake_list.hpp>
#include <muster/runtime/options.hpp>
#include <muster/time/wheel_timer.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

namespace muster::detail {

class runtime_core;

/// The rule of admission, without a clock: who wants to spawn flows in, "now", "later" or "after
/// somebody else" flows out.
class admission_rule {
public:
    using time_point = std::chrono::steady_clock::time_point;

    explicit admission_rule(const admission_limits& limits) noexcept : limits_{limits} {}

    /// Whether a spawn may begin at `now`; if so it counts as begun.
    [[nodiscard]] bool admit(time_point now, std::uint64_t resident_bytes) noexcept;
    void finished() noexcept { --spawning_; }

    /// When to ask again, if that is a matter of time; else somebody must finish first.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> ask_again(time_point now) const noexcept;

    [[nodiscard]] bool limits_anything() const noexcept {
        return limits_.max_concurrent_spawns != 0 || limits_.max_spawns_per_second > 0 ||
               limits_.memory_high_water_bytes != 0;
    }
    [[nodiscard]] bool limits_memory() const noexcept {
        return limits_.memory_high_water_bytes != 0;
    }

private:
    [[nodiscard]] bool is_full() const noexcept {
        return limits_.max_concurrent_spawns != 0 && spawning_ >= limits_.max_concurrent_spawns;
    }

    admission_limits limits_;
    std::size_t spawning_ = 0;
    time_point next_start_; ///< by the rate; the epoch: at once
    bool short_of_memory_ = false;
};

/// Where spawns wait for their turn: first come, first served. Owns those who wait. Thread-safe.
class admission {
public:
    admission(runtime_core& core, const wheel_service& timers, const admission_limits& limits);
    admission(const admission&) = delete;
    admission& operator=(const admission&) = delete;

    /// Waits until a spawn may begin: `void(error_code)`, by post; `finished` must follow. `ticket`
    /// is set before. Not cancellable.
    template <typename Executor, typename CompletionToken>
    auto async_admit(const Executor& executor, std::atomic<std::uint64_t>& ticket,
                     CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
            initiate_admit<Executor>{this, executor, &ticket}, token);
    }
    /// A spawn that was admitted has ended, well or not.
    void finished();
    /// Lets everybody in: the runtime accepts no more work, and they will see.
    void open_up();

    /// How many are in front of the holder of `ticket`, itself included; 0: its turn has come.
    [[nodiscard]] std::size_t position(std::uint64_t ticket) const noexcept {
        const auto served = served_.load(std::memory_order_relaxed);
        return ticket > served ? static_cast<std::size_t>(ticket - served) : 0;
    }
    [[nodiscard]] bool limits_anything() const noexcept { return limits_anything_; }

private:
    template <typename Executor>
    struct initiate_admit {
        admission* self;
        Executor executor;
        std::atomic<std::uint64_t>* ticket;

        template <typename Handler>
        void operator()(Handler&& handler) const {
            const std::lock_guard lock{self->mutex_};
            ticket->store(++self->tickets_, std::memory_order_relaxed);
            self->waiting_.async_wait(executor, std::forward<Handler>(handler));
            self->let_in();
        }
    };

    void let_in();

    runtime_core& core_;
    const bool limits_anything_;
    std::atomic<std::uint64_t> served_{0};
    std::mutex mutex_; ///< guards what follows
    admission_rule rule_;
    const wheel_service& timers_;
    wake_list waiting_;
    wheel_timer again_;
    std::uint64_t tickets_ = 0;
    bool open_ = false;
};

} // namespace muster::detail
