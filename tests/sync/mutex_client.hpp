#pragma once

#include <muster/sync/shared_mutex_core.hpp>

#include <vector>

namespace muster::test {

/// One who wants the lock of a bare core; nobody resumes it.
class client final : public shared_mutex_core::waiter {};
using phase = shared_mutex_core::waiter::phase;

/// Who is in the list, in order.
inline std::vector<const void*> listed(shared_mutex_core::waiter_list list) {
    std::vector<const void*> all;
    while (auto* w = list.pop()) {
        all.push_back(w);
    }
    return all;
}

} // namespace muster::test
