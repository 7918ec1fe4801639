#pragma once

#include <muster/runtime/event_subscription.hpp>
#include <muster/session/payloads.hpp>
#include <muster/session/session_id.hpp>

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <vector>

namespace muster::test {

/// One event as the subscriber that never lags has seen it.
struct published {
    session_id session;
    event_kind kind;
    std::uint64_t bytes;
    bool begins_turn;

    explicit published(const event_delivery& seen)
        : session{seen.value.session()}, kind{seen.value.kind()}, bytes{seen.bytes} {
        const auto* turn = seen.value.get_if<turn_state>();
        begins_turn = turn != nullptr && turn->active;
    }
};

/// All that was ever published, by sequence.
using history = std::map<std::uint64_t, published>;

/// What the worker of a session is at, by what it has said.
struct turn {
    bool active = false;
    bool asked = false; ///< a question, answered or not
};

/// Only what comes after `after` counts.
inline turn turn_of(const history& all, const session_id& session, std::uint64_t after) {
    turn now;
    for (auto each = all.upper_bound(after); each != all.end(); ++each) {
        const auto& said = each->second;
        if (!(said.session == session)) {
            continue;
        }
        if (said.kind == event_kind::turn_state) {
            now.active = said.begins_turn;
        } else if (said.kind == event_kind::restarted) {
            now = {};
        }
        now.asked |= said.kind == event_kind::needs_input;
    }
    return now;
}

/// One channel's part of the history: the runtime's, or that of one life of one session.
class channel_view {
public:
    struct entry {
        std::uint64_t sequence;
        std::uint64_t bytes;
    };

    /// `session` empty: the runtime's channel. Only what comes after `after` belongs to it.
    channel_view(const history& all, const std::optional<session_id>& session, std::uint64_t after)
        : after_{after} {
        for (auto each = all.upper_bound(after); each != all.end(); ++each) {
            if (!session || each->second.session == *session) {
                entries_.push_back({each->first, each->second.bytes});
            }
        }
    }

    /// Where `start` begins: the first sequence that a subscriber gets, or may get later; nothing
    /// if that is no longer kept.
    [[nodiscard]] std::optional<std::uint64_t> start(start_position from,
                                                     const retention& keep) const {
        const auto kept = kept_from(keep);
        auto index = entries_.size();
        if (from.which() == start_position::kind::last) {
            index = std::max(kept, index - std::min<std::size_t>(index, from.value()));
        } else if (from.which() == start_position::kind::from_sequence) {
            while (index != 0 && entries_[index - 1].sequence >= from.value()) {
                --index;
            }
        }
        return index < kept ? std::nullopt : std::optional{sequence_at(index)};
    }
    /// What a refusal names.
    [[nodiscard]] std::uint64_t oldest_kept(const retention& keep) const {
        return sequence_at(kept_from(keep));
    }

private:
    [[nodiscard]] std::size_t kept_from(const retention& keep) const {
        std::size_t from = entries_.size();
        std::uint64_t bytes = 0;
        while (from != 0 && entries_.size() - from < keep.events &&
               bytes + entries_[from - 1].bytes <= keep.bytes) {
            bytes += entries_[--from].bytes;
        }
        return from;
    }
    [[nodiscard]] std::uint64_t sequence_at(std::size_t index) const {
        if (index < entries_.size()) {
            return entries_[index].sequence;
        }
        return (entries_.empty() ? after_ : entries_.back().sequence) + 1;
    }

    std::uint64_t after_;
    std::vector<entry> entries_;
};

} // namespace muster::test
