#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::guards {

/// What the whole program has allocated: every malloc, and so every `new` and every block of
/// Asio's, which takes its memory from `aligned_alloc` and not from `operator new`.
///
/// One thread only.
struct allocation_totals {
    std::uint64_t allocations = 0; ///< calls so far
    std::uint64_t live_blocks = 0;
    std::uint64_t live_bytes = 0; ///< what malloc spends on the live blocks, its headers included
};

[[nodiscard]] allocation_totals allocated() noexcept;
/// For good: from now on, an allocation costs next to nothing more than it does elsewhere.
void stop_counting() noexcept;

/// One kind of block: those of one size that were asked for at one place.
struct allocation_site {
    static constexpr std::size_t depth = 24;

    std::uint64_t made = 0;             ///< how many
    std::uint64_t alive = 0;            ///< how many of them are still there
    std::uint64_t size = 0;             ///< bytes asked for, each
    std::array<void*, depth> callers{}; ///< innermost first; return addresses, null at the end
};

/// From now on, until `recorded_sites`, remembers where blocks come from. Slow.
void record_sites();
/// What was allocated since, in no particular order.
[[nodiscard]] std::vector<allocation_site> recorded_sites();

} // namespace muster::guards
