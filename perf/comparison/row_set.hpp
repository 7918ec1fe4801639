#pragma once

#include "comparison/row.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

// What the files that list the rows have in common.

namespace muster::perf {

using row_set = std::vector<row>;

inline row& add(row_set& all, std::string name, std::string what) {
    return all.emplace_back(std::move(name), std::move(what));
}

/// The figure itself: at most, or at least, as its direction says.
inline target itself(double limit) {
    return {std::nullopt, limit};
}

/// So many times better than that peer.
inline target times(peer whom, double factor) {
    return {whom, factor};
}

inline std::string text(std::size_t number) {
    return std::to_string(number);
}

/// publish and its kin, and every way to receive.
void add_channel_rows(row_set& all);
/// Rows without a peer.
void add_rows_alone(row_set& all);

} // namespace muster::perf
