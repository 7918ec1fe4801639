#pragma once

#include <muster/error.hpp>
#include <muster/fanout/conflation_slot.hpp>
#include <muster/fanout/detail/conflation_list.hpp>
#include <muster/fanout/detail/log_cursor.hpp>
#include <muster/fanout/detail/segment.hpp>
#include <muster/fanout/options.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace muster {

/// Events go in at one end; any number of cursors read them, each at its own pace; the log owns the
/// segments that hold them. The core of `broadcast`: no clock, no thread, no lock, no Asio.
///
/// - Every event has an index (dense, from 0: the n-th event published), a sequence (given by the
///   publisher, strictly increasing, holes allowed) and a weight (usually bytes).
/// - A segment leaves the ring when no cursor stands in it and retention does not want it, or when
///   every cursor's capacity has been left behind. A cursor pins at most the segment it stands in,
///   a batch the one it looks into; nothing chains them. Kept memory: the widest capacity or the
///   retention, rounded up to segments, plus one segment per stuck reader.
/// - Lag is computed when a cursor polls, in `look`, and nowhere else; since nothing but a poll
///   moves a cursor, the result is the same as if it had been computed on each publish.
/// - Without cursors and retention an event is counted, not kept.
/// - Latest values of conflation keys survive being overwritten; see `conflation_slot`. A gap
///   begins and ends with events that are lost: survivors in front of it come before it.
///
/// Costs: append O(1), amortised; poll O(1), with lag O(log capacity) plus the latest values in the
/// lost run, at most `search_budget` list steps at a time. Not thread-safe: whoever shares it
/// locks, and destroys `waste` after unlocking.
template <typename T, std::size_t Slots = 64>
class broadcast_log {
    static_assert((Slots & (Slots - 1)) == 0 && Slots <= 128, "a power of two, in a byte");
    static_assert(std::is_nothrow_move_constructible_v<T>);

public:
    using segment = detail::fanout::segment<T, Slots>;
    using cursor = detail::fanout::log_cursor<T, Slots>;
    using piece = detail::fanout::log_piece<T, Slots>;
    using waste = detail::fanout::log_waste<T, Slots>;
    using found = detail::fanout::found;
    using node = detail::fanout::conflation_node<T>;
    using home = detail::fanout::conflation_home<T>;

    /// Steps through the list of latest values that one `look` takes at most.
    static constexpr std::size_t search_budget = 256;
    /// Emptied segments that are kept for the next roll.
    static constexpr std::size_t spare_limit = Slots >= 64 ? 4 : 1;

    /// `retired_limit`: how many latest values of retired keys may wait for slow readers.
    explicit broadcast_log(retention keep = {}, std::uint64_t retired_limit = unlimited) noexcept
        : retention_{keep}, retired_limit_{static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                retired_limit, std::numeric_limits<std::uint32_t>::max()))} {}
    broadcast_log(const broadcast_log&) = delete;
    broadcast_log& operator=(const broadcast_log&) = delete;
    ~broadcast_log();

    /// Takes over the counts of a log that kept nothing; only before anything else.
    void resume(std::uint64_t events, std::uint64_t weight, std::uint64_t last_sequence) noexcept;

    /// How many events were appended, their total weight, and the newest one's sequence (0: none).
    [[nodiscard]] std::uint64_t head() const noexcept { return head_; }
    [[nodiscard]] std::uint64_t weight() const noexcept { return weight_; }
    [[nodiscard]] std::uint64_t last_sequence() const noexcept { return last_sequence_; }
    /// False: the next event will only be counted.
    [[nodiscard]] bool keeping() const noexcept { return cursors_ != 0 || retention_.events != 0; }
    [[nodiscard]] std::size_t cursors() const noexcept { return cursors_; }

    /// Appends `value`. `sequence` must be greater than `last_sequence()`. With `key`, the value
    /// becomes the latest of that key; `home` is told when the key is retired. `value` is neither
    /// copied nor moved from when nothing is kept.
    ///
    /// Throws what allocating and copying throw, and then has changed nothing.
    template <typename U>
    void append(std::uint64_t sequence, U&& value, std::uint64_t weight, waste& out,
                conflation_slot<T>* key = nullptr, home* key_home = nullptr);

    /// Whether the next event, if it has no key, needs nothing else than to be put into a slot: by
    /// `overwrite` if there is a former value in there, or else by `fill`, instead of `append`.
    /// False for one event in `Slots` and after a latest value.
    [[nodiscard]] bool has_room() const noexcept {
        return tail_used_ != Slots && newest_ == nullptr;
    }
    [[nodiscard]] bool has_former_value() const noexcept { return tail_used_ < tail_->constructed; }
    /// Appends as `append` does; returns the value that is replaced, to be destroyed after
    /// unlocking. Throws what copying throws, and then has changed nothing.
    template <typename U>
    [[nodiscard]] T overwrite(std::uint64_t sequence, U&& value, std::uint64_t weight);
    /// Appends as `append` does. Throws what copying throws, and then has changed nothing.
    template <typename U>
    void fill(std::uint64_t sequence, U&& value, std::uint64_t weight);

    /// Links `reader` at its start. Its capacities must be set and not zero. Fails only with
    /// `stream_expired`, and then has changed nothing.
    [[nodiscard]] subscribe_failure subscribe(cursor& reader, start_position start) noexcept;
    /// Unlinks `reader`; what only it needed is freed.
    void unsubscribe(cursor& reader, waste& out) noexcept;

    /// Says what `reader` gets next, and moves it over what it has lost.
    [[nodiscard]] found look(cursor& reader, piece& out, waste& freed);
    /// Moves `reader` over the first `count` events of `read`, which `look` has just returned, and
    /// returns their total weight.
    std::uint64_t consume(cursor& reader, const piece& read, std::uint32_t count,
                          waste& freed) noexcept;

    /// Keeps the segment and its values in place until `unpin`.
    static void pin(segment& pinned) noexcept { ++pinned.pins; }
    void unpin(segment& pinned, waste& freed) noexcept;
    /// Makes sure that the first event of `read`, which `look` has just returned, is what `reader`
    /// gets next, whatever is published until then. It stays unread.
    void hold_first(cursor& reader, const piece& read, waste& freed);

    /// Gives up a key whose slot has let go of `given_up`.
    void retire(node& given_up, waste& freed) noexcept;
    /// Keeps nothing for readers to come.
    void end_retention(waste& freed) noexcept;
    /// Takes an emptied segment for later use; false: not needed.
    [[nodiscard]] bool restock(std::unique_ptr<segment>& emptied) noexcept;

    /// The first sequence from which on everything is kept for a start in the past.
    [[nodiscard]] std::uint64_t oldest_kept() const noexcept;
    /// Fills in what the log knows of `reader`.
    void inspect(const cursor& reader, subscriber_info& out) const noexcept;
    template <typename Visitor>
    void for_each_cursor(Visitor&& visit) const;

    /// Asserts the structure's invariants (debug builds); for tests.
    void check_invariants() const;
    [[nodiscard]] std::size_t segments_in_ring() const noexcept { return ring_.size(); }
    [[nodiscard]] std::size_t segments_detached() const noexcept {
        std::size_t count = 0;
        for (const segment* each = detached_; each != nullptr; each = each->next) {
            ++count;
        }
        return count;
    }

private:
    using slot = typename segment::slot;
    using link = detail::fanout::conflation_link;

    // What a reader that has fallen behind is moved over: the events before `index`.
    struct passed_run {
        std::uint64_t index;
        std::uint64_t weight;        // of all events before `index`
        std::uint64_t sequence;      // of the event at `index`, if that is lost; else 0
        std::uint64_t last_lost;     // sequence of the run's last event that does not survive
        std::uint64_t survivors = 0; // copied, to be delivered all the same
        std::uint64_t survivor_weight = 0;
    };

    void count_in(std::uint64_t sequence, std::uint64_t weight) noexcept;
    void count_only(std::uint64_t sequence, std::uint64_t weight, waste& out,
                    conflation_slot<T>* key) noexcept;
    void roll(waste& out);
    [[nodiscard]] segment* take_spare();
    node& node_of(conflation_slot<T>& key, home* key_home);
    void make_latest(node& latest, const T& value, std::uint64_t sequence, std::uint64_t weight,
                     waste& out);

    [[nodiscard]] segment* at(std::uint64_t index) const noexcept {
        return ring_[static_cast<std::size_t>((index - base_) / Slots)];
    }
    [[nodiscard]] const slot& slot_at(std::uint64_t index) const noexcept {
        return at(index)->slots[(index - base_) % Slots];
    }
    [[nodiscard]] bool in_ring(std::uint64_t index) const noexcept {
        return index >= base_ && (index - base_) / Slots < ring_.size();
    }
    [[nodiscard]] std::uint64_t weight_before(std::uint64_t index) const noexcept;
    [[nodiscard]] std::uint64_t sequence_before(std::uint64_t index) const noexcept;
    [[nodiscard]] std::uint64_t sequence_of(const cursor& reader) const noexcept;
    [[nodiscard]] segment* holder_of(std::uint64_t index) const noexcept;
    [[nodiscard]] const slot& oldest_known(const cursor& reader,
                                           std::uint64_t reach) const noexcept;
    template <typename Reached>
    [[nodiscard]] std::uint64_t first_index(std::uint64_t low, Reached reached) const noexcept;
    [[nodiscard]] std::uint64_t within(std::uint64_t events, std::uint64_t bytes) const noexcept;
    [[nodiscard]] std::uint64_t retained_from() const noexcept;
    [[nodiscard]] std::uint64_t reach_of(const cursor& reader) const noexcept;

    void enter(cursor& reader) noexcept;
    void leave(cursor& reader, waste& freed) noexcept;
    void collect(waste& freed, bool reuse) noexcept;
    [[nodiscard]] bool releasable(const segment& oldest) const noexcept;
    void detach(segment& released, waste& freed) noexcept;
    void free_if_idle(segment& detached, waste& freed) noexcept;
    void clear_ring(waste& freed) noexcept;

    [[nodiscard]] found catch_up(cursor& reader, std::uint64_t reach, piece& out, waste& freed);
    void disconnect(cursor& reader, piece& out, waste& freed) noexcept;
    [[nodiscard]] bool seek(cursor& reader) noexcept;
    [[nodiscard]] bool skip_passed(cursor& reader) noexcept;
    [[nodiscard]] node* next_latest(const link* from, std::uint64_t reach) const noexcept;
    [[nodiscard]] passed_run copy_latest(cursor& reader, const node* first, std::uint64_t reach);
    [[nodiscard]] passed_run whole_run(std::uint64_t reach) const noexcept;
    [[nodiscard]] passed_run run_through(const node& last, std::uint64_t reach) const noexcept;
    void replay(cursor& reader, std::unique_ptr<segment> copy) noexcept;
    void move_to(cursor& reader, const passed_run& run, waste& freed) noexcept;
    void step_over(cursor& reader, segment& source, std::uint32_t count, waste& freed) noexcept;

    void link_reader(cursor& reader) noexcept;
    void unlink_reader(cursor& reader) noexcept;
    void free_retired(waste& freed) noexcept;
    void drop_oldest_retired(waste& freed) noexcept;
    void free_node(node& unneeded, waste& freed) noexcept;
    void sweep_retired(waste& freed) noexcept;

    retention retention_;
    std::uint64_t head_ = 0;
    std::uint64_t weight_ = 0;
    std::uint64_t last_sequence_ = 0;

    segment* tail_ = nullptr;
    std::uint32_t tail_used_ = Slots; // no room: also while there is no tail
    std::uint32_t spare_count_ = 0;
    [[no_unique_address]] detail::fanout::segment_ring<segment> ring_; // and in its padding:
    std::uint32_t retired_limit_;
    std::uint64_t base_ = 0;             // index of the oldest slot in the ring
    std::uint64_t dropped_sequence_ = 0; // of the event before base_
    std::uint64_t dropped_weight_ = 0;   // of all events before base_
    segment* spares_ = nullptr;
    segment* detached_ = nullptr; // out of the ring, but read from or pinned

    cursor* readers_ = nullptr;
    std::uint32_t cursors_ = 0;
    std::uint32_t retired_count_ = 0;
    // Each with what fits into its padding.
    [[no_unique_address]] detail::fanout::tracked_maximum widest_events_;
    std::uint32_t parked_ = 0; // cursors at head_ while no segment holds that index
    [[no_unique_address]] detail::fanout::tracked_maximum widest_bytes_;
    std::uint32_t behind_ =
        0; // cursors that stand before base_; they still need what is in the ring

    detail::fanout::conflation_list latest_;
    node* newest_ = nullptr;        // of the newest event, if that is the latest value of a key
    node* retired_first_ = nullptr; // in the order of their retirement
    node* retired_last_ = nullptr;
};

} // namespace muster

#include <muster/fanout/detail/broadcast_log_lag.hpp>
#include <muster/fanout/detail/broadcast_log_read.hpp>
#include <muster/fanout/detail/broadcast_log_write.hpp>
