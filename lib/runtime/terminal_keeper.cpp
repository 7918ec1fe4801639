#include "terminal_keeper.hpp"

#include "runtime_core.hpp"

#include <muster/detail/later.hpp>

#include <iterator>
#include <utility>

namespace muster::detail {

terminal_keeper::terminal_keeper(runtime_core& core, const wheel_service& timers,
                                 const terminal_retention& limits)
    : core_{core}, timers_{timers}, limits_{limits}, next_{timers} {}

void terminal_keeper::keep(session_ptr ended) {
    if (!limits_anything()) {
        return;
    }
    const std::lock_guard lock{mutex_};
    if (!closed_) {
        const auto* const key = ended.get();
        kept_.push_back({std::move(ended), timers_.state()->source().now()});
        places_.emplace(key, std::prev(kept_.end()));
        look();
    }
}

void terminal_keeper::forget(const session& removed) {
    if (!limits_anything()) {
        return;
    }
    std::list<kept> released; // not under the lock
    const std::lock_guard lock{mutex_};
    const auto found = places_.find(&removed);
    if (found == places_.end()) {
        return;
    }
    released.splice(released.end(), kept_, found->second);
    places_.erase(found);
    if (kept_.empty()) {
        next_.cancel();
    }
}

bool terminal_keeper::is_over(const kept& oldest, time_point now) const noexcept {
    return (limits_.max_count != 0 && kept_.size() > limits_.max_count) ||
           (limits_.max_age.count() != 0 && now - oldest.since >= limits_.max_age);
}

/// Under the lock. Removes whoever is over, and sees to being called when the next one is.
void terminal_keeper::look() {
    const auto now = timers_.state()->source().now();
    while (!kept_.empty() && is_over(kept_.front(), now)) {
        places_.erase(kept_.front().session.get());
        remove(std::move(kept_.front().session));
        kept_.pop_front();
    }
    if (kept_.empty() || limits_.max_age.count() == 0) {
        return;
    }
    next_.expires_at(later(kept_.front().since, limits_.max_age));
    // An expired wait can no longer be cancelled, so it keeps us; `close` ends the others.
    next_.async_wait([this, core = core_ptr{&core_}](sys::error_code cancelled) {
        if (!cancelled) {
            const std::lock_guard lock{mutex_};
            look();
        }
    });
}

void terminal_keeper::remove(session_ptr over) {
    // Takes the lock over, so that it goes before the core.
    core_.lock.async_lock(
        [core = core_ptr{&core_}, over = std::move(over)](sys::error_code aborted, unique_lock) {
            if (!aborted) {
                core->forget(*over);
            }
        });
}

void terminal_keeper::close() noexcept {
    std::list<kept> released; // sessions may be freed here, so not under the lock
    const std::lock_guard lock{mutex_};
    closed_ = true;
    released.swap(kept_);
    places_.clear();
    next_.cancel();
}

} // namespace muster::detail
