#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace muster::detail {

class wheel_state;
class waiting_entry;

/// One `async_wait` under way, without its handler's type.
///
/// States, all changes under the state's lock: waiting (`state` and `entry` set, in a queue), taken
/// (both null, whoever took it completes it).
class wait_op_base {
public:
    enum class outcome : std::uint8_t { expired, aborted, destroyed };
    /// Where it completes: by a post of its own, or now, on the handler's executor already.
    enum class way : std::uint8_t { post, here };
    using function = void (*)(wait_op_base*, outcome, way);

    /// `local`: the handler's executor is the service's.
    wait_op_base(function act, bool local) noexcept : act_{act}, local_{local} {}
    wait_op_base(const wait_op_base&) = delete;
    wait_op_base& operator=(const wait_op_base&) = delete;

    /// Posts the completion, or destroys the handler uncalled. Not under the lock.
    void settle(outcome how) { act_(this, how, way::post); }
    /// Calls the handler with the outcome that was noted. On its executor.
    void complete() { act_(this, outcome_, way::here); }

    /// Completes it with operation_aborted if it is still waiting. Any thread.
    void cancel();

protected:
    ~wait_op_base() = default;

private:
    friend class wait_queue;
    friend class wheel_state;
    friend class waiting_entry;

    function act_;
    const bool local_;
    outcome outcome_ = outcome::expired; // once it is taken, of a local one
    wait_op_base* next_ = nullptr;
    wait_op_base* prev_ = nullptr;
    // Stored with release when taken, so that a cancellation after that needs no state; read with
    // acquire by cancel().
    std::atomic<wheel_state*> state_{nullptr};
    waiting_entry* entry_ = nullptr;
};

/// A first-in, first-out queue of operations; owns those that are in it.
class wait_queue {
public:
    wait_queue() = default;
    wait_queue(wait_queue&& other) noexcept
        : first_{std::exchange(other.first_, nullptr)}, last_{std::exchange(other.last_, nullptr)} {
    }
    wait_queue& operator=(wait_queue&&) = delete;

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] wait_op_base* front() const noexcept { return first_; }

    void push(wait_op_base& op) noexcept {
        op.prev_ = last_;
        op.next_ = nullptr;
        (last_ != nullptr ? last_->next_ : first_) = &op;
        last_ = &op;
    }

    void remove(wait_op_base& op) noexcept {
        (op.prev_ != nullptr ? op.prev_->next_ : first_) = op.next_;
        (op.next_ != nullptr ? op.next_->prev_ : last_) = op.prev_;
    }

    /// Puts all of `more` behind what is in here.
    void append(wait_queue& more) noexcept {
        if (more.first_ == nullptr) {
            return;
        }
        more.first_->prev_ = last_;
        (last_ != nullptr ? last_->next_ : first_) = more.first_;
        last_ = more.last_;
        more.first_ = more.last_ = nullptr;
    }

    /// Settles all, in order. Returns how many. Not under the lock.
    std::size_t settle(wait_op_base::outcome how) {
        std::size_t count = 0;
        while (wait_op_base* op = first_) {
            remove(*op);
            ++count;
            op->settle(how);
        }
        return count;
    }

private:
    wait_op_base* first_ = nullptr;
    wait_op_base* last_ = nullptr;
};

} // namespace muster::detail
