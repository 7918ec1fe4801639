#pragma once

#include <muster/detail/spin_lock.hpp>
#include <muster/fanout/broadcast_log.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace muster::detail::fanout {

/// A log that is shared between threads: its lock, and who still needs it.
///
/// Holds are plain, counted under the lock: the channel's handle, each subscriber, each batch, each
/// key's node and each flush under way has one; the last to go destroys the whole.
template <typename T, std::size_t Slots>
class channel_core : public conflation_home<T> {
public:
    using log_type = broadcast_log<T, Slots>;
    using segment_type = typename log_type::segment;
    using waste = typename log_type::waste;
    using guard = spin_guard;

    channel_core(retention keep, std::uint64_t retired_limit) noexcept
        : log_{keep, retired_limit} {}
    channel_core(const channel_core&) = delete;
    channel_core& operator=(const channel_core&) = delete;
    virtual ~channel_core() = default;

    [[nodiscard]] guard lock() const noexcept { return guard{lock_}; }

    void add_hold() noexcept { ++holds_; }
    /// Gives up a hold and the lock; may destroy the channel.
    void release_hold(guard held) noexcept {
        const bool last = --holds_ == 0;
        held.unlock();
        if (last) {
            delete this;
        }
    }

    /// A batch lets go of its segment, and of its hold.
    void unpin(segment_type& pinned) noexcept {
        waste freed;
        guard held = lock();
        log_.unpin(pinned, freed);
        if (freed.has_segments()) [[unlikely]] {
            recycle(held, freed);
        }
        release_hold(std::move(held));
    }

    /// A key's slot lets go of its node, and of its hold.
    void retire(conflation_node<T>& node) noexcept final {
        waste freed;
        guard held = lock();
        log_.retire(node, freed);
        release_hold(std::move(held));
    }

    /// Destroys the freed segments' values without the lock, then gives the log the memory that it
    /// wants back. Called with the lock, returns with it.
    void recycle(guard& held, waste& freed) noexcept {
        held.unlock();
        while (auto emptied = freed.take_segment()) {
            held.lock();
            static_cast<void>(log_.restock(emptied));
            held.unlock();
        }
        held.lock();
    }

    /// Publishes what readers check before they take the lock: the head, and whether it is closed.
    void announce() noexcept {
        // release: who sees the new head may look at the slots before it.
        announced_.store(log_.head() << 1 | (closed_ ? 1 : 0), std::memory_order_release);
    }
    [[nodiscard]] std::uint64_t announced_head() const noexcept {
        return announced_.load(std::memory_order_acquire) >> 1;
    }
    [[nodiscard]] bool anything_for(const log_cursor<T, Slots>& reader) const noexcept {
        // relaxed: a reader that sees an old value finds nothing, as if it had come a moment
        // earlier.
        return announced_.load(std::memory_order_relaxed) != reader.index << 1 ||
               reader.replay != nullptr || reader.disconnected;
    }

protected:
    mutable spin_lock lock_;
    bool closed_ = false;
    bool flush_posted_ = false;
    bool flush_due_ = false; // something was published since the waiters were last looked at
    bool orphaned_ = false;  // the context is gone: nothing may be posted
    std::uint32_t holds_ = 1;
    std::atomic<std::uint32_t> subscriber_count_{0};
    std::atomic<std::uint64_t> announced_{0};
    log_type log_;
};

} // namespace muster::detail::fanout
