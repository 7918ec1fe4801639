#pragma once

#include <muster/detail/single_threaded.hpp>

#include <atomic>
#include <thread>
#include <utility>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace muster::detail {

/// Lets the processor's other thread go first for a moment, while we look at the same line again
/// and again.
inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#endif
}

/// A lock for a few dozen instructions. Spins briefly, then gives the processor away: its holder
/// may be the one that was preempted. In a process of one thread taking it is a load and a store.
/// Meets Lockable; not recursive.
class spin_lock {
public:
    void lock() noexcept {
        if (!try_lock()) {
            lock_contended();
        }
    }
    [[nodiscard]] bool try_lock() noexcept {
        if (is_single_threaded()) {
            const bool was = locked_.load(std::memory_order_relaxed);
            locked_.store(true, std::memory_order_relaxed);
            return !was;
        }
        return !locked_.exchange(true, std::memory_order_acquire);
    }
    void unlock() noexcept { locked_.store(false, std::memory_order_release); }

private:
    [[gnu::noinline, gnu::cold]] void lock_contended() noexcept { // keeps lock() small
        do {
            for (int spins = 0; locked_.load(std::memory_order_relaxed); ++spins) {
                if (spins >= 64) {
                    std::this_thread::yield();
                    continue;
                }
                pause();
            }
        } while (!try_lock());
    }

    std::atomic<bool> locked_{false};
};

/// Holds a spin lock for a scope, or until told otherwise: `std::unique_lock` without what it
/// checks. Only who holds it may unlock, only who does not may lock.
class spin_guard {
public:
    explicit spin_guard(spin_lock& held) noexcept : lock_{&held} { lock(); }
    spin_guard(spin_guard&& other) noexcept
        : lock_{other.lock_}, owns_{std::exchange(other.owns_, false)} {}
    /// The target must not hold its lock.
    spin_guard& operator=(spin_guard&& other) noexcept {
        lock_ = other.lock_;
        owns_ = std::exchange(other.owns_, false);
        return *this;
    }
    ~spin_guard() {
        if (owns_) {
            lock_->unlock();
        }
    }

    void lock() noexcept {
        lock_->lock();
        owns_ = true;
    }
    void unlock() noexcept {
        owns_ = false;
        lock_->unlock();
    }
    [[nodiscard]] bool owns_lock() const noexcept { return owns_; }

private:
    spin_lock* lock_;
    bool owns_ = false;
};

} // namespace muster::detail
