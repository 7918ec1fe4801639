#pragma once

#include "guards/allocations.hpp"

#include <cstddef>
#include <vector>

namespace muster::guards {

/// What one session costs, on the average of many.
struct session_memory {
    double blocks = 0;
    double heap_bytes = 0;              ///< what malloc spends, its headers included
    double resident_bytes = 0;          ///< by the kernel; for orientation, not a guard
    std::vector<allocation_site> sites; ///< if they were recorded: of all sessions together
};

/// Spawns `sessions` in-process sessions, idle and with their checkpoint armed; `subscribed`: each
/// with one session subscriber that waits for nothing.
[[nodiscard]] session_memory measure_session_memory(std::size_t sessions, bool subscribed,
                                                    bool record);

} // namespace muster::guards
