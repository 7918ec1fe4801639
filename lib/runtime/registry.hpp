#pragma once

#include "session.hpp"

#include <muster/metrics/counter.hpp>

#include <boost/unordered/unordered_flat_set.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace muster::detail {

/// All sessions by id and by place; owns one reference to each. Guarded by the runtime's
/// shared_mutex: the members that are not const need the write lock, the others the read lock.
///
/// A session keeps its place until it is removed, and places are reused; so a scan may let go of
/// the lock between any two places without missing a session that was there all the time, or seeing
/// one twice.
class registry {
public:
    /// A walk over all places that lets others in now and then; hears of what is removed meanwhile.
    struct scan {
        std::size_t next = 0; ///< the first place that has not been visited
        session_counter_values
            missed; ///< what removed sessions had counted that will not be visited
    };

    registry() = default;
    registry(const registry&) = delete;
    registry& operator=(const registry&) = delete;

    [[nodiscard]] bool contains(const session& looked_for) const noexcept {
        return looked_for.place < by_place_.size() &&
               by_place_[looked_for.place].get() == &looked_for;
    }
    /// The session of that id. Throws `session_not_found`.
    [[nodiscard]] session_ptr get(const session_id& id) const;
    [[nodiscard]] std::size_t size() const noexcept { return by_id_.size(); }
    /// Places, free ones included.
    [[nodiscard]] std::size_t places() const noexcept { return by_place_.size(); }
    /// The session at a place, or null.
    [[nodiscard]] const session_ptr& at(std::size_t place) const noexcept {
        return by_place_[place];
    }
    /// All sessions, in no particular order.
    [[nodiscard]] std::vector<session_ptr> all() const;

    /// False if the id is taken; then nothing has changed.
    bool insert(session_ptr added);
    /// Removes a session that is in here; tells the scans under way what it had counted.
    void remove(session& removed, const session_counter_values& counted);
    /// Removes and returns everything.
    [[nodiscard]] std::vector<session_ptr> clear();

    /// Scans may be begun and ended under the read lock, too: they have a lock of their own.
    void begin(scan& started) const;
    void end(scan& finished) const noexcept;

private:
    struct hash_id {
        using is_transparent = void;
        using is_avalanching = void; // the standard library's hash of the characters is
        std::size_t operator()(const session_id& id) const noexcept { return id.hash(); }
        std::size_t operator()(const session* of) const noexcept { return of->id().hash(); }
    };
    struct equal_id {
        using is_transparent = void;
        bool operator()(const session* a, const session* b) const noexcept {
            return a->id() == b->id();
        }
        bool operator()(const session_id& a, const session* b) const noexcept {
            return a == b->id();
        }
        bool operator()(const session* a, const session_id& b) const noexcept {
            return a->id() == b;
        }
    };

    boost::unordered_flat_set<session*, hash_id, equal_id> by_id_;
    std::vector<session_ptr> by_place_;
    std::vector<std::uint32_t> free_places_;
    mutable std::mutex scans_lock_;
    mutable std::vector<scan*> scans_;
};

} // namespace muster::detail
