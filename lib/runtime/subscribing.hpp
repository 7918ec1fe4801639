#pragma once

#include "runtime_core.hpp"

namespace muster::detail {

/// One subscription to a session, as a coroutine for any executor.
asio::awaitable<session_subscription> subscribe_session(core_ptr core, session_id id,
                                                        subscribe_options options);

} // namespace muster::detail
