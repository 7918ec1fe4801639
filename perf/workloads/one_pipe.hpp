#pragma once

#include <cstdint>

namespace muster::work {

/// What one pipe carries: has `cat /dev/zero` write into it, and returns how many nanoseconds it
/// takes to read `bytes` of that after the first ones have come. Throws `std::runtime_error`.
[[nodiscard]] std::uint64_t read_through_one_pipe(std::uint64_t bytes);

} // namespace muster::work
