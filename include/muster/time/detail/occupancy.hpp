#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace muster::detail {

/// Which chains hold something, of 38 rows of 1024 slots of 4 chains: a bit for each, a summary
/// word for each row, and a word for all rows, so that a row's next occupied slot is found in at
/// most three look-ups.
///
/// Chains are numbered through all rows; a slot of a row, here a group, has its first chain's
/// number.
class occupancy {
public:
    static constexpr std::size_t chains = 4;   // in a slot
    static constexpr std::size_t slots = 1024; // in a row
    static constexpr std::size_t rows = 38;

    [[nodiscard]] static constexpr std::size_t group_of(std::size_t row,
                                                        std::size_t slot) noexcept {
        return (row * slots + slot) * chains;
    }
    [[nodiscard]] static constexpr std::size_t row_of(std::size_t chain) noexcept {
        return chain / chains / slots;
    }
    [[nodiscard]] static constexpr std::size_t slot_of(std::size_t chain) noexcept {
        return chain / chains % slots;
    }

    [[nodiscard]] bool test(std::size_t chain) const noexcept {
        return (words_[chain / 64] & bit(chain)) != 0;
    }

    /// A bit for each of the group's chains that holds something.
    [[nodiscard]] unsigned chains_of(std::size_t group) const noexcept {
        return static_cast<unsigned>(words_[group / 64] >> group % 64) % (1U << chains);
    }

    /// A bit for each row that holds something.
    [[nodiscard]] std::uint64_t occupied_rows() const noexcept { return rows_; }

    /// Returns whether its group held nothing before.
    bool set(std::size_t chain) noexcept {
        std::uint64_t& word = words_[chain / 64];
        const std::uint64_t before = word;
        word |= bit(chain);
        if (before == 0) {
            summaries_[row_of(chain)] |= bit(chain / 64);
            rows_ |= bit(row_of(chain));
        }
        return (before >> chain % 64 / chains * chains) % (1U << chains) == 0;
    }

    void reset(std::size_t chain) noexcept {
        std::uint64_t& word = words_[chain / 64];
        word &= ~bit(chain);
        if (word != 0) {
            return;
        }
        std::uint64_t& summary = summaries_[row_of(chain)];
        summary &= ~bit(chain / 64);
        if (summary == 0) {
            rows_ &= ~bit(row_of(chain));
        }
    }

    /// The row's first occupied slot at or after `from`, going round the ring. Requires that the
    /// row holds something.
    [[nodiscard]] std::size_t next(std::size_t row, std::size_t from) const noexcept {
        const std::uint64_t* const words = words_ + row * words_in_row;
        const std::size_t word = from / slots_in_word;
        if (const auto here = words[word] >> from % slots_in_word * chains; here != 0) {
            return from + static_cast<std::size_t>(std::countr_zero(here)) / chains;
        }
        // Rotated so that bit 0 is the word after this one; this word itself comes last.
        const auto ring = std::rotr(summaries_[row], static_cast<int>(word + 1));
        const std::size_t found =
            (word + 1 + static_cast<std::size_t>(std::countr_zero(ring))) % words_in_row;
        return found * slots_in_word +
               static_cast<std::size_t>(std::countr_zero(words[found])) / chains;
    }

    /// For tests: whether the summaries are those of the words.
    [[nodiscard]] bool consistent() const noexcept {
        for (std::size_t word = 0; word < rows * words_in_row; ++word) {
            if ((words_[word] != 0) != ((summaries_[word / words_in_row] & bit(word)) != 0)) {
                return false;
            }
        }
        for (std::size_t row = 0; row < rows; ++row) {
            if ((summaries_[row] != 0) != ((rows_ & bit(row)) != 0)) {
                return false;
            }
        }
        return true;
    }

private:
    static constexpr std::size_t slots_in_word = 64 / chains;
    static constexpr std::size_t words_in_row = slots / slots_in_word;
    static_assert(words_in_row == 64 && rows <= 64);

    [[nodiscard]] static constexpr std::uint64_t bit(std::size_t index) noexcept {
        return std::uint64_t{1} << index % 64;
    }

    std::uint64_t words_[rows * words_in_row] = {};
    std::uint64_t summaries_[rows] = {}; // bit n: the row's word n is not 0
    std::uint64_t rows_ = 0;             // bit n: summaries_[n] is not 0
};

} // namespace muster::detail
