#pragma once

#include <cstddef>

namespace muster::detail {

/// Memory for an event's record. A record of the common size that was freed is used again, so that
/// a steady flow of events does not reach malloc, also where one thread makes what another frees.
///
/// Each thread keeps up to two batches of `records_in_batch` until it ends (24 KB), the process up
/// to `batches_in_depot` more for all threads (1.5 MB); a thread goes to them, and to their lock,
/// once a batch (Bonwick and Adams, "Magazines and Vmem", 2001). O(1), any thread. Under
/// AddressSanitizer every record is allocated, so that it finds what is used too late.
[[nodiscard]] void* allocate_event(std::size_t size);
/// Takes back what `allocate_event(size)` gave.
void deallocate_event(void* place, std::size_t size) noexcept;

inline constexpr std::size_t common_event_size = 96;
inline constexpr std::size_t records_in_batch = 128;
inline constexpr std::size_t batches_in_depot = 128;

} // namespace muster::detail
