#pragma once

#include "harness/scenario.hpp"

#include <muster/backend/script.hpp>
#include <muster/runtime.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace muster::perf {

/// Runs `work` on the context, on this thread, until it has ended, and throws what it threw; an
/// error if it takes longer than `limit`.
void drive(asio::io_context& context, asio::awaitable<void> work,
           std::chrono::nanoseconds limit = std::chrono::seconds{120});

/// Waits for a real time.
[[nodiscard]] asio::awaitable<void> pause(std::chrono::nanoseconds duration);

/// The name of the session with that number.
[[nodiscard]] session_id session_name(std::size_t number);

/// Spawns `sessions` in-process sessions, one after the other.
[[nodiscard]] asio::awaitable<void> spawn_all(runtime& supervisor, std::size_t sessions);

/// Waits until the runtime has received so many events.
[[nodiscard]] asio::awaitable<void> until_received(runtime& supervisor, std::uint64_t events);

/// In-process sessions that all follow the same script.
[[nodiscard]] std::shared_ptr<script_backend> scripted(script every_session);

/// The text of the `number`-th of 40 output lines.
[[nodiscard]] std::string output_line(std::size_t number);

/// Ends a repetition that has left all sessions alone: snapshot, totals and the check that nothing
/// was cloned.
[[nodiscard]] asio::awaitable<void> keep_snapshot(runtime& supervisor, repetition& run);

/// `total / count`, or not a number for none.
[[nodiscard]] double ratio(double total, double count);

} // namespace muster::perf
