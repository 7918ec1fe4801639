#pragma once

// The reading side of broadcast_log: where cursors stand, what they have lost, what they get.

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
    return std::max(reader.index, std::min(covered, head_ - 1));
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
    const std::uint64_t kept = retained_from();
    std::uint64_t index = head_;
    if (start.which() == start_position::kind::last) {
        index = std::max(kept, head_ - std::min(start.value(), head_));
    } else if (start.which() == start_position::kind::from_sequence &&
               start.value() <= last_sequence_) {
        const std::uint64_t wanted = start.value();
        if (kept != 0 && wanted <= sequence_before(kept)) {
            return {make_error_code(errc::stream_expired), oldest_kept()};
        }
        index = first_index(kept, [=](const slot& s) { return s.sequence >= wanted; });
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
        ++at(reader.index)->readers;
    } else {
        assert(reader.index == head_);
        ++parked_;
    }
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::leave(cursor& reader, waste& freed) noexcept {
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
        out = {reader.replay, reader.replay_next, reader.replay_end - reader.replay_next, {}};
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
        reader.replay_next = end;
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
    if (end == Slots) {
        --source.readers;
        enter(reader);
        if (source.readers == 0) {
            collect(freed, false);
        }
    }
}

template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::catch_up(cursor& reader, std::uint64_t reach, piece& out,
                                       waste& freed) -> found {
    if (reader.overflow == overflow_policy::disconnect) {
        disconnect(reader, out, freed);
        return found::lagged;
    }
    if (!latest_.empty() && !(seek(reader) && skip_passed(reader))) {
        return found::unfinished;
    }
    const node* const first =
        reader.bookmark_placed ? next_latest(&reader.bookmark, reach) : nullptr;
    const std::uint64_t first_sequence = sequence_of(reader);
    const passed_run run = first != nullptr ? copy_latest(reader, first, reach) : whole_run(reach);
    const std::uint64_t lost = run.index - reader.index - run.survivors;
    if (lost != 0) {
        out.missing = {first_sequence, run.last_lost, lost,
                       run.weight - reader.weight - run.survivor_weight};
        reader.lagged_events += lost;
        reader.lagged_bytes += out.missing.bytes;
        ++reader.gaps;
    }
    move_to(reader, run, freed);
    if (reader.replay != nullptr) {
        out.source = reader.replay;
        out.first = 0;
        out.count = reader.replay_end;
    }
    return found::events;
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::disconnect(cursor& reader, piece& out, waste& freed) noexcept {
    const std::uint64_t events = head_ - reader.index;
    out.missing = {sequence_of(reader), last_sequence_, events, weight_ - reader.weight};
    reader.lagged_events += events;
    reader.lagged_bytes += out.missing.bytes;
    ++reader.gaps;
    unsubscribe(reader, freed);
    reader.disconnected = true;
    reader.index = head_;
    reader.weight = weight_;
}

// Puts the bookmark before every latest value from the reader's index on. False: not yet there.
template <typename T, std::size_t Slots>
bool broadcast_log<T, Slots>::seek(cursor& reader) noexcept {
    if (reader.bookmark_placed) {
        return true;
    }
    link& mark = reader.bookmark;
    if (!mark.linked()) {
        latest_.push_back(mark);
    }
    link* place = &mark;
    for (std::size_t steps = 0; steps < search_budget && !reader.bookmark_placed; ++steps) {
        link* const before = place->previous;
        if (before == latest_.end() || (!before->bookmark && before->index < reader.index)) {
            reader.bookmark_placed = true;
        } else {
            place = before;
        }
    }
    if (place != &mark) {
        latest_.unlink(mark);
        latest_.insert_before(*place, mark);
    }
    return reader.bookmark_placed;
}

// Moves the bookmark over what the reader got from the ring since. False: not yet done.
template <typename T, std::size_t Slots>
bool broadcast_log<T, Slots>::skip_passed(cursor& reader) noexcept {
    link& mark = reader.bookmark;
    link* place = mark.next;
    std::size_t steps = 0;
    while (place != latest_.end() && steps < search_budget &&
           (place->bookmark || place->index < reader.index)) {
        place = place->next;
        ++steps;
    }
    if (place != mark.next) {
        latest_.unlink(mark);
        latest_.insert_before(*place, mark);
    }
    return steps < search_budget;
}

template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::next_latest(const link* from, std::uint64_t reach) const noexcept
    -> node* {
    link* candidate = from->next;
    while (candidate != latest_.end() && candidate->bookmark) {
        candidate = candidate->next;
    }
    const bool lost = candidate != latest_.end() && candidate->index < reach;
    return lost ? static_cast<node*>(candidate) : nullptr;
}

// Copies the latest values of the lost run, from `first` on, as many as fit into a segment. Those
// that nothing was lost before are copied alone, so that they come before the gap. The copy makes
// the moment of the poll the moment that counts: what is superseded later has been read before.
template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::copy_latest(cursor& reader, const node* first, std::uint64_t reach)
    -> passed_run {
    auto copy = std::make_unique_for_overwrite<segment>();
    const bool in_front = first->index == reader.index;
    const node* latest = first;
    const node* last = nullptr;
    std::uint64_t weight = 0;
    for (; latest != nullptr && copy->constructed < Slots; latest = next_latest(latest, reach)) {
        if (last != nullptr && latest->index != last->index + 1) {
            if (in_front) {
                break;
            }
            first = latest; // of those in a row at the end
        }
        copy->add_copy(*latest->value, latest->sequence, weight += latest->weight);
        last = latest;
    }
    passed_run run = whole_run(reach);
    if (in_front) {
        run = run_through(*last, reach);
    } else if (latest != nullptr) {
        run = {latest->index, latest->weight_through - latest->weight, latest->sequence,
               latest->sequence_before};
    }
    if (last->index + 1 == run.index) {
        run.last_lost = first->sequence_before;
    }
    run.survivors = copy->constructed;
    run.survivor_weight = weight;
    replay(reader, std::move(copy));
    return run;
}

template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::run_through(const node& last, std::uint64_t reach) const noexcept
    -> passed_run {
    const std::uint64_t next = last.index + 1;
    return {next, last.weight_through, next == reach ? 0 : last.sequence_after, 0};
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::replay(cursor& reader, std::unique_ptr<segment> copy) noexcept {
    copy->detached = true;
    pin(*copy);
    reader.replay_next = 0;
    reader.replay_end = copy->constructed;
    reader.replay = copy.release();
}

template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::whole_run(std::uint64_t reach) const noexcept -> passed_run {
    return {reach, weight_before(reach), 0, sequence_before(reach)};
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::move_to(cursor& reader, const passed_run& run,
                                      waste& freed) noexcept {
    leave(reader, freed);
    reader.index = run.index;
    reader.weight = run.weight;
    if (run.sequence != 0) {
        reader.lost = true;
        ++behind_;
        reader.lost_sequence = run.sequence;
    } else {
        enter(reader);
    }
    collect(freed, false);
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::hold_first(cursor& reader, const piece& read, waste& freed) {
    if (read.source == reader.replay) {
        return; // is held already
    }
    const slot& next = read.source->slots[read.first];
    auto copy = std::make_unique_for_overwrite<segment>();
    copy->add_copy(next.value, next.sequence, next.weight_through - reader.weight);
    replay(reader, std::move(copy));
    step_over(reader, *read.source, 1, freed);
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
    const std::uint64_t reach = reach_of(reader);
    out.next_sequence = sequence_of(reader);
    out.unread_events = head_ - reader.index;
    out.unread_bytes = weight_ - reader.weight;
    out.overrun_events = reach - reader.index;
    out.overrun_bytes = reach == reader.index ? 0 : weight_before(reach) - reader.weight;
    out.disconnected |= reach != reader.index && reader.overflow == overflow_policy::disconnect;
    if (const segment* const replay = reader.replay) {
        const std::uint32_t next = reader.replay_next;
        out.unread_events += reader.replay_end - next;
        out.unread_bytes += replay->slots[reader.replay_end - 1].weight_through -
                            (next == 0 ? 0 : replay->slots[next - 1].weight_through);
        out.oldest_unread_time = broadcast_traits<T>::time(replay->slots[next].value);
    } else if (reader.index != head_) {
        out.oldest_unread_time = broadcast_traits<T>::time(oldest_known(reader, reach).value);
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
    std::size_t listed = 0;
    for (const segment* s = detached_; s != nullptr; s = s->next, ++listed) {
        outside += s->readers;
        assert(s->detached && s->listed && !s->idle());
    }
    std::size_t lost = 0;
    for_each_cursor([&](const cursor& reader) { lost += reader.lost ? 1 : 0; });
    assert(outside + lost == behind_ && inside + parked_ + behind_ == cursors_);
    assert(listed == detached_count_ && (keeping() || ring_.empty()));
    assert(ring_.empty() || base_ + ring_.size() * Slots >= head_);
    static_cast<void>(inside), static_cast<void>(outside), static_cast<void>(lost),
        static_cast<void>(listed);
}

} // namespace muster
