#pragma once

#include "session.hpp"

#include <muster/runtime/options.hpp>
#include <muster/time/wheel_timer.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <list>
#include <mutex>

namespace muster::detail {

/// Terminal sessions flow in; they are removed when there are too many of them, or when they have
/// been over for too long. Does nothing, and costs nothing, without such a limit.
///
/// Thread-safe. The removal itself waits for the registry's write lock.
class terminal_keeper {
public:
    terminal_keeper(runtime_core& core, const wheel_service& timers,
                    const terminal_retention& limits);
    terminal_keeper(const terminal_keeper&) = delete;
    terminal_keeper& operator=(const terminal_keeper&) = delete;

    /// To be called before anybody may remove it.
    void keep(session_ptr ended);
    /// It has been removed, perhaps by hand.
    void forget(const session& removed);
    /// Lets go of all of them.
    void close() noexcept;

private:
    using time_point = std::chrono::steady_clock::time_point;
    struct kept {
        session_ptr session;
        time_point since;
    };

    [[nodiscard]] bool limits_anything() const noexcept {
        return limits_.max_count != 0 || limits_.max_age.count() != 0;
    }
    [[nodiscard]] bool is_over(const kept& oldest, time_point now) const noexcept;
    void look();
    void remove(session_ptr over);

    runtime_core& core_;
    const wheel_service& timers_;
    const terminal_retention limits_;
    std::mutex mutex_;     ///< guards what follows
    std::list<kept> kept_; ///< the oldest first
    boost::unordered_flat_map<const session*, std::list<kept>::iterator> places_;
    wheel_timer next_;
    bool closed_ = false;
};

} // namespace muster::detail
