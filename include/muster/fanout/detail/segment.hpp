#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace muster::detail::fanout {

/// A fixed run of events, filled front to back and never moved: readers look at filled slots
/// without the channel's lock while it is pinned.
///
/// All bookkeeping is plain and guarded by that lock. A segment without readers and pins that the
/// ring has let go of is free. Slots keep their old value until they are overwritten.
template <typename T, std::size_t Slots>
struct segment {
    struct slot {
        union {
            T value;
        };
        std::uint64_t sequence;
        std::uint64_t weight_through; ///< of all events up to and including this one

        slot() noexcept {}
        ~slot() {}
        slot(const slot&) = delete;
        slot& operator=(const slot&) = delete;
    };

    std::uint64_t base = 0;        ///< index of slot 0
    std::uint32_t constructed = 0; ///< slots [0, constructed) hold a value, live or stale
    std::uint32_t readers = 0;     ///< cursors that stand in here
    std::uint32_t pins = 0;        ///< batches that look into it
    bool detached = false;         ///< no longer in the ring
    bool listed = false;           ///< in the log's list of detached segments
    segment* next = nullptr;       ///< of whatever list it is in
    segment* previous = nullptr;
    slot slots[Slots];

    segment() noexcept = default;
    ~segment() { clear(); }

    [[nodiscard]] bool idle() const noexcept { return readers == 0 && pins == 0; }
    [[nodiscard]] bool covers(std::uint64_t index) const noexcept { return index - base < Slots; }

    /// Destroys the values; the memory stays.
    void clear() noexcept {
        for (std::uint32_t i = 0; i < constructed; ++i) {
            std::destroy_at(&slots[i].value);
        }
        constructed = 0;
    }

    /// Puts `value` into slot `position`, which has one; returns that. Throws what copying throws,
    /// and then has changed nothing.
    template <typename U>
    [[nodiscard, gnu::always_inline]] T replace(std::uint32_t position, U&& value) {
        T replaced{std::forward<U>(value)};
        std::swap(replaced, slots[position].value);
        return replaced;
    }
    /// Puts `value` into slot `position`, the first that has none. Throws as `replace` does.
    template <typename U>
    [[gnu::always_inline]] void construct(std::uint32_t position, U&& value) {
        std::construct_at(&slots[position].value, std::forward<U>(value));
        constructed = position + 1;
    }

    /// Fills the next slot of a segment that is no part of a ring.
    void add_copy(const T& value, std::uint64_t sequence, std::uint64_t weight_through) {
        slot& filled = slots[constructed];
        construct(constructed, value);
        filled.sequence = sequence;
        filled.weight_through = weight_through;
    }

    void reset(std::uint64_t first_index) noexcept {
        base = first_index;
        detached = listed = false;
        next = previous = nullptr;
    }
};

/// A growing circular array of the segments in use, oldest first. The first few pointers cost
/// one small allocation, none before the first event.
template <typename Segment>
class segment_ring {
public:
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] Segment* operator[](std::size_t position) const noexcept {
        return items_[(first_ + position) & (capacity_ - 1)];
    }
    [[nodiscard]] Segment* front() const noexcept { return items_[first_]; }

    /// Makes the next `push_back` unable to fail.
    void reserve_one() {
        if (count_ == capacity_) {
            grow();
        }
    }
    void push_back(Segment* item) noexcept {
        items_[(first_ + count_) & (capacity_ - 1)] = item;
        ++count_;
    }
    void pop_front() noexcept {
        first_ = (first_ + 1) & (capacity_ - 1);
        --count_;
    }
    /// Gives the array back; only when empty.
    void release() noexcept {
        items_.reset();
        first_ = capacity_ = 0;
    }

private:
    void grow() {
        const std::uint32_t wider = capacity_ == 0 ? 2 : capacity_ * 2;
        std::unique_ptr<Segment* []> items {
            new Segment*[wider]
        };
        for (std::uint32_t i = 0; i < count_; ++i) {
            items[i] = (*this)[i];
        }
        items_ = std::move(items);
        capacity_ = wider;
        first_ = 0;
    }

    std::unique_ptr<Segment*[]> items_;
    std::uint32_t capacity_ = 0; // a power of two, or 0
    std::uint32_t first_ = 0;
    std::uint32_t count_ = 0;
};

} // namespace muster::detail::fanout
