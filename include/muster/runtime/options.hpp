#pragma once

#include <muster/checkpoint/policy.hpp>
#include <muster/fanout/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace muster {

class time_source;

/// Whether a worker that ended by itself is started anew. A kill is never undone.
class restart_policy {
public:
    enum class mode : std::uint8_t { never, on_crash, always };

    mode when = mode::never;
    std::chrono::nanoseconds initial_delay = std::chrono::milliseconds{100};
    std::chrono::nanoseconds max_delay = std::chrono::seconds{30}; ///< the delay doubles up to here
    std::uint32_t max_restarts = 5; ///< within `window`; one more and the session ends as it did
    std::chrono::nanoseconds window = std::chrono::seconds{60};

    restart_policy() = default;
    explicit restart_policy(mode restart_when) : when{restart_when} {}

    /// Throws `error{errc::configuration}`: delays not positive, max < initial, no window, no
    /// restarts.
    void validate() const;
};

/// What happens to a running session that says nothing for a while.
class silence_policy {
public:
    enum class action : std::uint8_t { observe, prompt, kill };

    std::chrono::nanoseconds after{0}; ///< 0: off
    action then = action::observe;

    silence_policy() = default;
    silence_policy(std::chrono::nanoseconds silent_for, action what_then)
        : after{silent_for}, then{what_then} {}
};

/// Limits on what `spawn` accepts.
class admission_limits {
public:
    std::size_t max_sessions = 0; ///< sessions that exist, terminal ones included; 0: no limit
    std::size_t max_concurrent_spawns =
        0; ///< more wait in a queue, first come first served; 0: no limit
    double max_spawns_per_second = 0; ///< more wait in the queue; at least 1e-9; 0: no limit
    std::uint64_t memory_high_water_bytes =
        0; ///< resident bytes above which spawns wait; 0: no limit

    admission_limits() = default;

    /// Throws `error{errc::configuration}`: a rate that is neither 0 nor at least 1e-9 and finite.
    void validate() const;
};

/// When terminal sessions are removed by themselves.
class terminal_retention {
public:
    std::size_t max_count = 0;           ///< the oldest beyond so many go; 0: no limit
    std::chrono::nanoseconds max_age{0}; ///< those that ended so long ago go; 0: no limit

    terminal_retention() = default;
};

/// How a runtime behaves; fixed at its construction.
class runtime_options {
public:
    checkpoint_policy checkpoint; ///< for sessions that bring none of their own
    bool metrics_enabled = true;
    retention session_retention{
        64, std::uint64_t{256} * 1024}; ///< per session, for subscribers that start in the past
    retention global_retention{1024, std::uint64_t{4} * 1024 * 1024};
    admission_limits admission;
    terminal_retention terminal;
    /// Null: the system's steady clock. Must outlive the runtime, its subscriptions, and what the
    /// context still runs of it after its destruction.
    time_source* time = nullptr;

    runtime_options() = default;

    /// Throws `error{errc::configuration}` naming what is wrong.
    void validate() const;
};

/// What one session does differently from the rest.
class spawn_options {
public:
    std::optional<checkpoint_policy> checkpoint; ///< nothing: the runtime's
    restart_policy restart;
    silence_policy silence;

    spawn_options() = default;
    explicit spawn_options(checkpoint_policy own_checkpoint)
        : checkpoint{std::move(own_checkpoint)} {}

    /// Throws `error{errc::configuration}` naming what is wrong.
    void validate() const;
};

} // namespace muster
