#pragma once

#include <muster/fanout/detail/conflation_list.hpp>
#include <muster/fanout/detail/segment.hpp>
#include <muster/fanout/detail/single_writer.hpp>
#include <muster/fanout/options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace muster::detail::fanout {

/// One reader's place in a log and what became of the events before it. Owned by the subscription,
/// linked into the log, guarded by the channel's lock. Must not move.
template <typename T, std::size_t Slots>
struct log_cursor {
    log_cursor* next_reader = nullptr; // of the log's list
    log_cursor* previous_reader = nullptr;

    // Written by the reader, mostly under the lock, but see `channel_state::take_here`.
    single_writer<std::uint64_t> index = 0;  ///< the next event that is not accounted for
    single_writer<std::uint64_t> weight = 0; ///< of all events before it
    segment<T, Slots>* here = nullptr; ///< the segment that counts this reader, if it is known
    std::uint64_t capacity = 0;
    std::uint64_t capacity_bytes = unlimited;
    std::uint64_t lost_sequence = 0; ///< of the event at `index` while `lost`

    /// Latest values out of an overwritten run, still to be delivered. Counted as pinned.
    segment<T, Slots>* replay = nullptr;

    /// Every conflation node before it has a smaller index than `index`. In the list from the first
    /// lag on.
    [[no_unique_address]] conflation_link bookmark; // what follows fits into its padding
    bool bookmark_placed = false;
    overflow_policy overflow = overflow_policy::drop_oldest;
    bool lost = false;            ///< `index` lies in the overwritten part, in no segment
    bool disconnected = false;    ///< fell behind under `disconnect`; no longer in the log
    std::uint8_t replay_next = 0; ///< slots of `replay`
    std::uint8_t replay_end = 0;

    single_writer<std::uint64_t> delivered_events = 0;
    single_writer<std::uint64_t> delivered_bytes = 0;
    std::uint64_t lagged_events = 0;
    std::uint64_t lagged_bytes = 0;
    std::uint64_t gaps = 0;

    log_cursor() noexcept { bookmark.bookmark = true; }
    log_cursor(const log_cursor&) = delete;
    log_cursor& operator=(const log_cursor&) = delete;

    [[nodiscard]] bool linked() const noexcept { return next_reader != nullptr; }
};

/// The greatest of some numbers that come and go. The owner recomputes it when the last of the
/// greatest has gone, so equal numbers (the common case) cost O(1).
struct tracked_maximum {
    std::uint64_t value = 0;
    std::uint32_t holders = 0;

    void add(std::uint64_t number) noexcept {
        if (holders == 0 || number > value) {
            value = number;
            holders = 1;
        } else if (number == value) {
            ++holders;
        }
    }
    /// False: recompute.
    [[nodiscard]] bool remove(std::uint64_t number) noexcept {
        return number != value || --holders != 0;
    }
};

/// What a poll found.
enum class found {
    nothing,    ///< the reader has everything
    events,     ///< the piece is filled in; consume some of it before the lock is released
    unfinished, ///< a long search was interrupted: release the lock, take it again and repeat
    lagged,     ///< the reader is disconnected; the piece holds the gap
};

/// Readable events: slots [first, first + count) of one segment, after `missing`.
template <typename T, std::size_t Slots>
struct log_piece {
    segment<T, Slots>* source = nullptr;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    gap missing;
};

/// What an operation on the log let go of. Destroying values may run foreign code, so it happens
/// here, after the lock.
template <typename T, std::size_t Slots>
class log_waste {
public:
    log_waste() noexcept = default;
    log_waste(const log_waste&) = delete;
    log_waste& operator=(const log_waste&) = delete;
    ~log_waste() {
        if (segments_ != nullptr || nodes_ != nullptr) {
            destroy();
        }
    }

    std::optional<T> replaced;   ///< the value of an overwritten slot
    std::optional<T> superseded; ///< the former latest value of a key

    void add(segment<T, Slots>& freed) noexcept {
        freed.next = segments_;
        segments_ = &freed;
    }
    void add(conflation_node<T>& freed) noexcept {
        freed.retired_next = nodes_;
        nodes_ = &freed;
    }

    [[nodiscard]] bool has_segments() const noexcept { return segments_ != nullptr; }
    /// Takes one segment, its values destroyed; null when there is none.
    [[nodiscard]] std::unique_ptr<segment<T, Slots>> take_segment() noexcept {
        std::unique_ptr<segment<T, Slots>> taken{segments_};
        if (taken) {
            segments_ = taken->next;
            taken->clear();
        }
        return taken;
    }

private:
    void destroy() noexcept {
        while (take_segment()) {
        }
        while (nodes_ != nullptr) {
            delete std::exchange(nodes_, nodes_->retired_next);
        }
    }

    segment<T, Slots>* segments_ = nullptr;
    conflation_node<T>* nodes_ = nullptr;
};

} // namespace muster::detail::fanout
