#pragma once

#include <muster/detail/spin_lock.hpp>
#include <muster/time/detail/wait_queue.hpp>
#include <muster/time/time_source.hpp>
#include <muster/time/timer_wheel.hpp>
#include <muster/time/wheel_entry.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

namespace muster::detail {

/// A timer's place in the wheel, in which operations wait. In the wheel while there are any.
class waiting_entry : public wheel_entry {
public:
    explicit waiting_entry(boost::intrusive_ptr<wheel_state> state) noexcept
        : wheel_entry{std::move(state)} {}
    /// The operations move along; those that waited here before an assignment are aborted.
    waiting_entry(waiting_entry&& other) noexcept;
    waiting_entry& operator=(waiting_entry&& other);
    using wheel_entry::state;

private:
    friend wheel_state;

    wait_queue waiting_;
    std::uint32_t expiries_ = 0;
};

/// A service's inside: the wheel, its lock and its alarm. Shared by the service, its entries and a
/// wake-up under way, so that these may end in any order.
class wheel_state final : public alarm_listener {
public:
    using duration = time_source::duration;
    using time_point = time_source::time_point;

    wheel_state(std::unique_ptr<time_source> owned, time_source& source, duration tick_length);

    /// Makes the context's shutdown known to `abandon`.
    void watch_context();

    void schedule(wheel_entry& entry, tick due);
    cancel_result cancel(wheel_entry& entry) noexcept;
    void retire(wheel_entry& entry) noexcept;

    /// Takes `op` over; completes it when `due` is reached.
    void wait(waiting_entry& entry, wait_op_base& op, tick due);
    std::size_t cancel_waits(waiting_entry& entry);
    std::size_t cancel_one_wait(waiting_entry& entry);
    void cancel_op(wait_op_base& op);
    [[nodiscard]] std::uint32_t expiries(const waiting_entry& entry) const noexcept;
    void move_waits(waiting_entry& from, waiting_entry& to) noexcept;

    /// Releases every entry, completes every wait with operation_aborted. Idempotent.
    void close() noexcept;
    /// The context is going down: destroys every wait. Idempotent.
    void abandon() noexcept;

    void on_alarm() override;

    [[nodiscard]] time_source& source() const noexcept { return source_; }
    /// The source's, where alarms and callbacks run.
    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }
    [[nodiscard]] duration tick_length() const noexcept { return tick_length_; }
    [[nodiscard]] tick tick_at(time_point at) const noexcept;
    [[nodiscard]] time_point time_of(tick at) const noexcept;
    [[nodiscard]] tick now() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] std::uint64_t wake_ups() const noexcept;

private:
    using guard = spin_guard;
    class settle_op;

    void drain(tick now, guard& lock);
    void hand_out(tick now, std::size_t& budget, guard& lock, wait_queue& expired);
    void call(wheel_entry& entry, tick now, guard& lock);
    void disarm_if_empty() noexcept;
    void arm_if_earlier(tick due, guard& lock);
    void go_on_later();
    std::size_t take_all(waiting_entry& entry, wait_op_base::outcome how,
                         wait_queue& others) noexcept;
    void take_one(wait_op_base& op, wait_queue& others) noexcept;
    void take(wait_op_base& op, wait_op_base::outcome how, wait_queue& others) noexcept;
    void let_go(guard& lock, wait_queue& others, wait_op_base::outcome how);
    void release_entries(wait_op_base::outcome how, wait_queue& others) noexcept;

    [[nodiscard]] bool claim_settling() noexcept;
    void post_settling();
    void complete(wait_queue& over);
    void settle_again(wait_queue& left);
    void destroy_settled() noexcept;
    void await_callback(guard& lock) noexcept;
    void shut(wait_op_base::outcome how) noexcept;

    const std::unique_ptr<time_source> owned_source_;
    time_source& source_;
    const asio::any_io_executor executor_;
    const asio::any_io_executor poster_; // the same, for execute()
    const duration tick_length_;
    const time_point epoch_;
    const std::unique_ptr<alarm> alarm_;

    mutable spin_lock mutex_; // guards what follows, and what entries and operations hold
    timer_wheel wheel_;
    tick armed_ = tick::never(); // no alarm is needed for what is due at or after it
    bool draining_ = false;      // armed_ is tick() meanwhile: the drain arms when it ends
    bool closed_ = false;
    bool current_cancelled_ = false;
    wheel_entry* current_ = nullptr; // whose function runs; perhaps destroyed by itself
    std::thread::id drainer_;
    std::uint64_t wake_ups_ = 0;
    wait_queue settled_; // waits that are over and whose handlers run where we run
    bool settling_posted_ = false;
};

inline waiting_entry::waiting_entry(waiting_entry&& other) noexcept : wheel_entry{&other.state()} {
    state().move_waits(other, *this);
}

inline waiting_entry& waiting_entry::operator=(waiting_entry&& other) {
    if (this != &other) {
        state().cancel_waits(*this);
        join(other);
        state().move_waits(other, *this);
    }
    return *this;
}

inline void wait_op_base::cancel() {
    if (wheel_state* state = state_.load(std::memory_order_acquire)) {
        state->cancel_op(*this);
    }
}

} // namespace muster::detail
