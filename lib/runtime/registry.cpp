#include "registry.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

namespace muster::detail {

session_ptr registry::get(const session_id& id) const {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) {
        throw error{errc::session_not_found,
                    "there is no session '" + id.str() + "': spawn it, or see list()"};
    }
    return session_ptr{*found};
}

std::vector<session_ptr> registry::all() const {
    std::vector<session_ptr> found;
    found.reserve(by_id_.size());
    std::copy_if(by_place_.begin(), by_place_.end(), std::back_inserter(found),
                 [](const session_ptr& place) { return place != nullptr; });
    return found;
}

bool registry::insert(session_ptr added) {
    if (!by_id_.insert(added.get()).second) {
        return false;
    }
    if (free_places_.empty()) {
        added->place = static_cast<std::uint32_t>(by_place_.size());
        by_place_.push_back(std::move(added));
        return true;
    }
    added->place = free_places_.back();
    free_places_.pop_back();
    by_place_[added->place] = std::move(added);
    return true;
}

void registry::remove(session& removed, const session_counter_values& counted) {
    const auto place = removed.place;
    {
        std::lock_guard lock{scans_lock_};
        for (auto* under_way : scans_) {
            if (place >= under_way->next) {
                under_way->missed.add(counted);
            }
        }
    }
    by_id_.erase(&removed);
    free_places_.push_back(place);
    by_place_[place].reset(); // last: it may be the last reference
}

std::vector<session_ptr> registry::clear() {
    auto removed = all();
    by_id_.clear();
    by_place_.clear();
    free_places_.clear();
    return removed;
}

void registry::begin(scan& started) const {
    std::lock_guard lock{scans_lock_};
    scans_.push_back(&started);
}

void registry::end(scan& finished) const noexcept {
    std::lock_guard lock{scans_lock_};
    std::erase(scans_, &finished);
}

} // namespace muster::detail
