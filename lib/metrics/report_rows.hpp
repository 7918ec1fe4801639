#pragma once

#include <muster/metrics/snapshot.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace muster::detail {

/// What a document says of sessions and of subscribers, `{"rows": […], "omitted": …}`, as text that
/// stands behind the name of one of its members: the worst first, at most `max_rows`.
[[nodiscard]] std::string rows_of(const std::vector<session_row>& all, std::size_t max_rows);
[[nodiscard]] std::string rows_of(const std::vector<subscriber_row>& all, std::size_t max_rows);

} // namespace muster::detail
