#pragma once

#include <muster/fanout/delivery.hpp>
#include <muster/fanout/detail/channel_core.hpp>
#include <muster/fanout/detail/channel_service.hpp>
#include <muster/fanout/detail/subscriber.hpp>
#include <muster/fanout/settings.hpp>

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace muster::detail::fanout {

/// What a poll ended in.
enum class poll_result { taken, empty, closed, lagged };

/// How one event is taken: copied.
template <typename T, std::size_t Slots>
struct take_one {
    using result = delivery<T>;
    using core_type = channel_core<T, Slots>;
    using cursor_type = log_cursor<T, Slots>;
    using slot_type = typename segment<T, Slots>::slot;

    static constexpr bool takes_one = true;

    static const gap& missing(const result& out) noexcept { return out.missing; }
    static void note(const gap& missing, result& out) noexcept { out.missing = missing; }
    template <typename Slot>
    static result taken_from(const Slot& slot, std::uint64_t weight_before) {
        return {slot.value, slot.sequence, {}, slot.weight_through - weight_before};
    }
    template <typename Piece, typename Cursor, typename Waste>
    static void take(core_type&, broadcast_log<T, Slots>& log, Cursor& reader, const Piece& found,
                     result& out, Waste& freed) {
        const auto& slot = found.source->slots[found.first];
        out.value = slot.value;
        out.sequence = slot.sequence;
        out.missing = found.missing;
        out.bytes = log.consume(reader, found, 1, freed);
    }
};

/// How one event is taken by who wants to say first what was lost before it: a gap comes with a
/// copy of the event that follows, which stays unread and is sure to come next.
template <typename T, std::size_t Slots>
struct take_gap_first : take_one<T, Slots> {
    using typename take_one<T, Slots>::result;
    using typename take_one<T, Slots>::core_type;

    template <typename Piece, typename Cursor, typename Waste>
    static void take(core_type& core, broadcast_log<T, Slots>& log, Cursor& reader,
                     const Piece& found, result& out, Waste& freed) {
        if (!found.missing) {
            take_one<T, Slots>::take(core, log, reader, found, out, freed);
            return;
        }
        out.value = found.source->slots[found.first].value;
        out.sequence = found.missing.first_sequence;
        out.missing = found.missing;
        log.hold_first(reader, found, freed);
    }
};

/// How all that one segment has is taken: in place.
template <typename T, std::size_t Slots>
struct take_batch {
    using result = event_batch<T, Slots>;
    using core_type = channel_core<T, Slots>;
    using cursor_type = log_cursor<T, Slots>;
    using slot_type = typename segment<T, Slots>::slot;
    static constexpr bool takes_one = false;

    static const gap& missing(const result& out) noexcept { return out.missing_; }
    static void note(const gap& missing, result& out) noexcept { out.missing_ = missing; }
    template <typename Piece, typename Cursor, typename Waste>
    static void take(core_type& core, broadcast_log<T, Slots>& log, Cursor& reader,
                     const Piece& found, result& out, Waste& freed) noexcept {
        log.pin(*found.source);
        core.add_hold();
        out.core_ = &core;
        out.source_ = found.source;
        out.first_ = found.first;
        out.count_ = found.count;
        out.missing_ = found.missing;
        out.bytes_ = log.consume(reader, found, found.count, freed);
    }
};

/// Takes the event that `channel_state::next_here` has found, by copy from its slot. Writes only
/// what the reader itself writes.
template <typename Take>
[[nodiscard, gnu::always_inline]] inline typename Take::result
take_here(typename Take::cursor_type& reader, const typename Take::slot_type& next) {
    const std::uint64_t weight_before = reader.weight;
    typename Take::result taken = Take::taken_from(next, weight_before);
    reader.index += 1;
    reader.weight = next.weight_through;
    reader.delivered_events += 1;
    reader.delivered_bytes += next.weight_through - weight_before;
    return taken;
}

/// What a receive ended in.
template <typename Take>
struct received {
    sys::error_code error;
    typename Take::result taken;
};

/// What a wait ended in: an event to be taken from its slot by `take_here`, or a whole receive
/// where that is not possible.
template <typename Take>
struct wait_result {
    typename Take::cursor_type* reader = nullptr;
    const typename Take::slot_type* next = nullptr;
    received<Take>* instead = nullptr; ///< used if `next` is null
};

/// As `Take`, but the completion, `void(const wait_result<Take>*)`, leaves an event in its slot:
/// who waits takes it itself, before anything else, to where it wants it.
template <typename Take>
struct leave_in_place : Take {
    using taking = Take;
};
template <typename Take>
inline constexpr bool leaves_in_place = requires {
    typename Take::taking;
};

/// A channel that has, or had, a subscriber: the shared log, who waits for it, and the flush that
/// completes those who wait.
///
/// A publisher that finds waiters posts one flush, whatever their number; until it runs, publishing
/// costs nothing more. The flush completes waiters in place where their executor is the channel's
/// own, and posts to the others; each looks at the log when its completion runs.
template <typename T, std::size_t Slots, typename Executor>
class channel_state final : public channel_core<T, Slots>, public serviced_channel {
public:
    using core = channel_core<T, Slots>;
    using typename core::guard;
    using typename core::waste;
    using settings_type = broadcast_settings<Executor>;
    using reader_type = subscriber<T, Slots, Executor>;
    using slot_type = typename segment<T, Slots>::slot;

    /// Completions that a flush runs before it lets other handlers of the executor run.
    static constexpr std::size_t flush_budget = 64;

    explicit channel_state(boost::intrusive_ptr<const settings_type> settings)
        : core{settings->keep, settings->retired_limit}, settings_{std::move(settings)} {
        this->enter_service(settings_->service());
    }
    ~channel_state() override {
        if (working_) {
            std::destroy_at(&work_);
        }
        if (!this->orphaned_) {
            this->leave_service(settings_->service());
        }
    }

    [[nodiscard]] const settings_type& settings() const noexcept { return *settings_; }

    void resume(std::uint64_t events, std::uint64_t weight, std::uint64_t last_sequence,
                bool closed) noexcept;
    /// Appends and wakes; `sequence_after(last)` chooses the sequence, `stamp(sequence)` sees it
    /// before any reader. Returns the sequence, or 0 when the channel is closed.
    template <typename U, typename SequenceAfter, typename Stamp>
    std::uint64_t publish(U&& value, std::uint64_t weight, conflation_slot<T>* key,
                          const SequenceAfter& sequence_after, Stamp&& stamp);
    void close() noexcept;
    template <typename U>
    void close_with(std::uint64_t sequence, U&& value, std::uint64_t weight,
                    conflation_slot<T>* key);

    /// False, with the reason in `why`: the reader is not subscribed.
    [[nodiscard]] bool subscribe(reader_type& reader, start_position start,
                                 subscribe_failure& why) noexcept;
    void drop(reader_type& reader) noexcept;
    /// Lets go of a subscriber whose handle and operation are gone.
    void bury(reader_type& reader) noexcept;

    /// Takes what there is for `reader` now. Called with the lock; may release it meanwhile.
    template <typename Take>
    [[nodiscard]] poll_result poll(guard& held, reader_type& reader, typename Take::result& out,
                                   waste& freed);
    /// Releases the lock, then what was freed.
    void settle(guard& held, waste& freed) noexcept;
    /// Tells the observer; called without the lock.
    void report(reader_type& reader, poll_result result, const gap& missing) noexcept;
    /// Takes what there is for `reader`, if there is anything, in a poll of its own.
    template <typename Take>
    [[nodiscard]] poll_result try_take(reader_type& reader, typename Take::result& out);
    /// The slot of the next event, where that is in the segment in which the reader stands, is not
    /// the segment's last, and the reader's capacity covers it. Null: look under the lock.
    ///
    /// Needs no lock: the segment counts the reader and thus stays; the slots before the announced
    /// head do not change.
    [[nodiscard]] const slot_type* next_here(const reader_type& reader) const noexcept;

    [[nodiscard]] bool has_something(const reader_type& reader) const noexcept {
        return this->anything_for(reader);
    }
    void wait_for_event(reader_type& reader) {
        if (!working_) {
            std::construct_at(&work_, asio::prefer(settings_->executor, outstanding_work::tracked));
            working_ = true;
        }
        reader.wait = wait_state::waiting;
        waiting_.push_back(reader);
    }
    /// Aborts the pending operation of `reader`, if any.
    void cancel(reader_type& reader) noexcept;
    void flush();
    void flush_abandoned() noexcept;

    void describe(const reader_type& reader, subscriber_info& out) const noexcept;
    template <typename Visitor>
    void for_each(Visitor&& visit) const;
    [[nodiscard]] channel_totals totals() const noexcept;
    [[nodiscard]] std::uint64_t oldest_kept() const noexcept;
    [[nodiscard]] std::size_t subscriber_count() const noexcept {
        return this->subscriber_count_.load(std::memory_order_relaxed);
    }

private:
    class flush_op;
    using outstanding_work = asio::execution::outstanding_work_t;
    /// An executor whose copies are outstanding work.
    using tracked_work = std::decay_t<decltype(asio::prefer(std::declval<const Executor&>(),
                                                            outstanding_work::tracked))>;

    void shutdown() noexcept override;
    template <typename U>
    void append(std::uint64_t sequence, U&& value, std::uint64_t weight, conflation_slot<T>* key,
                waste& freed);
    template <typename U>
    void append_and_unlock(guard held, std::uint64_t sequence, U&& value, std::uint64_t weight,
                           conflation_slot<T>* key);
    void published(guard& held) noexcept;
    void close_log(guard& held, waste& freed) noexcept;
    [[nodiscard]] bool claim_flush() noexcept;
    void post_flush() noexcept;
    void flush_some(guard& held);
    [[nodiscard]] std::optional<tracked_work> end_work() noexcept;
    void abort(guard& held, reader_type& reader) noexcept;
    void count_subscribers() noexcept {
        // relaxed: a statistic.
        this->subscriber_count_.store(static_cast<std::uint32_t>(this->log_.cursors()),
                                      std::memory_order_relaxed);
    }

    boost::intrusive_ptr<const settings_type> settings_;
    wait_list<reader_type> waiting_;
    wait_list<reader_type> ready_;
    // While there are waiters (`working_`): taken when the first comes, given back when a flush
    // leaves none.
    union {
        tracked_work work_;
    };
    std::uint64_t lagged_events_ = 0;
    std::uint64_t lagged_bytes_ = 0;
    std::uint64_t gaps_ : 63 = 0;
    bool working_ : 1 = false;
};

} // namespace muster::detail::fanout

#include <muster/fanout/detail/channel_state_impl.hpp>
