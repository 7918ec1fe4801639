#pragma once

#include <cstddef>

namespace muster::detail {

/// Memory for an event's record. A record of the common size that was freed on this thread is used
/// again, so that a steady flow of events does not reach malloc.
///
/// Each thread keeps up to `spare_events` records until it ends, at most 192 KB. O(1), any thread,
/// also where the record was made by another one. Under AddressSanitizer every record is
/// allocated, so that it finds what is used too late.
[[nodiscard]] void* allocate_event(std::size_t size);
/// Takes back what `allocate_event(size)` gave.
void deallocate_event(void* place, std::size_t size) noexcept;

inline constexpr std::size_t common_event_size = 96;
inline constexpr std::size_t spare_events = 2048;

} // namespace muster::detail
