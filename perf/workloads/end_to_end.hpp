#pragma once

#include "workloads/house.hpp"
#include "workloads/shared/measure.hpp"
#include "workloads/shared/params.hpp"

#include <cstdint>
#include <string>

namespace muster::work {

[[nodiscard]] hand_over hand_over_of(const std::string& name);

/// Every event goes to a session's and to a global subscriber, both draining. Public, since the
/// cost of the metrics is measured with it.
struct end_to_end : session_options {
    std::uint64_t events = 4'000;
    std::uint64_t burst = 16;
    std::uint64_t global_capacity = 0;
    std::uint64_t payload = 64;
    std::uint64_t threads = 1;
    std::string hand_over = "one_by_one";

    void declare(param_set& params);
    /// Throws `usage_error` for what does not fit together.
    void check() const;
    [[nodiscard]] outcome measure(bool metrics) const;
    [[nodiscard]] outcome run() const;

    /// What the global subscriber may lag.
    [[nodiscard]] std::uint64_t round_capacity() const {
        return global_capacity == 0 ? sessions * burst : global_capacity;
    }
};

} // namespace muster::work
