#pragma once

// The publishing side of broadcast_log: appending, releasing segments, latest values.

#include <muster/fanout/broadcast_log.hpp>

namespace muster {

template <typename T, std::size_t Slots>
broadcast_log<T, Slots>::~broadcast_log() {
    assert(cursors_ == 0);
    retention_ = {};
    waste freed;
    clear_ring(freed);
    free_retired(freed);
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::resume(std::uint64_t events, std::uint64_t weight,
                                     std::uint64_t last_sequence) noexcept {
    assert(head_ == 0 && cursors_ == 0);
    head_ = events;
    weight_ = weight;
    last_sequence_ = last_sequence;
}

template <typename T, std::size_t Slots>
template <typename U>
void broadcast_log<T, Slots>::append(std::uint64_t sequence, U&& value, std::uint64_t weight,
                                     waste& out, conflation_slot<T>* key, home* key_home) {
    assert(sequence > last_sequence_);
    if (!keeping()) {
        count_only(sequence, weight, out, key);
        return;
    }
    if (tail_used_ == Slots) {
        roll(out);
    }
    if (has_former_value()) {
        out.replaced.emplace(tail_->replace(tail_used_, std::forward<U>(value)));
    } else {
        tail_->construct(tail_used_, std::forward<U>(value));
    }
    node* keyed = nullptr;
    if (key != nullptr) {
        keyed = &node_of(*key, key_home);
        make_latest(*keyed, tail_->slots[tail_used_].value, sequence, weight, out);
    }
    if (node* const before = std::exchange(newest_, keyed)) {
        before->sequence_after = sequence;
    }
    count_in(sequence, weight);
}

template <typename T, std::size_t Slots>
[[gnu::always_inline]] inline void
broadcast_log<T, Slots>::count_in(std::uint64_t sequence, std::uint64_t weight) noexcept {
    slot& newest = tail_->slots[tail_used_];
    newest.sequence = last_sequence_ = sequence;
    newest.weight_through = weight_ += weight;
    ++tail_used_;
    ++head_;
}

template <typename T, std::size_t Slots>
template <typename U>
[[gnu::always_inline]] inline T
broadcast_log<T, Slots>::overwrite(std::uint64_t sequence, U&& value, std::uint64_t weight) {
    assert(keeping() && has_room() && has_former_value() && sequence > last_sequence_);
    T replaced{tail_->replace(tail_used_, std::forward<U>(value))};
    count_in(sequence, weight);
    return replaced;
}

template <typename T, std::size_t Slots>
template <typename U>
[[gnu::always_inline]] inline void broadcast_log<T, Slots>::fill(std::uint64_t sequence, U&& value,
                                                                 std::uint64_t weight) {
    assert(keeping() && has_room() && !has_former_value() && sequence > last_sequence_);
    tail_->construct(tail_used_, std::forward<U>(value));
    count_in(sequence, weight);
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::count_only(std::uint64_t sequence, std::uint64_t weight, waste& out,
                                         conflation_slot<T>* key) noexcept {
    ++head_;
    weight_ += weight;
    last_sequence_ = sequence;
    if (key != nullptr && key->node_ != nullptr) {
        // Nobody can need the former value: readers to come start after it.
        latest_.unlink(*key->node_);
        std::swap(out.superseded, key->node_->value);
    }
}

// Opens a segment for the event at head_; first lets go of what nobody needs, so that in a steady
// state the oldest segment becomes the new one and its values die one by one as they are replaced.
template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::roll(waste& out) {
    collect(out, true);
    if (retired_first_ != nullptr) {
        sweep_retired(out);
    }
    ring_.reserve_one();
    segment* const fresh = take_spare();
    fresh->reset(head_);
    fresh->readers = std::exchange(parked_, 0);
    if (ring_.empty()) {
        base_ = head_;
        dropped_sequence_ = last_sequence_;
        dropped_weight_ = weight_;
    }
    ring_.push_back(fresh);
    tail_ = fresh;
    tail_used_ = 0;
}

template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::take_spare() -> segment* {
    if (spares_ == nullptr) {
        return new segment;
    }
    --spare_count_;
    return std::exchange(spares_, spares_->next);
}

template <typename T, std::size_t Slots>
bool broadcast_log<T, Slots>::restock(std::unique_ptr<segment>& emptied) noexcept {
    if (!keeping() || spare_count_ == spare_limit) {
        return false;
    }
    ++spare_count_;
    emptied->next = spares_;
    spares_ = emptied.release();
    return true;
}

// --- releasing ----------------------------------------------------------------------------------

template <typename T, std::size_t Slots>
bool broadcast_log<T, Slots>::releasable(const segment& oldest) const noexcept {
    const std::uint64_t end = base_ + Slots;
    if (end > head_) {
        return false; // still being filled
    }
    const std::uint64_t newer = head_ - end;
    const std::uint64_t newer_weight = weight_ - oldest.slots[Slots - 1].weight_through;
    if (newer < retention_.events && newer_weight <= retention_.bytes) {
        return false;
    }
    return (oldest.readers == 0 && behind_ == 0) || newer >= widest_events_.value ||
           newer_weight > widest_bytes_.value;
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::collect(waste& freed, bool reuse) noexcept {
    while (!ring_.empty() && releasable(*ring_.front())) {
        segment* const oldest = ring_.front();
        ring_.pop_front();
        base_ += Slots;
        dropped_sequence_ = oldest->slots[Slots - 1].sequence;
        dropped_weight_ = oldest->slots[Slots - 1].weight_through;
        if (oldest == tail_) {
            tail_ = nullptr; // it was full
        }
        if (reuse && oldest->idle() && spare_count_ < spare_limit) {
            ++spare_count_;
            oldest->next = std::exchange(spares_, oldest);
        } else {
            detach(*oldest, freed);
        }
    }
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::detach(segment& released, waste& freed) noexcept {
    released.detached = true;
    behind_ += released.readers;
    if (released.idle()) {
        freed.add(released);
        return;
    }
    released.listed = true;
    released.previous = nullptr;
    released.next = detached_;
    if (detached_ != nullptr) {
        detached_->previous = &released;
    }
    detached_ = &released;
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::free_if_idle(segment& detached, waste& freed) noexcept {
    if (!detached.detached || !detached.idle()) {
        return;
    }
    if (std::exchange(detached.listed, false)) {
        (detached.previous != nullptr ? detached.previous->next : detached_) = detached.next;
        if (detached.next != nullptr) {
            detached.next->previous = detached.previous;
        }
    }
    freed.add(detached);
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::unpin(segment& pinned, waste& freed) noexcept {
    --pinned.pins;
    free_if_idle(pinned, freed);
}

// Only when nothing is kept: the next event opens a new segment.
template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::clear_ring(waste& freed) noexcept {
    while (!ring_.empty()) {
        segment* const oldest = ring_.front();
        ring_.pop_front();
        detach(*oldest, freed);
    }
    ring_.release();
    tail_ = nullptr;
    tail_used_ = Slots;
    for (; spares_ != nullptr; --spare_count_) {
        segment* const spare = std::exchange(spares_, spares_->next);
        freed.add(*spare);
    }
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::end_retention(waste& freed) noexcept {
    retention_ = {};
    if (keeping()) {
        collect(freed, false);
    } else {
        clear_ring(freed);
        free_retired(freed);
    }
}

// --- latest values ------------------------------------------------------------------------------

template <typename T, std::size_t Slots>
auto broadcast_log<T, Slots>::node_of(conflation_slot<T>& key, home* key_home) -> node& {
    if (key.node_ == nullptr) {
        assert(key_home != nullptr);
        key.node_ = new node;
        key.node_->home = key_home;
    }
    assert(key.node_->home == key_home && "a conflation slot belongs to one channel");
    return *key.node_;
}

// Called before the event is counted, so that a throwing copy leaves the log as it was.
template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::make_latest(node& latest, const T& value, std::uint64_t sequence,
                                          std::uint64_t weight, waste& out) {
    out.superseded.emplace(value);
    std::swap(out.superseded, latest.value);
    latest_.unlink(latest);
    latest.index = head_;
    latest.sequence = sequence;
    latest.sequence_before = last_sequence_;
    latest.weight = weight;
    latest.weight_through = weight_ + weight;
    latest_.push_back(latest);
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::retire(node& given_up, waste& freed) noexcept {
    if (!given_up.linked() || !keeping()) {
        free_node(given_up, freed);
        return;
    }
    given_up.retired_next = nullptr;
    (retired_first_ == nullptr ? retired_first_ : retired_last_->retired_next) = &given_up;
    retired_last_ = &given_up;
    if (++retired_count_ > retired_limit_) {
        sweep_retired(freed);
    }
    if (retired_count_ > retired_limit_) {
        drop_oldest_retired(freed);
    }
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::drop_oldest_retired(waste& freed) noexcept {
    node* const oldest = retired_first_;
    retired_first_ = oldest->retired_next;
    --retired_count_;
    free_node(*oldest, freed);
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::free_node(node& unneeded, waste& freed) noexcept {
    latest_.unlink(unneeded);
    if (newest_ == &unneeded) {
        newest_ = nullptr;
    }
    freed.add(unneeded);
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::sweep_retired(waste& freed) noexcept {
    std::uint64_t needed = retained_from();
    for_each_cursor(
        [&](const cursor& reader) { needed = std::min<std::uint64_t>(needed, reader.index); });
    while (retired_first_ != nullptr && retired_first_->index < needed) {
        drop_oldest_retired(freed);
    }
}

template <typename T, std::size_t Slots>
void broadcast_log<T, Slots>::free_retired(waste& freed) noexcept {
    while (retired_first_ != nullptr) {
        drop_oldest_retired(freed);
    }
}

} // namespace muster
