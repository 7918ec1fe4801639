#include "workloads/shared/workload.hpp"

#include <algorithm>

namespace muster::work {

const workload* registry::find(std::string_view name) const {
    const auto found = std::find_if(all_.begin(), all_.end(),
                                    [&](const workload& each) { return each.name == name; });
    return found == all_.end() ? nullptr : &*found;
}

} // namespace muster::work
