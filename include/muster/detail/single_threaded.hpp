#pragma once

#include <atomic>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define MUSTER_HAS_SINGLE_THREADED 1
#endif

namespace muster::detail {

/// Whether this process has one thread, so that a locked instruction buys nothing. Changes only
/// when this very thread starts another one (or has joined the last), never in between two steps.
[[nodiscard]] inline bool is_single_threaded() noexcept {
#ifdef MUSTER_HAS_SINGLE_THREADED
    return __libc_single_threaded != 0;
#else
    return false;
#endif
}

/// `cell.fetch_add(delta, order)`, without the locked instruction in a process of one thread.
template <typename T>
T fetch_add(std::atomic<T>& cell, T delta, std::memory_order order) noexcept {
    if (is_single_threaded()) {
        const T before = cell.load(std::memory_order_relaxed);
        cell.store(static_cast<T>(before + delta), std::memory_order_relaxed);
        return before;
    }
    return cell.fetch_add(delta, order);
}

/// `cell.exchange(value, order)`, likewise.
template <typename T>
T exchange(std::atomic<T>& cell, T value, std::memory_order order) noexcept {
    if (is_single_threaded()) {
        const T before = cell.load(std::memory_order_relaxed);
        cell.store(value, std::memory_order_relaxed);
        return before;
    }
    return cell.exchange(value, order);
}

/// `cell.compare_exchange_strong(expected, value, order, relaxed)`, likewise.
template <typename T>
bool compare_exchange(std::atomic<T>& cell, T& expected, T value,
                      std::memory_order order) noexcept {
    if (is_single_threaded()) {
        const T before = cell.load(std::memory_order_relaxed);
        if (before != expected) {
            expected = before;
            return false;
        }
        cell.store(value, std::memory_order_relaxed);
        return true;
    }
    return cell.compare_exchange_strong(expected, value, order, std::memory_order_relaxed);
}

} // namespace muster::detail
