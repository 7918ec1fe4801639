#pragma once

#include "runtime_core.hpp"

namespace muster::detail {

/// One spawn, on the new session's strand: reserves the id, starts the session, and forgets it
/// again if that fails.
session_awaitable<> spawn_session(core_ptr core, session_ptr added, spawn_request request);

} // namespace muster::detail
