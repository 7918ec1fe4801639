#pragma once

#include "runtime_core.hpp"

namespace muster::detail {

[[nodiscard]] asio::awaitable<runtime_snapshot> take_snapshot(core_ptr core);

} // namespace muster::detail
