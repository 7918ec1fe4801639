#pragma once

#include <muster/metrics/snapshot.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace muster::detail {

/// Sorts a snapshot's rows by id in slices, so that whoever shares the thread is stopped for some
/// 50 µs at a time and not for as long as a hundred thousand rows take.
///
/// Rows are wide and their ids are elsewhere in memory, so the order is found on pairs of a row's
/// number and the eight characters of its id behind what all ids begin with; only where those are
/// equal are ids compared. Merge sort, bottom up; then each row is moved once, along the cycles of
/// the permutation. O(n log n), 32 bytes a row meanwhile.
class row_sorter {
public:
    /// `rows` must stay as it is until the last step.
    explicit row_sorter(std::vector<session_row>& rows);
    row_sorter(const row_sorter&) = delete;
    row_sorter& operator=(const row_sorter&) = delete;

    /// Does one slice. True: all is sorted.
    [[nodiscard]] bool step();

private:
    enum class phase : std::uint8_t { measure, make_keys, sort_runs, merge_runs, move_rows, done };

    struct key {
        std::uint64_t characters; ///< the first one in the highest byte
        std::uint32_t row;
    };

    [[nodiscard]] std::string_view id(std::size_t row) const noexcept {
        return rows_[row].id.view();
    }
    [[nodiscard]] bool before(const key& a, const key& b) const noexcept;
    [[nodiscard]] std::uint64_t characters_of(std::size_t row) const noexcept;
    void enter(phase next) noexcept;

    void measure();
    void make_keys();
    void sort_run();
    void merge_some();
    void begin_merge() noexcept;
    void move_some();

    std::vector<session_row>& rows_;
    const std::size_t count_;
    std::unique_ptr<key[]> keys_; // not initialised: pages are touched as they are needed
    std::unique_ptr<key[]> merged_;
    phase phase_ = phase::measure;
    std::size_t at_ = 0;     ///< how far the phase has come
    std::size_t common_ = 0; ///< characters that all ids begin with
    std::size_t width_;      ///< of the sorted runs
    std::size_t left_ = 0;   ///< the next keys of the two runs that are being merged
    std::size_t right_ = 0;
    std::size_t hole_ = 0; ///< the place of a cycle that is to be filled
    std::optional<session_row> displaced_;
};

} // namespace muster::detail
