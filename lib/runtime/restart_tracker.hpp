#pragma once

#include <muster/runtime/options.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace muster::detail {

/// Decides whether and when a worker that ended by itself is started anew: ends flow in, delays
/// flow out. The rule alone, without a clock: the caller says what time it is.
///
/// At most `max_restarts` within any `window`; the delay doubles with each restart in the window,
/// from `initial_delay` up to `max_delay`.
class restart_tracker {
public:
    using time_point = std::chrono::steady_clock::time_point;

    explicit restart_tracker(const restart_policy& policy) : policy_{policy} {}

    /// Whether an end of this kind is followed by a restart at all.
    [[nodiscard]] bool applies(bool crash) const noexcept {
        return policy_.when == restart_policy::mode::always ||
               (policy_.when == restart_policy::mode::on_crash && crash);
    }

    /// The worker ended at `now`: the delay until its restart, or nothing if there have been too
    /// many.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> next(time_point now);

    /// Restarts that were granted so far.
    [[nodiscard]] std::uint32_t total() const noexcept { return total_; }

private:
    restart_policy policy_;
    std::deque<time_point> recent_; ///< restarts within the window, oldest first
    std::uint32_t total_ = 0;
};

} // namespace muster::detail
