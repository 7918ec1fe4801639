#pragma once

// The lagging side of broadcast_log: what a cursor that fell behind has lost, and the latest values
// that survive.

#include <muster/fanout/broadcast_log.hpp>

namespace muster {

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
        if (before == latest_.end() ||
            (!before->bookmark && static_cast<node*>(before)->index < reader.index)) {
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
           (place->bookmark || static_cast<node*>(place)->index < reader.index)) {
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
    if (candidate == latest_.end()) {
        return nullptr;
    }
    auto* const latest = static_cast<node*>(candidate);
    return latest->index < reach ? latest : nullptr;
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
    reader.replay_end = static_cast<std::uint8_t>(copy->constructed);
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

} // namespace muster
