#pragma once

#include "harness/work_scenario.hpp"

#include <cstdint>

namespace muster::perf {

/// The checksum of an end_to_end run: each event's first byte and length, delivered twice.
[[nodiscard]] inline std::uint64_t sum_of_weights(const work_values& values) {
    std::uint64_t sum = 0;
    for (std::uint64_t k = 0; k < values.number("events"); ++k) {
        sum += 'a' + k % 16 + values.number("payload");
    }
    return 2 * values.number("sessions") * sum;
}

} // namespace muster::perf
