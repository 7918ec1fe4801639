#pragma once

#include <muster/fanout/detail/channel_state.hpp>
#include <muster/fanout/detail/receive_op.hpp>

namespace muster::detail::fanout {

/// The one flush under way; has a hold on the channel.
template <typename T, std::size_t Slots, typename Executor>
class channel_state<T, Slots, Executor>::flush_op {
public:
    explicit flush_op(channel_state& channel) noexcept : channel_{&channel} {}
    flush_op(flush_op&& other) noexcept : channel_{std::exchange(other.channel_, nullptr)} {}
    flush_op& operator=(flush_op&&) = delete;
    ~flush_op() {
        if (channel_ != nullptr) {
            channel_->flush_abandoned();
        }
    }
    void operator()() { std::exchange(channel_, nullptr)->flush(); }

private:
    channel_state* channel_;
};

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::resume(std::uint64_t events, std::uint64_t weight,
                                               std::uint64_t last_sequence, bool closed) noexcept {
    this->log_.resume(events, weight, last_sequence);
    this->closed_ = closed;
    this->announce();
}

template <typename T, std::size_t Slots, typename Executor>
template <typename U, typename SequenceAfter, typename Stamp>
std::uint64_t
channel_state<T, Slots, Executor>::publish(U&& value, std::uint64_t weight, conflation_slot<T>* key,
                                           const SequenceAfter& sequence_after, Stamp&& stamp) {
    guard held = this->lock();
    if (this->closed_) [[unlikely]] {
        return 0;
    }
    const std::uint64_t sequence = sequence_after(this->log_.last_sequence());
    stamp(sequence);
    // Most events take this way, in registers: without `waste`, since memory that is written and
    // read again at once would cost more than all else.
    if (key == nullptr && this->log_.has_room()) [[likely]] {
        if (this->log_.has_former_value()) {
            [[maybe_unused]] const T replaced =
                this->log_.overwrite(sequence, std::forward<U>(value), weight);
            published(held);
        } else {
            this->log_.fill(sequence, std::forward<U>(value), weight);
            published(held);
        }
        return sequence;
    }
    append_and_unlock(std::move(held), sequence, std::forward<U>(value), weight, key);
    return sequence;
}

template <typename T, std::size_t Slots, typename Executor>
template <typename U>
[[gnu::noinline]] void channel_state<T, Slots, Executor>::append_and_unlock(
    guard held, std::uint64_t sequence, U&& value, std::uint64_t weight, conflation_slot<T>* key) {
    waste freed;
    guard mine{std::move(held)}; // unlocks before `freed` dies, also if this throws
    append(sequence, std::forward<U>(value), weight, key, freed);
    published(mine);
}

// Releases the lock, and wakes up who waits.
template <typename T, std::size_t Slots, typename Executor>
[[gnu::always_inline]] inline void
channel_state<T, Slots, Executor>::published(guard& held) noexcept {
    this->announce();
    const bool wake = claim_flush();
    held.unlock();
    if (wake) {
        post_flush();
    }
}

template <typename T, std::size_t Slots, typename Executor>
template <typename U>
void channel_state<T, Slots, Executor>::append(std::uint64_t sequence, U&& value,
                                               std::uint64_t weight, conflation_slot<T>* key,
                                               waste& freed) {
    if (key == nullptr) {
        this->log_.append(sequence, std::forward<U>(value), weight, freed);
    } else {
        const bool known = key->attached();
        this->log_.append(sequence, std::forward<U>(value), weight, freed, key, this);
        this->holds_ += key->attached() && !known ? 1 : 0;
    }
}

// Whether the caller has to post the flush that is now due.
template <typename T, std::size_t Slots, typename Executor>
bool channel_state<T, Slots, Executor>::claim_flush() noexcept {
    if (waiting_.empty()) {
        return false;
    }
    this->flush_due_ = true;
    if (this->flush_posted_ || this->orphaned_) {
        return false;
    }
    this->flush_posted_ = true;
    this->add_hold();
    return true;
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::post_flush() noexcept {
    asio::post(settings_->executor, flush_op{*this});
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::close() noexcept {
    waste freed;
    guard held = this->lock();
    if (!this->closed_) {
        close_log(held, freed);
    }
}

template <typename T, std::size_t Slots, typename Executor>
template <typename U>
void channel_state<T, Slots, Executor>::close_with(std::uint64_t sequence, U&& value,
                                                   std::uint64_t weight, conflation_slot<T>* key) {
    waste freed;
    guard held = this->lock();
    if (this->closed_) {
        return;
    }
    if (this->log_.cursors() == 0) {
        this->log_.end_retention(freed); // nobody will start in the past: only to be counted
    }
    append(sequence, std::forward<U>(value), weight, key, freed);
    close_log(held, freed);
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::close_log(guard& held, waste& freed) noexcept {
    this->closed_ = true;
    this->log_.end_retention(freed);
    this->announce();
    const bool wake = claim_flush();
    settle(held, freed);
    if (wake) {
        post_flush();
    }
}

// --- subscribers --------------------------------------------------------------------------------

template <typename T, std::size_t Slots, typename Executor>
bool channel_state<T, Slots, Executor>::subscribe(reader_type& reader, start_position start,
                                                  subscribe_failure& why) noexcept {
    const guard held = this->lock();
    if (this->closed_) {
        why = {make_error_code(errc::stream_closed), 0};
        return false;
    }
    if (const subscribe_failure refused = this->log_.subscribe(reader, start)) {
        why = refused;
        return false;
    }
    this->add_hold();
    count_subscribers();
    return true;
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::drop(reader_type& reader) noexcept {
    waste freed;
    guard held = this->lock();
    this->log_.unsubscribe(reader, freed);
    count_subscribers();
    if (reader.op != nullptr) { // which will bury the reader
        reader.dropped = true;
        abort(held, reader);
        if (held.owns_lock()) {
            settle(held, freed);
        }
        return;
    }
    if (freed.has_segments()) [[unlikely]] {
        this->recycle(held, freed);
    }
    this->release_hold(std::move(held));
    delete &reader;
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::bury(reader_type& reader) noexcept {
    delete &reader;
    this->release_hold(this->lock());
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::cancel(reader_type& reader) noexcept {
    guard held = this->lock();
    abort(held, reader);
}

// Makes the pending operation end in operation_aborted. Releases the lock if it has to post.
template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::abort(guard& held, reader_type& reader) noexcept {
    if (reader.op == nullptr) {
        return;
    }
    reader.op->mark_aborted();
    if (std::exchange(reader.wait, wait_state::posted) != wait_state::posted) {
        wait_list<reader_type>::unlink(reader);
        auto* const op = reader.op;
        const auto work = end_work(); // until the completion has been posted
        held.unlock();
        op->post();
    }
}

// Called with the lock; the result is to be destroyed without.
template <typename T, std::size_t Slots, typename Executor>
auto channel_state<T, Slots, Executor>::end_work() noexcept -> std::optional<tracked_work> {
    if (!working_ || !waiting_.empty() || !ready_.empty()) {
        return std::nullopt;
    }
    std::optional<tracked_work> ended{std::move(work_)};
    std::destroy_at(&work_);
    working_ = false;
    return ended;
}

// --- receiving ----------------------------------------------------------------------------------

template <typename T, std::size_t Slots, typename Executor>
template <typename Take>
poll_result channel_state<T, Slots, Executor>::poll(guard& held, reader_type& reader,
                                                    typename Take::result& out, waste& freed) {
    if (reader.disconnected) {
        return poll_result::closed;
    }
    typename core::log_type::piece piece;
    for (;;) {
        const found result = this->log_.look(reader, piece, freed);
        if (result == found::events) {
            Take::take(*this, this->log_, reader, piece, out, freed);
            break;
        }
        if (result == found::nothing) {
            return this->closed_ ? poll_result::closed : poll_result::empty;
        }
        if (result == found::lagged) {
            Take::note(piece.missing, out);
            count_subscribers();
            break;
        }
        held.unlock(); // a long search: let publishers in
        held.lock();
    }
    if (piece.missing) [[unlikely]] {
        lagged_events_ += piece.missing.events;
        lagged_bytes_ += piece.missing.bytes;
        ++gaps_;
    }
    return reader.disconnected ? poll_result::lagged : poll_result::taken;
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::settle(guard& held, waste& freed) noexcept {
    if (freed.has_segments()) [[unlikely]] {
        this->recycle(held, freed);
    }
    held.unlock();
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::report(reader_type& reader, poll_result result,
                                               const gap& missing) noexcept {
    broadcast_observer* const observer = settings_->observer;
    if (observer != nullptr && missing) {
        observer->lagged(reader.name(), missing);
    }
    if (result == poll_result::closed && reader.times_ended < 2 && ++reader.times_ended == 1 &&
        observer != nullptr) {
        observer->closed(reader.name());
    }
}

template <typename T, std::size_t Slots, typename Executor>
template <typename Take>
poll_result channel_state<T, Slots, Executor>::try_take(reader_type& reader,
                                                        typename Take::result& out) {
    reader.count_poll(settings_->clock);
    if (!this->anything_for(reader)) {
        return poll_result::empty;
    }
    waste freed;
    guard held = this->lock();
    const poll_result result = poll<Take>(held, reader, out, freed);
    settle(held, freed);
    if (result == poll_result::closed || Take::missing(out)) [[unlikely]] {
        report(reader, result, Take::missing(out));
    }
    return result;
}

template <typename T, std::size_t Slots, typename Executor>
[[gnu::always_inline]] inline auto
channel_state<T, Slots, Executor>::next_here(const reader_type& reader) const noexcept
    -> const slot_type* {
    const auto* const here = reader.here;
    if (here == nullptr || reader.replay != nullptr || reader.capacity_bytes != unlimited) {
        return nullptr;
    }
    const std::uint64_t index = reader.index;
    const std::uint64_t unread = this->announced_head() - index;
    const std::uint64_t position = index - here->base;
    if (unread == 0 || unread > reader.capacity || position == Slots - 1) {
        return nullptr;
    }
    return &here->slots[position];
}

// --- flushing -----------------------------------------------------------------------------------

// Completes some of those who wait, then makes sure that somebody completes the rest, also when a
// handler throws.
template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::flush() {
    struct epilogue {
        channel_state& channel;
        ~epilogue() {
            guard held = channel.lock();
            const auto work = channel.end_work();
            if (!channel.ready_.empty() && !channel.flush_posted_ && !channel.orphaned_) {
                channel.flush_posted_ = true; // and keeps this flush's hold
                held.unlock();
                channel.post_flush();
            } else {
                channel.release_hold(std::move(held));
            }
        }
    } at_end{*this};
    guard held = this->lock();
    this->flush_posted_ = false;
    flush_some(held);
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::flush_some(guard& held) {
    // Those who wait since the last publication have seen it: without a new one, leave them alone.
    const bool due = std::exchange(this->flush_due_, false);
    if (due) {
        ready_.splice_back(waiting_);
    }
    for (std::size_t count = 0; count < flush_budget && !ready_.empty(); ++count) {
        reader_type& reader = ready_.pop_front();
        if (!has_something(reader)) {
            wait_for_event(reader); // another receive took it
            continue;
        }
        reader.wait = wait_state::posted;
        if (reader.op->runs_on_channels()) {
            reader.op->run(std::move(held));
        } else {
            auto* const op = reader.op;
            held.unlock();
            op->post();
        }
        held = this->lock();
    }
    held.unlock();
}

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::flush_abandoned() noexcept {
    guard held = this->lock();
    this->flush_posted_ = false;
    this->release_hold(std::move(held));
}

// The handlers may own the subscriptions, these the last hold but ours.
template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::shutdown() noexcept {
    guard held = this->lock();
    this->add_hold();
    this->orphaned_ = true;
    while (!waiting_.empty() || !ready_.empty()) {
        reader_type& reader = (waiting_.empty() ? ready_ : waiting_).pop_front();
        reader.wait = wait_state::posted;
        auto* const op = reader.op;
        held.unlock();
        op->abandon();
        held = this->lock();
    }
    const auto work = end_work();
    this->release_hold(std::move(held));
}

// --- inspection ---------------------------------------------------------------------------------

template <typename T, std::size_t Slots, typename Executor>
void channel_state<T, Slots, Executor>::describe(const reader_type& reader,
                                                 subscriber_info& out) const noexcept {
    this->log_.inspect(reader, out);
    out.name = reader.name();
    out.polls = reader.polls.load(std::memory_order_relaxed);
    out.last_poll_time = reader.last_poll_time.load(std::memory_order_relaxed);
    out.waiting = reader.wait != wait_state::none;
}

template <typename T, std::size_t Slots, typename Executor>
template <typename Visitor>
void channel_state<T, Slots, Executor>::for_each(Visitor&& visit) const {
    const guard held = this->lock();
    this->log_.for_each_cursor([&](const log_cursor<T, Slots>& cursor) {
        subscriber_info info;
        describe(static_cast<const reader_type&>(cursor), info);
        visit(static_cast<const subscriber_info&>(info));
    });
}

template <typename T, std::size_t Slots, typename Executor>
channel_totals channel_state<T, Slots, Executor>::totals() const noexcept {
    const guard held = this->lock();
    channel_totals out;
    out.published_events = this->log_.head();
    out.published_bytes = this->log_.weight();
    out.last_sequence = this->log_.last_sequence();
    out.subscribers = this->log_.cursors();
    out.lagged_events = lagged_events_;
    out.lagged_bytes = lagged_bytes_;
    out.gaps = gaps_;
    return out;
}

template <typename T, std::size_t Slots, typename Executor>
std::uint64_t channel_state<T, Slots, Executor>::oldest_kept() const noexcept {
    const guard held = this->lock();
    return this->log_.oldest_kept();
}

} // namespace muster::detail::fanout
