#include <muster/time/timer_wheel.hpp>

#include <algorithm>
#include <stdexcept>

namespace muster {

timer_wheel::timer_wheel(tick start)
    : now_(start), live_(std::make_unique<std::uint8_t[]>(rows * slots)),
      groups_(std::make_unique_for_overwrite<slot_group[]>(rows * slots)),
      earliest_(std::make_unique_for_overwrite<std::uint64_t[]>(rows * slots)) {}

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
    for (auto left = occupied_rows_; left != 0; left &= left - 1) {
        earliest = std::min(earliest, row_expiry(static_cast<std::size_t>(std::countr_zero(left))));
    }
    return earliest;
}

tick timer_wheel::row_expiry(std::size_t row) const noexcept {
    const std::size_t from = slot_at(row / 2, now_);
    const std::size_t slot = occupied_[row].next(from);
    if ((coarse_rows >> row & 1) != 0) {
        return tick(earliest_[group_of(row, slot)]);
    }
    return now_ + (slot - from) % slots;
}

/// Finds the finest level whose ring reaches the deadline. For a given deadline that level never
/// gets coarser as time goes by, which is what the order of rows relies on.
void timer_wheel::place_far(timer_entry& entry) noexcept {
    const auto width = static_cast<std::size_t>(std::bit_width(entry.due_ - now_));
    std::size_t level = (width - 11) / level_bits + 1;
    const unsigned shift = shift_of(level);
    if ((entry.due_.value() >> shift) - (now_.value() >> shift) >= slots) {
        ++level;
    }
    place_coarse(entry, row_of(level, false));
}

void timer_wheel::place_coarse(timer_entry& entry, std::size_t row) noexcept {
    const std::size_t group = group_of(row, slot_at(row / 2, entry.due_));
    const std::uint64_t due = entry.due_.value();
    earliest_[group] = holds(group) ? std::min(earliest_[group], due) : due;
    append(entry, group);
}

bool timer_wheel::open_next(tick now, std::size_t& budget) noexcept {
    if (!taking_apart_) {
        const tick next = next_expiry();
        if (next > now || empty()) {
            now_ = std::max(now_, now);
            return false;
        }
        now_ = std::max(now_, next);
        taking_apart_ = coarse_due();
    }
    if (taking_apart_) {
        taking_apart_ = !take_apart(budget);
    }
    return true;
}

bool timer_wheel::coarse_due() const noexcept {
    for (auto left = occupied_rows_ & coarse_rows; left != 0; left &= left - 1) {
        const auto row = static_cast<std::size_t>(std::countr_zero(left));
        const std::size_t group = group_of(row, slot_at(row / 2, now_));
        if (holds(group) && earliest_[group] <= now_.value()) {
            return true;
        }
    }
    return false;
}

/// Empties every coarse slot around now_, the coarsest first, so that the elder rows are filled in
/// the order in which their entries were scheduled. Returns whether the budget sufficed.
bool timer_wheel::take_apart(std::size_t& budget) noexcept {
    auto left = occupied_rows_ & coarse_rows;
    while (left != 0) {
        const auto row = static_cast<std::size_t>(std::bit_width(left)) - 1;
        if (!take_apart_row(row, budget)) {
            return false;
        }
        left = occupied_rows_ & coarse_rows & ((std::uint64_t{1} << row) - 1);
    }
    return true;
}

bool timer_wheel::take_apart_row(std::size_t row, std::size_t& budget) noexcept {
    const std::size_t group = group_of(row, slot_at(row / 2, now_));
    for (; holds(group); --budget) {
        if (budget == 0) {
            return false;
        }
        move_down(*take_front(group), row / 2);
    }
    return true;
}

void timer_wheel::move_down(timer_entry& entry, std::size_t level) noexcept {
    ++size_; // take_front counted it as gone
    if (level >= direct_levels) {
        place_coarse(entry, row_of(level - 1, true));
    } else {
        append(entry, group_of(row_of(0, true), slot_at(0, entry.due_)));
    }
}

timer_entry& timer_wheel::oldest(std::size_t group) const noexcept {
    timer_entry* found = nullptr;
    for (unsigned left = live_[group]; left != 0; left &= left - 1) {
        timer_entry& head = entry_of(*groups_[group].anchor[std::countr_zero(left)].next);
        if (found == nullptr || head.placed_ < found->placed_) {
            found = &head;
        }
    }
    return *found;
}

timer_entry* timer_wheel::release_one() noexcept {
    if (occupied_rows_ == 0) {
        return nullptr;
    }
    const auto row = static_cast<std::size_t>(std::countr_zero(occupied_rows_));
    return take_front(group_of(row, occupied_[row].next(0)));
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
    for (std::size_t row = 0; row < rows; ++row) {
        const bool marked = (occupied_rows_ >> row & 1) != 0;
        require(marked != occupied_[row].empty(), "a row's mark differs from its slots");
        for (std::size_t slot = 0; slot < slots; ++slot) {
            const std::size_t group = group_of(row, slot);
            require(holds(group) == occupied_[row].test(slot),
                    "a slot's bit differs from its chains");
            found += check_group(group);
        }
    }
    require(found == size_, "size() differs from what the slots hold");
}

std::size_t timer_wheel::check_group(std::size_t group) const {
    std::size_t found = 0;
    for (unsigned left = live_[group]; left != 0; left &= left - 1) {
        const link& anchor = groups_[group].anchor[std::countr_zero(left)];
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
    const std::size_t level = group / slots / 2;
    const std::uint64_t ahead = (group % slots - slot_at(level, now_)) % slots;
    const std::uint64_t start = (now_.value() >> shift_of(level)) + ahead;
    const std::uint64_t wanted = entry.due_.value() >> shift_of(level);
    require(entry.due_ >= now_, "an entry is overdue");
    require(wanted == start, "an entry is in the wrong slot");
    require(level == 0 || earliest_[group] <= entry.due_.value(),
            "a slot's earliest deadline is too late");
}

} // namespace muster
