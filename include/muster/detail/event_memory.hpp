#pragma once

#include <cstddef>

namespace muster::detail {

/// Memory for an event's record: of the common size from an arena of the process while there is
/// room (1.5 MB, for the first 16,384 that are alive at a time), else from malloc. A steady flow of
/// events does not reach malloc, also where one thread makes what another frees, and what is kept
/// for later does not lie between other people's blocks, which would then never become whole again.
///
/// Each thread keeps up to two batches of free records, and goes to the arena and its lock once a
/// batch (Bonwick and Adams, "Magazines and Vmem", 2001). O(1), any thread. Under AddressSanitizer
/// every record is allocated, so that it finds what is used too late.
[[nodiscard]] void* allocate_event(std::size_t size);
/// Takes back what `allocate_event(size)` gave.
void deallocate_event(void* place, std::size_t size) noexcept;

inline constexpr std::size_t common_event_size = 96;
inline constexpr std::size_t records_in_batch = 128;
inline constexpr std::size_t records_in_arena = 128 * records_in_batch;

} // namespace muster::detail
