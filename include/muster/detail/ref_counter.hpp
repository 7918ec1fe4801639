#pragma once

#include <muster/detail/single_threaded.hpp>

#include <atomic>

namespace muster::detail {

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
