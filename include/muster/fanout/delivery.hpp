#pragma once

#include <muster/fanout/detail/channel_core.hpp>
#include <muster/fanout/options.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

namespace muster {

namespace detail::fanout {
template <typename T, std::size_t Slots>
struct take_batch;
}

/// One event, by copy of T, and what was lost before it.
// In this order, so that a delivery can be copied at once after it was written: what is written in
// one piece is read in one piece. Otherwise the copy waits until the stores have left the core.
template <typename T>
struct delivery {
    T value{};
    std::uint64_t sequence = 0;
    gap missing;             ///< false: nothing was lost since the last delivery
    std::uint64_t bytes = 0; ///< the weight given to `publish`
};

/// A run of events, read in place: neither copied nor counted one by one.
///
/// Pins one segment of the channel until it is destroyed; hold it no longer than needed. It may
/// outlive the subscription and the channel, and may be destroyed on any thread. Movable.
template <typename T, std::size_t Slots = 64>
class event_batch {
    using core_type = detail::fanout::channel_core<T, Slots>;
    using slot_type = typename detail::fanout::segment<T, Slots>::slot;

public:
    /// What iteration yields: `for (auto&& [value, sequence] : batch)`.
    struct entry {
        const T& value;
        std::uint64_t sequence;
    };

    class iterator {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = entry;
        using reference = entry;
        using pointer = void;
        using difference_type = std::ptrdiff_t;

        iterator() noexcept = default;
        entry operator*() const noexcept { return {slot_->value, slot_->sequence}; }
        iterator& operator++() noexcept {
            ++slot_;
            return *this;
        }
        iterator operator++(int) noexcept {
            iterator before = *this;
            ++slot_;
            return before;
        }
        friend bool operator==(iterator a, iterator b) noexcept { return a.slot_ == b.slot_; }

    private:
        friend class event_batch;
        explicit iterator(const slot_type* at) noexcept : slot_{at} {}
        const slot_type* slot_ = nullptr;
    };

    event_batch() noexcept = default;
    event_batch(event_batch&& other) noexcept
        : core_{std::exchange(other.core_, nullptr)}, source_{other.source_}, first_{other.first_},
          count_{std::exchange(other.count_, 0)}, bytes_{other.bytes_}, missing_{other.missing_} {}
    event_batch& operator=(event_batch&& other) noexcept {
        event_batch taken{std::move(other)};
        swap(taken);
        return *this;
    }
    ~event_batch() {
        if (core_ != nullptr) {
            core_->unpin(*source_);
        }
    }

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] iterator begin() const noexcept { return iterator{data()}; }
    [[nodiscard]] iterator end() const noexcept { return iterator{data() + count_}; }
    [[nodiscard]] entry operator[](std::size_t position) const noexcept {
        return *iterator{data() + position};
    }
    /// The events' total weight.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    /// What was lost before the first event; latest values out of the lost run come first.
    [[nodiscard]] const gap& missing() const noexcept { return missing_; }

    void swap(event_batch& other) noexcept {
        std::swap(core_, other.core_);
        std::swap(source_, other.source_);
        std::swap(first_, other.first_);
        std::swap(count_, other.count_);
        std::swap(bytes_, other.bytes_);
        std::swap(missing_, other.missing_);
    }

private:
    friend struct detail::fanout::take_batch<T, Slots>;

    [[nodiscard]] const slot_type* data() const noexcept {
        return count_ == 0 ? nullptr : source_->slots + first_;
    }

    core_type* core_ = nullptr; // holds one of its holds
    typename core_type::segment_type* source_ = nullptr;
    std::uint32_t first_ = 0;
    std::uint32_t count_ = 0;
    std::uint64_t bytes_ = 0;
    gap missing_;
};

} // namespace muster
