#pragma once

#include <muster/detail/single_threaded.hpp>

#include <atomic>

namespace muster::detail {

/// Gives one reference up; true if it was the last. Who has the only one needs no locked
/// instruction, for nobody is left who could take or give up another.
template <typename T>
[[nodiscard]] bool drop_reference(std::atomic<T>& count) noexcept {
    // acquire, acq_rel: the last owner sees what every other one did.
    return count.load(std::memory_order_acquire) == 1 ||
           fetch_add(count, static_cast<T>(~T{0}), std::memory_order_acq_rel) == 1;
}

/// A counter policy for `boost::intrusive_ref_counter`: thread-safe, and without locked
/// instructions in a process of one thread.
struct ref_counter {
    using type = std::atomic<unsigned int>;

    [[nodiscard]] static unsigned int load(const type& count) noexcept {
        return count.load(std::memory_order_relaxed);
    }
    static void increment(type& count) noexcept { fetch_add(count, 1U, std::memory_order_relaxed); }
    /// Returns what is left. acq_rel: the last owner sees what every other one did.
    [[nodiscard]] static unsigned int decrement(type& count) noexcept {
        return fetch_add(count, ~0U, std::memory_order_acq_rel) - 1;
    }
};

} // namespace muster::detail
