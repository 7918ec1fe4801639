#pragma once

#include <muster/detail/single_threaded.hpp>

#include <atomic>
#include <thread>

namespace muster::detail {

/// A lock for a few dozen instructions. Spins briefly, then gives the processor away: its holder
/// may be the one that was preempted. Meets Lockable; not recursive.
class spin_lock {
public:
    void lock() noexcept {
        if (!try_lock()) {
            lock_contended();
        }
    }
    [[nodiscard]] bool try_lock() noexcept {
        return !exchange(locked_, true, std::memory_order_acquire);
    }
    void unlock() noexcept { locked_.store(false, std::memory_order_release); }

private:
    void lock_contended() noexcept {
        do {
            for (int spins = 0; locked_.load(std::memory_order_relaxed); ++spins) {
                if (spins >= 64) {
                    std::this_thread::yield();
                }
            }
        } while (!try_lock());
    }

    std::atomic<bool> locked_{false};
};

} // namespace muster::detail
