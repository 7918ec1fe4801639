#pragma once

#include <muster/time/detail/occupancy.hpp>
#include <muster/time/tick.hpp>

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

namespace muster {

class timer_wheel;

namespace detail {

/// A place in a circular list; a chain's anchor is one too, so that unlinking needs no list.
struct wheel_link {
    wheel_link* next;
    wheel_link* prev;
};

} // namespace detail

/// What a wheel holds: derive from it, or make it a member. Owned by the caller, never copied,
/// never moved by the wheel (see `timer_wheel::relocate`). 32 bytes.
///
/// Must not be destroyed while it is scheduled (asserted).
class timer_entry : detail::wheel_link {
public:
    timer_entry() noexcept : wheel_link{nullptr, nullptr} {}
    timer_entry(const timer_entry&) = delete;
    timer_entry& operator=(const timer_entry&) = delete;
    ~timer_entry() { assert(!scheduled()); }

    [[nodiscard]] bool scheduled() const noexcept { return next != nullptr; }

    /// The tick at which it fires, or fired last.
    [[nodiscard]] tick due() const noexcept { return due_; }

private:
    friend timer_wheel;

    tick due_;
    std::uint64_t placed_ = 0; // the wheel's count of placements when this one was made
};

/// Entries with a deadline flow in, entries that are due flow out, in the order of their deadlines.
/// Knows ticks only: no clock, no thread, no allocation after construction. Owns no entry.
///
/// Guarantees
/// - Exact: an entry fires at the tick that was asked for, never before it, however far away it
/// was.
/// - First in, first out among entries that are due at the same tick, whenever and from whatever
///   distance they were scheduled.
/// - A deadline that the wheel has already reached counts as the next tick; hence a callback that
///   schedules its own entry again cannot keep a tick alive for ever.
/// - While entries are handed out, the sink may schedule, cancel and destroy any entry, the one
/// that
///   it is given and those due in the same tick included.
///
/// Complexity: schedule, cancel and reschedule O(1); handing out O(1) an entry, plus one move for
/// an entry that was scheduled 1024 ticks away or more (one more for each factor 8 from 524,288
/// ticks on); `next_expiry` O(levels). `advance` and `take_due` do at most `budget` moves and
/// hand-outs in a call.
///
/// Not thread-safe. Memory: 20 KB, and 3 MB of address space of which only slots in use are touched
/// (80 KB while all is due within 1024 ticks).
///
/// How: levels of 1024 slots, each level's slots 8 times as wide as those of the level below, after
/// Varghese and Lauck (1987); levels overlap, as in Linux's timer wheel (2015), so that an entry
/// sits in the finest level that reaches its deadline and does not cascade through those below. A
/// coarse slot is taken apart when its earliest entry is due, and then straight into exact slots.
class timer_wheel {
public:
    /// The budget for "as much as there is".
    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

    explicit timer_wheel(tick start = tick());
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;
    /// Releases every entry that is still scheduled, without handing it out.
    ~timer_wheel();

    /// The tick that was reached; while entries are handed out, the tick that they are due at.
    [[nodiscard]] tick now() const noexcept { return now_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// Makes `entry` fire at `due`, or at `now() + 1` if that is later. If it was scheduled, the
    /// former deadline is forgotten, and it goes to the end of its new tick's queue.
    void schedule(timer_entry& entry, tick due) noexcept;

    /// Returns whether the entry was scheduled; it is not any more.
    bool cancel(timer_entry& entry) noexcept;

    /// Puts `to` where `from` is, deadline and order included. Requires that `to` is not scheduled;
    /// if `from` is not either, nothing happens.
    void relocate(timer_entry& from, timer_entry& to) noexcept;

    /// The tick of the earliest deadline, or `tick::never()`. Never later than it; earlier only
    /// where an entry 1024 ticks away or more was cancelled that was the earliest of its group.
    [[nodiscard]] tick next_expiry() const noexcept;

    /// Hands out the next entry that is due at or before `now`, already unscheduled; nullptr if
    /// there is none, or if `budget`, which counts down, has come to 0. With a rest of budget, the
    /// wheel has reached `now`; a `now` in the past is harmless.
    [[nodiscard]] timer_entry* take_due(tick now, std::size_t& budget) noexcept;

    /// Calls `sink(timer_entry&)` for each entry due at or before `now`. Returns whether all was
    /// done; if not, the budget was used up, and the next call goes on where this one stopped.
    template <class Sink>
    bool advance(tick now, Sink&& sink, std::size_t budget = no_limit) {
        while (timer_entry* entry = take_due(now, budget)) {
            sink(*entry);
        }
        return budget != 0;
    }

    /// Unschedules every entry and calls `sink(timer_entry&)` for it, in no particular order.
    template <class Sink>
    void release_all(Sink&& sink) {
        while (timer_entry* entry = release_one()) {
            sink(*entry);
        }
    }

    /// For tests: O(entries + slots). Throws std::logic_error with the first broken invariant.
    void check_invariants() const;

private:
    using link = detail::wheel_link;

    static constexpr std::size_t slots = detail::occupancy::slots;
    /// A slot's entries are dealt out to several chains in turn, so that the next few can be
    /// fetched at once instead of each by way of the one before. `placed_` restores the order.
    static constexpr std::size_t chains = detail::occupancy::chains;
    static constexpr std::size_t rows = detail::occupancy::rows;
    static constexpr std::size_t levels = rows / 2; // the last one reaches to the end of time
    static constexpr std::size_t direct_levels =
        4; // levels whose slots fit into level 0 as a whole
    static constexpr unsigned slot_bits = std::countr_zero(slots);
    static constexpr unsigned level_bits = 3;
    static constexpr std::uint64_t coarse_rows = ~std::uint64_t{3}; // all but level 0's

    /// A lower bound of what a group holds.
    struct group_bounds {
        std::uint64_t earliest; // deadline
        std::uint64_t oldest;   // placement
    };

    /// Each level has two rows. Entries that come down from a coarser level go to the elder row and
    /// are taken before the others: whoever was scheduled for the same tick from nearer by was
    /// scheduled later. Rows are numbered so that the oldest entries are in the highest row.
    [[nodiscard]] static constexpr std::size_t row_of(std::size_t level, bool elder) noexcept {
        return 2 * level + (elder ? 1 : 0);
    }
    [[nodiscard]] static constexpr unsigned shift_of(std::size_t level) noexcept {
        return static_cast<unsigned>(level) * level_bits;
    }

    [[nodiscard]] static timer_entry& entry_of(link& node) noexcept {
        return static_cast<timer_entry&>(node);
    }
    [[nodiscard]] static constexpr std::size_t slot_at(std::size_t level, tick at) noexcept {
        return (at.value() >> shift_of(level)) % slots;
    }
    [[nodiscard]] static constexpr std::size_t group_of(std::size_t row,
                                                        std::size_t slot) noexcept {
        return detail::occupancy::group_of(row, slot);
    }
    [[nodiscard]] bool holds(std::size_t group) const noexcept {
        return occupied_.chains_of(group) != 0;
    }
    [[nodiscard]] group_bounds& bounds_of(std::size_t group) const noexcept {
        return bounds_[group / chains];
    }

    void append(timer_entry& entry, std::size_t group) noexcept;
    void unlink(timer_entry& entry) noexcept;
    [[nodiscard]] timer_entry& take_front(std::size_t group) noexcept;
    [[nodiscard]] std::size_t oldest(std::size_t group) const noexcept;

    void place_far(timer_entry& entry, std::uint64_t ahead) noexcept;
    void place_coarse(timer_entry& entry, std::size_t row) noexcept;
    [[nodiscard]] bool open_next(tick now, std::size_t& budget) noexcept;
    void reach(tick at) noexcept;
    [[nodiscard]] bool coarse_due() const noexcept;
    [[nodiscard]] bool take_apart_row(std::size_t row, std::size_t& budget) noexcept;
    [[nodiscard]] bool take_apart(std::size_t& budget) noexcept;
    void move_down(timer_entry& entry, std::size_t level) noexcept;
    [[nodiscard]] tick row_expiry(std::size_t row) const noexcept;
    [[nodiscard]] timer_entry* release_one() noexcept;
    [[nodiscard]] std::size_t check_group(std::size_t group) const;
    void check_entry(const timer_entry& entry, std::size_t group) const;

    tick now_;
    std::size_t size_ = 0;
    std::uint64_t placements_ = 0;
    std::size_t current_ = 0;   // which of the two groups of now_ is handed out
    bool taking_apart_ = false; // the coarse slots around now_ are not emptied yet
    // Neither is initialised: valid are the anchors of chains that are not empty, and the bounds of
    // groups that are not. Untouched pages cost no memory.
    std::unique_ptr<link[]> anchors_;
    std::unique_ptr<group_bounds[]> bounds_;
    detail::occupancy occupied_;
};

// ---- implementation
// ------------------------------------------------------------------------------

inline void timer_wheel::schedule(timer_entry& entry, tick due) noexcept {
    if (entry.scheduled()) {
        unlink(entry);
    }
    const std::uint64_t ahead = due > now_ ? due - now_ : 1;
    entry.due_ = now_ + ahead;
    if (ahead < slots) {
        append(entry, group_of(row_of(0, false), slot_at(0, entry.due_)));
    } else {
        place_far(entry, ahead);
    }
}

inline bool timer_wheel::cancel(timer_entry& entry) noexcept {
    if (!entry.scheduled()) {
        return false;
    }
    unlink(entry);
    return true;
}

inline timer_entry* timer_wheel::take_due(tick now, std::size_t& budget) noexcept {
    while (budget != 0) {
        // Nothing can be scheduled for now_: all that its groups ever gain comes from coarser
        // slots, and goes to the end of the elder one.
        if (holds(current_)) {
            --budget;
            return &take_front(current_);
        }
        if (!open_next(now, budget)) {
            return nullptr;
        }
    }
    return nullptr;
}

/// Finds the finest level whose ring reaches the deadline. For a given deadline that level never
/// gets coarser as time goes by, which is what the order of rows relies on.
inline void timer_wheel::place_far(timer_entry& entry, std::uint64_t ahead) noexcept {
    const auto highest_bit = 63U ^ static_cast<unsigned>(std::countl_zero(ahead));
    std::size_t level = (highest_bit - (slot_bits - level_bits)) / level_bits;
    const unsigned shift = shift_of(level);
    // One more if the slot would be the one that now_ is in, a round later.
    level += ((entry.due_.value() >> shift) - (now_.value() >> shift)) / slots;
    place_coarse(entry, row_of(level, false));
}

inline void timer_wheel::place_coarse(timer_entry& entry, std::size_t row) noexcept {
    const std::uint64_t due = entry.due_.value();
    const std::size_t group = group_of(row, slot_at(row / 2, entry.due_));
    append(entry, group);
    if (due < bounds_of(group).earliest) {
        bounds_of(group).earliest = due;
    }
}

inline void timer_wheel::append(timer_entry& entry, std::size_t group) noexcept {
    const std::uint64_t placed = placements_++;
    const std::size_t chain = group + placed % chains;
    entry.placed_ = placed;
    ++size_;
    link& anchor = anchors_[chain];
    if (!occupied_.test(chain)) {
        if (occupied_.set(chain)) {
            bounds_of(group) = {entry.due_.value(), placed};
        }
        anchor.next = anchor.prev = &anchor;
    }
    link& last = *anchor.prev;
    entry.next = &anchor;
    last.next = &entry;
    entry.prev = &last;
    anchor.prev = &entry;
}

inline void timer_wheel::unlink(timer_entry& entry) noexcept {
    link& next = *entry.next;
    link& prev = *entry.prev;
    prev.next = &next;
    next.prev = &prev;
    entry.next = nullptr;
    --size_;
    if (&next == &prev) { // only the anchor is left of this chain
        occupied_.reset(static_cast<std::size_t>(&next - anchors_.get()));
    }
}

inline timer_entry& timer_wheel::take_front(std::size_t group) noexcept {
    std::uint64_t& expected = bounds_of(group).oldest;
    std::size_t chain = group + expected % chains;
    // Placement numbers are consecutive where a burst was scheduled; otherwise the heads are
    // compared.
    if (!occupied_.test(chain) || entry_of(*anchors_[chain].next).placed_ != expected) {
        chain = oldest(group);
    }
    link& anchor = anchors_[chain];
    timer_entry& front = entry_of(*anchor.next);
    link& next = *front.next;
    expected = front.placed_ + 1;
    anchor.next = &next;
    next.prev = &anchor;
    front.next = nullptr;
    --size_;
    if (&next == &anchor) {
        occupied_.reset(chain);
    }
    return front;
}

} // namespace muster
