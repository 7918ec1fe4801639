#include <muster/time/timer_wheel.hpp>

#include <algorithm>
#include <stdexcept>

namespace muster {

timer_wheel::timer_wheel(tick start)
    : now_(start), anchors_(std::make_unique_for_overwrite<link[]>(rows * slots * chains)),
      bounds_(std::make_unique_for_overwrite<group_bounds[]>(rows * slots)) {
    reach(start);
}

timer_wheel::~timer_wheel() {
    release_all([](timer_entry&) {});
}

void timer_wheel::relocate(timer_entry& from, timer_entry& to) noexcept {
    assert(!to.scheduled());
    if (!from.scheduled()) {
        return;
    }
    to.due_ = from.due_;
    to.placed_ = from.placed_;
    to.next = from.next;
    to.prev = from.prev;
    to.next->prev = &to;
    to.prev->next = &to;
    from.next = nullptr;
}

tick timer_wheel::next_expiry() const noexcept {
    tick earliest = tick::never();
    for (auto left = occupied_.occupied_rows(); left != 0; left &= left - 1) {
        earliest = std::min(earliest, row_expiry(static_cast<std::size_t>(std::countr_zero(left))));
    }
    return earliest;
}

tick timer_wheel::row_expiry(std::size_t row) const noexcept {
    const std::size_t from = slot_at(row / 2, now_);
    const std::size_t slot = occupied_.next(row, from);
    if ((coarse_rows >> row & 1) != 0) {
        return tick(bounds_of(group_of(row, slot)).earliest);
    }
    return now_ + (slot - from) % slots;
}

bool timer_wheel::open_next(tick now, std::size_t& budget) noexcept {
    if (!taking_apart_) {
        const std::size_t exact = group_of(row_of(0, false), slot_at(0, now_));
        if (holds(exact)) {
            current_ = exact;
            return true;
        }
        if (now <= now_) { // what was due until now_ has been in its two groups
            return false;
        }
        // To look at one tick is cheaper than to search for the next.
        const tick next = now - now_ == 1 ? now : next_expiry();
        reach(std::min(next, now));
        if (next > now) {
            return false;
        }
        taking_apart_ = coarse_due();
    }
    if (taking_apart_) {
        taking_apart_ = !take_apart(budget);
    }
    return true;
}

/// The elder entries are handed out first.
void timer_wheel::reach(tick at) noexcept {
    now_ = at;
    current_ = group_of(row_of(0, true), slot_at(0, at));
}

bool timer_wheel::coarse_due() const noexcept {
    for (auto left = occupied_.occupied_rows() & coarse_rows; left != 0; left &= left - 1) {
        const auto row = static_cast<std::size_t>(std::countr_zero(left));
        const std::size_t group = group_of(row, slot_at(row / 2, now_));
        if (holds(group) && bounds_of(group).earliest <= now_.value()) {
            return true;
        }
    }
    return false;
}

/// Empties every coarse slot around now_, the coarsest first, so that the elder rows are filled in
/// the order in which their entries were scheduled. Returns whether the budget sufficed.
bool timer_wheel::take_apart(std::size_t& budget) noexcept {
    auto left = occupied_.occupied_rows() & coarse_rows;
    while (left != 0) {
        const auto row = static_cast<std::size_t>(std::bit_width(left)) - 1;
        if (!take_apart_row(row, budget)) {
            return false;
        }
        left = occupied_.occupied_rows() & coarse_rows & ((std::uint64_t{1} << row) - 1);
    }
    return true;
}

bool timer_wheel::take_apart_row(std::size_t row, std::size_t& budget) noexcept {
    const std::size_t group = group_of(row, slot_at(row / 2, now_));
    for (; holds(group); --budget) {
        if (budget == 0) {
            return false;
        }
        move_down(take_front(group), row / 2);
    }
    return true;
}

void timer_wheel::move_down(timer_entry& entry, std::size_t level) noexcept {
    if (level >= direct_levels) {
        place_coarse(entry, row_of(level - 1, true));
    } else {
        append(entry, group_of(row_of(0, true), slot_at(0, entry.due_)));
    }
}

std::size_t timer_wheel::oldest(std::size_t group) const noexcept {
    std::size_t found = group;
    std::uint64_t placed = std::numeric_limits<std::uint64_t>::max();
    for (unsigned left = occupied_.chains_of(group); left != 0; left &= left - 1) {
        const std::size_t chain = group + static_cast<std::size_t>(std::countr_zero(left));
        const timer_entry& head = entry_of(*anchors_[chain].next);
        __builtin_prefetch(head.next, 1); // to be compared when this one has been taken
        if (head.placed_ < placed) {
            placed = head.placed_;
            found = chain;
        }
    }
    return found;
}

timer_entry* timer_wheel::release_one() noexcept {
    if (occupied_.occupied_rows() == 0) {
        return nullptr;
    }
    const auto row = static_cast<std::size_t>(std::countr_zero(occupied_.occupied_rows()));
    return &take_front(group_of(row, occupied_.next(row, 0)));
}

namespace {

void require(bool holds, const char* what) {
    if (!holds) {
        throw std::logic_error(what);
    }
}

} // namespace

void timer_wheel::check_invariants() const {
    std::size_t found = 0;
    for (std::size_t group = 0; group < rows * slots * chains; group += chains) {
        found += check_group(group);
    }
    require(occupied_.consistent(), "the occupancy's summaries differ from its words");
    require(found == size_, "size() differs from what the slots hold");
}

std::size_t timer_wheel::check_group(std::size_t group) const {
    std::size_t found = 0;
    for (unsigned left = occupied_.chains_of(group); left != 0; left &= left - 1) {
        const link& anchor = anchors_[group + static_cast<std::size_t>(std::countr_zero(left))];
        require(anchor.next != &anchor, "a live chain is empty");
        const timer_entry* before = nullptr;
        for (link* at = anchor.next; at != &anchor; at = at->next, ++found) {
            const timer_entry& entry = entry_of(*at);
            require(at->next->prev == at, "a chain's links do not match");
            require(before == nullptr || before->placed_ < entry.placed_,
                    "a chain is out of order");
            check_entry(entry, group);
            before = &entry;
        }
    }
    return found;
}

void timer_wheel::check_entry(const timer_entry& entry, std::size_t group) const {
    const std::size_t level = detail::occupancy::row_of(group) / 2;
    const std::uint64_t ahead = (detail::occupancy::slot_of(group) - slot_at(level, now_)) % slots;
    const std::uint64_t start = (now_.value() >> shift_of(level)) + ahead;
    const std::uint64_t wanted = entry.due_.value() >> shift_of(level);
    require(entry.due_ >= now_, "an entry is overdue");
    require(wanted == start, "an entry is in the wrong slot");
    require(bounds_of(group).earliest <= entry.due_.value(),
            "a slot's earliest deadline is too late");
    require(bounds_of(group).oldest <= entry.placed_, "a slot's oldest placement is too late");
}

} // namespace muster
