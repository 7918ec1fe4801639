#pragma once

#include <muster/fanout/detail/log_cursor.hpp>
#include <muster/fanout/options.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace muster::detail::fanout {

template <typename T, std::size_t Slots, typename Executor>
class receive_op_base;

/// The memory of a subscription's pending operation, kept for the next one.
class op_memory {
public:
    op_memory() noexcept = default;
    op_memory(const op_memory&) = delete;
    op_memory& operator=(const op_memory&) = delete;
    ~op_memory() { ::operator delete(block_); }

    [[nodiscard]] void* allocate(std::size_t size) {
        if (block_ != nullptr && size <= size_) {
            return std::exchange(block_, nullptr);
        }
        return ::operator new(size);
    }
    void deallocate(void* block, std::size_t size) noexcept {
        if (block_ == nullptr || size > size_) {
            std::swap(block, block_);
            size_ = static_cast<std::uint32_t>(size);
        }
        ::operator delete(block);
    }

private:
    void* block_ = nullptr;
    std::uint32_t size_ = 0;
};

/// Where a subscription's pending receive stands.
enum class wait_state : std::uint8_t {
    none,    ///< there is none
    waiting, ///< for an event, or for its turn in a flush; in the list of these or of those
    posted,  ///< its completion is on the way to the handler's executor
};

struct wait_link {
    wait_link* next = this;
    wait_link* previous = this;
};

/// What a channel knows of one subscription. Lives until the handle is gone and no operation is
/// under way. Guarded by the channel's lock, except for `memory`, which only the subscription's own
/// executor touches.
template <typename T, std::size_t Slots, typename Executor>
struct subscriber : log_cursor<T, Slots>, wait_link {
    receive_op_base<T, Slots, Executor>* op = nullptr;
    // Written by the subscription's own executor, read by whoever inspects; relaxed: a statistic.
    std::atomic<std::uint64_t> polls{0};
    std::atomic<std::uint64_t> last_poll_time{0};
    [[no_unique_address]] op_memory memory; // what follows fits into its padding
    wait_state wait = wait_state::none;
    bool dropped = false;         ///< the handle is gone
    std::uint8_t times_ended = 0; ///< it was told that the stream is closed; 2: or more often
    std::uint8_t in_a_row = 0;    ///< receives done at once, see `subscription::patience`
    std::unique_ptr<const std::string> label; ///< null: it has no name

    // Spelled out, so that making one does not clear the whole of it first.
    explicit subscriber(const subscribe_options& options) {
        this->capacity = options.capacity;
        this->capacity_bytes = options.capacity_bytes;
        this->overflow = options.overflow;
        if (!options.name.empty()) {
            label = std::make_unique<const std::string>(options.name);
        }
    }

    [[nodiscard]] const std::string& name() const noexcept {
        static const std::string none;
        return label ? *label : none;
    }

    [[gnu::always_inline]] void count_poll(std::uint64_t (*clock)() noexcept) noexcept {
        polls.store(polls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (clock != nullptr) {
            last_poll_time.store(clock(), std::memory_order_relaxed);
        }
    }
};

/// Subscribers with a pending receive, first come first served.
template <typename Subscriber>
class wait_list {
public:
    wait_list() noexcept = default;
    wait_list(const wait_list&) = delete;
    wait_list& operator=(const wait_list&) = delete;

    [[nodiscard]] bool empty() const noexcept { return end_.next == &end_; }
    void push_back(Subscriber& item) noexcept {
        wait_link& link = item;
        link.next = &end_;
        link.previous = end_.previous;
        end_.previous->next = &link;
        end_.previous = &link;
    }
    [[nodiscard]] Subscriber& pop_front() noexcept {
        auto& item = static_cast<Subscriber&>(*end_.next);
        unlink(item);
        return item;
    }
    /// Moves all of `others` behind what is in here. O(1).
    void splice_back(wait_list& others) noexcept {
        if (others.empty()) {
            return;
        }
        end_.previous->next = others.end_.next;
        others.end_.next->previous = end_.previous;
        end_.previous = others.end_.previous;
        end_.previous->next = &end_;
        others.end_.next = others.end_.previous = &others.end_;
    }
    static void unlink(Subscriber& item) noexcept {
        wait_link& link = item;
        link.previous->next = link.next;
        link.next->previous = link.previous;
        link.next = link.previous = &link;
    }

private:
    wait_link end_;
};

} // namespace muster::detail::fanout
