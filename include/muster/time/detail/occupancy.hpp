#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace muster::detail {

/// Which of 1024 slots hold something: 16 words and one summary word, so that the next occupied
/// slot is found in at most three look-ups.
class occupancy {
public:
    static constexpr std::size_t slots = 1024;

    [[nodiscard]] bool test(std::size_t slot) const noexcept {
        return (words_[slot / 64] >> (slot % 64) & 1) != 0;
    }
    [[nodiscard]] bool empty() const noexcept { return summary_ == 0; }

    void set(std::size_t slot) noexcept {
        words_[slot / 64] |= std::uint64_t{1} << (slot % 64);
        summary_ |= std::uint64_t{1} << (slot / 64);
    }

    void reset(std::size_t slot) noexcept {
        auto& word = words_[slot / 64];
        word &= ~(std::uint64_t{1} << (slot % 64));
        if (word == 0) {
            summary_ &= ~(std::uint64_t{1} << (slot / 64));
        }
    }

    /// The first occupied slot at or after `from`, going round the ring. Requires `!empty()`.
    [[nodiscard]] std::size_t next(std::size_t from) const noexcept {
        const std::size_t word = from / 64;
        if (const auto here = words_[word] >> (from % 64); here != 0) {
            return from + static_cast<std::size_t>(std::countr_zero(here));
        }
        // Rotated so that bit 0 is the word after this one; this word itself comes last.
        const auto ring = summary_ << 48 | summary_ << 32 | summary_ << 16 | summary_;
        const auto skip = static_cast<std::size_t>(std::countr_zero(ring >> (word + 1)));
        const std::size_t found = (word + 1 + skip) % 16;
        return found * 64 + static_cast<std::size_t>(std::countr_zero(words_[found]));
    }

private:
    std::uint64_t words_[16] = {};
    std::uint64_t summary_ = 0; // bit n: words_[n] is not 0
};

} // namespace muster::detail
