#pragma once

#include <muster/session/envelope.hpp>
#include <muster/session/session_id.hpp>
#include <muster/session/status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace muster {

/// One session as `status` and `list` show it; a plain value.
struct session_info {
    /// So many questions of a session are open at most; one more, and the oldest is dropped.
    static constexpr std::size_t max_open_questions = 64;

    session_id id;
    session_status status = session_status::starting;
    muster::visibility visibility = muster::visibility::background;
    bool turn_active = false;
    std::size_t queue_position = 0;  ///< while it waits to be spawned: its place, from 1
    std::uint32_t restarts = 0;      ///< how often the worker was started anew
    std::chrono::nanoseconds age{0}; ///< since the spawn; of a terminal session, its whole life
    std::vector<envelope> open_questions; ///< the `needs_input` events that nobody has answered yet
    std::uint64_t dropped_questions = 0;  ///< those that can no longer be answered: too many came
    envelope end;                         ///< the terminal event; empty while the session lives

    explicit session_info(session_id session) : id{std::move(session)} {}
};

} // namespace muster
