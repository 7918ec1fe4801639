#pragma once

#include <atomic>
#include <thread>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace muster::detail::fanout {

/// One byte that is held for a few dozen instructions at a time. Spins briefly, then yields: the
/// holder may have been preempted.
class spin_lock {
public:
    void lock() noexcept {
        // acquire pairs with unlock's release: what the last holder wrote is seen.
        while (held_.exchange(true, std::memory_order_acquire)) {
            wait();
        }
    }
    void unlock() noexcept { held_.store(false, std::memory_order_release); }

private:
    void wait() const noexcept {
        // relaxed: only the exchange decides.
        for (int spins = 0; held_.load(std::memory_order_relaxed); ++spins) {
            if (spins < 64) {
#if defined(__x86_64__) || defined(__i386__)
                _mm_pause();
#endif
            } else {
                std::this_thread::yield();
            }
        }
    }

    std::atomic<bool> held_{false};
};

} // namespace muster::detail::fanout
