#pragma once

#include "runtime_core.hpp"

namespace muster::detail {

/// Kills all sessions of `core` at once and waits until their workers are gone or `deadline` has
/// passed; runs on `strand`, its own. The runtime has refused spawns before.
session_awaitable<> shut_down(core_ptr core, session_executor strand,
                              std::chrono::nanoseconds deadline, shutdown_report& report);

} // namespace muster::detail
