#pragma once

// The reading side of broadcast_log: where cursors stand and what they get. What they have lost is
// in broadcast_log_lag.hpp.

#include <muster/fanout/broadcast_log.hpp>

namespace muster {

// --- positions ----------------------------------------------------------------------------------

template <typename T, std::size_t Slots>
std::uint64_t broadcast_log<T, Slots>::weight_before(std::uint64_t index) const noexcept {
    if (index == head_) {
        return weight_;
    }
    return index == base_ ? dropped_weight_ : slot_at(index - 1).weight_through;
}

template <typename T, std::size_t Slots>
std::uint64_t broadcast_log<T, Slots>::sequence_before(std::uint64_t index) const noexcept {
    if (index == head_) {
        return last_sequence_;
    }
    return index == base_ ? dropped_sequence_ : slot_at(index - 1).sequence;
}

template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::holder_of(std::uint64_t index) const noexcept -> segment* {
    segment* candidate = detached_;
    while (candidate != nullptr && !candidate->covers(index)) {
        candidate = candidate->next;
    }
    return candidate;
}

template <typename T, std::size_t Slots>
std::uint64_t broadcast_log<T, Slots>::sequence_of(const cursor& reader) const noexcept {
    if (reader.lost) {
        return reader.lost_sequence;
    }
    if (reader.index == head_) {
        return last_sequence_ + 1;
    }
    return oldest_known(reader, reader.index).sequence;
}

// The first index from `low` on whose slot has `reached`; head_ if there is none.
template <typename T, std::size_t Slots>
template <typename Reached>
std::uint64_t broadcast_log<T, Slots>::first_index(std::uint64_t low,
                                                   Reached reached) const noexcept {
    std::uint64_t high = head_;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (reached(slot_at(middle))) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

// The index from which on the newest events are within both bounds.
template <typename T, std::size_t Slots>
std::uint64_t broadcast_log<T, Slots>::within(std::uint64_t events,
                                              std::uint64_t bytes) const noexcept {
    if (ring_.empty()) {
        return head_;
    }
    const std::uint64_t low = std::max(base_, head_ - std::min(events, head_));
    if (weight_ - weight_before(low) <= bytes) {
        return low;
    }
    const std::uint64_t excess = weight_ - bytes;
    return 1 + first_index(low, [=](const slot& s) { return s.weight_through >= excess; });
}

template <typename T, std::size_t Slots>
std::uint64_t broadcast_log<T, Slots>::retained_from() const noexcept {
    return within(retention_.events, retention_.bytes);
}

// The oldest index that the reader's capacity still covers, or where it stands if that is newer.
template <typename T, std::size_t Slots>
std::uint64_t broadcast_log<T, Slots>::reach_of(const cursor& reader) const noexcept {
    if (head_ - reader.index <= reader.capacity &&
        weight_ - reader.weight <= reader.capacity_bytes) {
        return reader.index;
    }
    const std::uint64_t covered = within(reader.capacity, reader.capacity_bytes);
    return std::max<std::uint64_t>(reader.index, std::min(covered, head_ - 1));
}

template <typename T, std::size_t Slots>
std::uint64_t broadcast_log<T, Slots>::oldest_kept() const noexcept {
    const std::uint64_t index = retained_from();
    return index == head_ ? last_sequence_ + 1 : slot_at(index).sequence;
}

// --- cursors ------------------------------------------------------------------------------------

template <typename T, std::size_t Slots>
subscribe_failure broadcast_log<T, Slots>::subscribe(cursor& reader,
                                                     start_position start) noexcept {
    assert(reader.capacity != 0 && reader.capacity_bytes != 0);
    std::uint64_t index = head_;
    if (start.which() != start_position::kind::latest) {
        const std::uint64_t kept = retained_from();
        if (start.which() == start_position::kind::last) {
            index = std::max(kept, head_ - std::min(start.value(), head_));
        } else if (const std::uint64_t wanted = start.value(); wanted <= last_sequence_) {
            if (kept != 0 && wanted <= sequence_before(kept)) {
                return {make_error_code(errc::stream_expired), oldest_kept()};
            }
            index = first_index(kept, [=](const slot& s) { return s.sequence >= wanted; });
        }
    }
    reader.index = index;
    reader.weight = weight_before(index);
    link_reader(reader);
    enter(reader);
    return {};
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::unsubscribe(cursor& reader, waste& freed) noexcept {
    if (!reader.linked()) {
        return;
    }
    if (reader.replay != nullptr) {
        unpin(*std::exchange(reader.replay, nullptr), freed);
    }
    leave(reader, freed);
    latest_.unlink(reader.bookmark);
    reader.bookmark_placed = false;
    unlink_reader(reader);
    if (!keeping()) {
        clear_ring(freed);
        free_retired(freed);
    } else {
        collect(freed, false);
    }
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::link_reader(cursor& reader) noexcept {
    if (readers_ == nullptr) {
        reader.next_reader = reader.previous_reader = &reader;
        readers_ = &reader;
    } else {
        reader.next_reader = readers_;
        reader.previous_reader = readers_->previous_reader;
        reader.previous_reader->next_reader = reader.next_reader->previous_reader = &reader;
    }
    ++cursors_;
    widest_events_.add(reader.capacity);
    widest_bytes_.add(reader.capacity_bytes);
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::unlink_reader(cursor& reader) noexcept {
    reader.previous_reader->next_reader = reader.next_reader;
    reader.next_reader->previous_reader = reader.previous_reader;
    if (readers_ == &reader) {
        readers_ = reader.next_reader == &reader ? nullptr : reader.next_reader;
    }
    reader.next_reader = reader.previous_reader = nullptr;
    --cursors_;
    if (!widest_events_.remove(reader.capacity)) {
        for_each_cursor([this](const cursor& other) { widest_events_.add(other.capacity); });
    }
    if (!widest_bytes_.remove(reader.capacity_bytes)) {
        for_each_cursor([this](const cursor& other) { widest_bytes_.add(other.capacity_bytes); });
    }
}

template <typename T, std::size_t Slots>
template <typename Visitor>
void broadcast_log<T, Slots>::for_each_cursor(Visitor&& visit) const {
    const cursor* reader = readers_;
    for (std::size_t i = 0; i < cursors_; ++i, reader = reader->next_reader) {
        visit(*reader);
    }
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::enter(cursor& reader) noexcept {
    reader.lost = false;
    if (in_ring(reader.index)) {
        reader.here = at(reader.index);
        ++reader.here->readers;
    } else {
        assert(reader.index == head_);
        ++parked_;
    }
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::leave(cursor& reader, waste& freed) noexcept {
    reader.here = nullptr;
    if (reader.lost) {
        --behind_;
    } else if (in_ring(reader.index)) {
        --at(reader.index)->readers;
    } else if (reader.index == head_) {
        --parked_;
    } else {
        segment* const holder = holder_of(reader.index);
        --holder->readers;
        --behind_;
        free_if_idle(*holder, freed);
    }
}

// --- reading ------------------------------------------------------------------------------------

template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::look(cursor& reader, piece& out, waste& freed) -> found {
    if (reader.replay != nullptr) {
        const std::uint32_t next = reader.replay_next;
        out = {reader.replay, next, reader.replay_end - next, {}};
        return found::events;
    }
    if (reader.index == head_) {
        return found::nothing;
    }
    out.missing = {};
    if (const std::uint64_t reach = reach_of(reader); reach != reader.index) [[unlikely]] {
        if (const found result = catch_up(reader, reach, out, freed);
            result != found::events || reader.replay != nullptr) {
            return result;
        }
    }
    segment* const source = at(reader.index);
    const auto first = static_cast<std::uint32_t>(reader.index - source->base);
    const auto filled = source == tail_ ? tail_used_ : static_cast<std::uint32_t>(Slots);
    out.source = source;
    out.first = first;
    out.count = filled - first;
    return found::events;
}

template <typename T, std::size_t Slots>
std::uint64_t broadcast_log<T, Slots>::consume(cursor& reader, const piece& read,
                                               std::uint32_t count, waste& freed) noexcept {
    segment& source = *read.source;
    const std::uint32_t end = read.first + count;
    const std::uint64_t through = source.slots[end - 1].weight_through;
    std::uint64_t bytes = through;
    if (&source == reader.replay) {
        bytes -= read.first == 0 ? 0 : source.slots[read.first - 1].weight_through;
        reader.replay_next = static_cast<std::uint8_t>(end);
        if (end == reader.replay_end) {
            reader.replay = nullptr;
            unpin(source, freed);
        }
    } else {
        bytes -= reader.weight;
        step_over(reader, source, count, freed);
    }
    reader.delivered_events += count;
    reader.delivered_bytes += bytes;
    return bytes;
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::step_over(cursor& reader, segment& source, std::uint32_t count,
                                        waste& freed) noexcept {
    const auto end = static_cast<std::uint32_t>(reader.index - source.base) + count;
    reader.index += count;
    reader.weight = source.slots[end - 1].weight_through;
    reader.here = &source;
    if (end == Slots) {
        reader.here = nullptr;
        --source.readers;
        enter(reader);
        if (source.readers == 0) {
            collect(freed, false);
        }
    }
}

// --- inspection ---------------------------------------------------------------------------------

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::inspect(const cursor& reader, subscriber_info& out) const noexcept {
    out.capacity = reader.capacity;
    out.delivered_events = reader.delivered_events;
    out.delivered_bytes = reader.delivered_bytes;
    out.lagged_events = reader.lagged_events;
    out.lagged_bytes = reader.lagged_bytes;
    out.gaps = reader.gaps;
    out.disconnected = reader.disconnected;
    if (!reader.linked()) {
        return;
    }
    cursor seen; // where the reader stands: it may go on while we look
    seen.index = reader.index;
    seen.weight = reader.weight;
    seen.capacity = reader.capacity;
    seen.capacity_bytes = reader.capacity_bytes;
    seen.lost = reader.lost;
    seen.lost_sequence = reader.lost_sequence;
    const std::uint64_t reach = reach_of(seen);
    out.next_sequence = sequence_of(seen);
    out.unread_events = head_ - seen.index;
    out.unread_bytes = weight_ - seen.weight;
    out.overrun_events = reach - seen.index;
    out.overrun_bytes = reach == seen.index ? 0 : weight_before(reach) - seen.weight;
    out.disconnected |= reach != seen.index && reader.overflow == overflow_policy::disconnect;
    if (const segment* const replay = reader.replay) {
        const std::uint32_t next = reader.replay_next;
        out.unread_events += reader.replay_end - next;
        out.unread_bytes += replay->slots[reader.replay_end - 1].weight_through -
                            (next == 0 ? 0 : replay->slots[next - 1].weight_through);
        out.oldest_unread_time = broadcast_traits<T>::time(replay->slots[next].value);
    } else if (seen.index != head_) {
        out.oldest_unread_time = broadcast_traits<T>::time(oldest_known(seen, reach).value);
    }
}

// The reader's next event, also if it is out of its reach; if nothing holds that any more, the next
// that is in its reach.
template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::oldest_known(const cursor& reader, std::uint64_t reach) const noexcept
    -> const slot& {
    if (reader.lost) {
        return slot_at(reach);
    }
    if (in_ring(reader.index)) {
        return slot_at(reader.index);
    }
    const segment* const holder = holder_of(reader.index);
    return holder->slots[reader.index - holder->base];
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::check_invariants() const {
    std::size_t inside = 0;
    std::size_t outside = 0;
    for (std::size_t i = 0; i < ring_.size(); ++i) {
        inside += ring_[i]->readers;
        assert(ring_[i]->base == base_ + i * Slots && !ring_[i]->detached);
    }
    for (const segment* s = detached_; s != nullptr; s = s->next) {
        outside += s->readers;
        assert(s->detached && s->listed && !s->idle());
    }
    std::size_t lost = 0;
    for_each_cursor([&](const cursor& reader) { lost += reader.lost ? 1 : 0; });
    assert(outside + lost == behind_ && inside + parked_ + behind_ == cursors_);
    assert(keeping() || ring_.empty());
    assert(ring_.empty() || base_ + ring_.size() * Slots >= head_);
    static_cast<void>(inside), static_cast<void>(outside), static_cast<void>(lost);
}

} // namespace muster
