#include "restart_tracker.hpp"

#include <algorithm>

namespace muster::detail {

std::optional<std::chrono::nanoseconds> restart_tracker::next(time_point now) {
    while (!recent_.empty() && now - recent_.front() >= policy_.window) {
        recent_.pop_front();
    }
    if (recent_.size() >= policy_.max_restarts) {
        return std::nullopt;
    }
    auto delay = policy_.initial_delay;
    for (std::size_t step = 0; step < recent_.size() && delay < policy_.max_delay; ++step) {
        delay = delay > policy_.max_delay / 2 ? policy_.max_delay : delay * 2;
    }
    recent_.push_back(now);
    ++total_;
    return std::min(delay, policy_.max_delay);
}

} // namespace muster::detail
