#include "row_sorter.hpp"

#include <algorithm>
#include <utility>

namespace muster::detail {
namespace {

// What a slice does at most: tens of microseconds each.
constexpr std::size_t ids_at_a_time = 1024;
constexpr std::size_t run_length = 512;
constexpr std::size_t merges_at_a_time = 4096;
constexpr std::size_t moves_at_a_time = 128;

} // namespace

row_sorter::row_sorter(std::vector<session_row>& rows)
    : rows_{rows}, count_{rows.size()}, keys_{std::make_unique_for_overwrite<key[]>(count_)},
      merged_{std::make_unique_for_overwrite<key[]>(count_)}, width_{run_length} {
    if (count_ < 2) {
        phase_ = phase::done;
    } else {
        common_ = id(0).size();
    }
}

bool row_sorter::step() {
    switch (phase_) {
    case phase::measure: measure(); break;
    case phase::make_keys: make_keys(); break;
    case phase::sort_runs: sort_run(); break;
    case phase::merge_runs: merge_some(); break;
    case phase::move_rows: move_some(); break;
    case phase::done: break;
    }
    return phase_ == phase::done;
}

void row_sorter::enter(phase next) noexcept {
    phase_ = next;
    at_ = 0;
}

void row_sorter::measure() {
    const auto end = std::min(at_ + ids_at_a_time, count_);
    for (; at_ < end; ++at_) {
        const auto first = id(0).substr(0, common_);
        const auto other = id(at_);
        if (other.starts_with(first)) { // mostly: sessions of one kind begin alike
            continue;
        }
        const auto differ = std::mismatch(first.begin(), first.end(), other.begin(), other.end());
        common_ = static_cast<std::size_t>(differ.first - first.begin());
    }
    if (at_ == count_) {
        enter(phase::make_keys);
    }
}

void row_sorter::make_keys() {
    const auto end = std::min(at_ + ids_at_a_time, count_);
    for (; at_ < end; ++at_) {
        keys_[at_] = {characters_of(at_), static_cast<std::uint32_t>(at_)};
    }
    if (at_ == count_) {
        enter(phase::sort_runs);
    }
}

/// Shorter ids are filled up with NULs, which no id contains, so that they come first.
std::uint64_t row_sorter::characters_of(std::size_t row) const noexcept {
    const auto rest = id(row).substr(common_);
    const std::size_t length = std::min(rest.size(), sizeof(std::uint64_t));
    std::uint64_t packed = 0;
    for (std::size_t i = 0; i < length; ++i) {
        packed = packed << 8 | static_cast<unsigned char>(rest[i]);
    }
    return length == 0 ? 0 : packed << (8 * (sizeof packed - length));
}

inline bool row_sorter::before(const key& a, const key& b) const noexcept {
    return a.characters != b.characters ? a.characters < b.characters : id(a.row) < id(b.row);
}

void row_sorter::sort_run() {
    const auto end = std::min(at_ + run_length, count_);
    std::sort(keys_.get() + at_, keys_.get() + end,
              [this](const key& a, const key& b) { return before(a, b); });
    at_ = end;
    if (at_ == count_) {
        enter(phase::merge_runs);
        begin_merge();
    }
}

/// Merging one pair of runs after another from `keys_` into `merged_`; `at_` is the output's place.
void row_sorter::merge_some() {
    for (std::size_t left = merges_at_a_time; left != 0; --left) {
        if (at_ == count_) {
            keys_.swap(merged_);
            width_ *= 2;
            at_ = 0;
            begin_merge();
            return;
        }
        const std::size_t pair = at_ / (2 * width_) * (2 * width_);
        const std::size_t middle = std::min(pair + width_, count_);
        const std::size_t end = std::min(middle + width_, count_);
        const bool from_left =
            right_ == end || (left_ != middle && !before(keys_[right_], keys_[left_]));
        merged_[at_++] = keys_[from_left ? left_++ : right_++];
        if (at_ == end) {
            begin_merge();
        }
    }
}

/// The pair of runs that begins at `at_`; if there is only one run, that is the end.
void row_sorter::begin_merge() noexcept {
    if (width_ >= count_) {
        enter(phase::move_rows);
        return;
    }
    left_ = at_;
    right_ = std::min(at_ + width_, count_);
}

/// Follows a cycle: a row is taken out, its place is filled with the one that belongs there, whose
/// place is free then. A key whose row is in its place says so by its own number.
void row_sorter::move_some() {
    for (std::size_t left = moves_at_a_time; left != 0 && at_ < count_; --left) {
        if (!displaced_) {
            if (keys_[at_].row == at_) {
                ++at_;
                continue;
            }
            hole_ = at_;
            displaced_.emplace(std::move(rows_[hole_]));
        }
        const auto source = std::exchange(keys_[hole_].row, static_cast<std::uint32_t>(hole_));
        if (source == at_) {
            rows_[hole_] = std::move(*displaced_);
            displaced_.reset();
        } else {
            rows_[hole_] = std::move(rows_[source]);
            hole_ = source;
        }
    }
    if (at_ == count_) {
        enter(phase::done);
    }
}

} // namespace muster::detail
