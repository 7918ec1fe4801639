#pragma once

#include <muster/detail/next_up.hpp>
#include <muster/detail/single_threaded.hpp>

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>

#include <atomic>
#include <cassert>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace muster {

namespace asio = boost::asio;

template <typename InnerExecutor, typename Allocator, bool Tracked>
class basic_light_strand;

namespace detail {

/// A queued function: run it (`true`) or only destroy it; either way its memory is given back
/// before the function is.
struct strand_op {
    using act_function = void (*)(strand_op*, bool run);
    explicit strand_op(act_function act) noexcept : act_{act} {}
    strand_op* next_ = nullptr;
    act_function act_;
};

/// The strands whose turn this thread is in, innermost first. More than one only when a handler
/// runs an execution context itself.
class strand_frame {
public:
    explicit strand_frame(const void* state) noexcept : state_{state}, outer_{top_} { top_ = this; }
    ~strand_frame() { top_ = outer_; }
    strand_frame(const strand_frame&) = delete;
    strand_frame& operator=(const strand_frame&) = delete;

    [[nodiscard]] static bool any() noexcept { return top_ != nullptr; }
    [[nodiscard]] static bool contains(const void* state) noexcept {
        const strand_frame* frame = top_;
        while (frame != nullptr && frame->state_ != state) {
            frame = frame->outer_;
        }
        return frame != nullptr;
    }

private:
    [[gnu::tls_model("initial-exec")]] // see lib/DESIGN.md
    static constinit inline thread_local strand_frame* top_ = nullptr;
    const void* state_;
    strand_frame* outer_;
};

} // namespace detail

/// What the handles of one light strand share: in go functions from any thread, out they come one
/// at a time and in order on the inner executor; it owns the queue and the inner executor.
///
/// A base class, so that a record that is reference-counted anyway can carry its strand:
///
///     class record final : public muster::light_strand_state {
///     public:
///         explicit record(asio::io_context& io) : light_strand_state{io.get_executor()} {}
///     private:
///         void dispose() noexcept override { delete this; }
///     };
///     auto* r = new record{io};
///     muster::light_strand strand{*r};  // r lives until the last handle and queued function go
///
/// - 40 bytes, of which 4 at the end are free for a derived class's first small member.
/// - The count starts at 0: the first handle (or `intrusive_ptr`) makes it 1.
/// - Counting is thread-safe. `dispose` runs on the thread that gave the last reference back, never
///   while a function of this strand is queued or running.
template <typename InnerExecutor>
class basic_light_strand_state {
public:
    /// So many functions run in one turn before the inner executor gets its thread back.
    static constexpr int run_budget = 8;

    basic_light_strand_state(const basic_light_strand_state&) = delete;
    basic_light_strand_state& operator=(const basic_light_strand_state&) = delete;

    [[nodiscard]] const InnerExecutor& inner_executor() const noexcept { return inner_; }

    /// Whether the caller is inside a function of this strand.
    [[nodiscard]] bool running_in_this_thread() const noexcept {
        return detail::strand_frame::contains(this);
    }

    void add_ref() noexcept;
    void release() noexcept;

    friend void intrusive_ptr_add_ref(basic_light_strand_state* state) noexcept {
        state->add_ref();
    }
    friend void intrusive_ptr_release(basic_light_strand_state* state) noexcept {
        state->release();
    }

protected:
    explicit basic_light_strand_state(InnerExecutor inner) : inner_{std::move(inner)} {}
    ~basic_light_strand_state() { assert(tail_.load() == idle && ready_ == nullptr); }

private:
    template <typename, typename, bool>
    friend class basic_light_strand;

    class runner;
    class reference;
    class turn;

    static constexpr bool on_io_context =
        std::is_same_v<InnerExecutor, asio::io_context::executor_type>;

    // tail_: idle (nobody runs or is due), busy (somebody does, nothing new), or the newest op of
    // a list that leads back to the oldest; then somebody runs or is due as well.
    static constexpr std::uintptr_t idle = 0;
    static constexpr std::uintptr_t busy = 1;

    virtual void dispose() noexcept = 0;

    void enqueue(detail::strand_op* op, bool continuation);
    bool try_enter_inline() noexcept;
    bool push(detail::strand_op* op) noexcept;
    bool try_enter() noexcept;
    bool try_leave() noexcept;
    bool refill() noexcept;
    detail::strand_op* pop() noexcept;
    void run();
    static void go_next(void* data, bool run);
    bool offer_to_go_next() noexcept;
    void schedule(bool continuation);
    void abandon() noexcept;

    InnerExecutor inner_;
    std::atomic<std::uintptr_t> tail_{idle};
    detail::strand_op* ready_ = nullptr; // oldest first; only whoever has entered touches it
    std::atomic<std::uint32_t> references_{0};
};

// ---------------------------------------------------------------------------------------------
// implementation

template <typename InnerExecutor>
class basic_light_strand_state<InnerExecutor>::reference {
public:
    explicit reference(basic_light_strand_state& state) noexcept : state_{&state} {
        state.add_ref();
    }
    reference(reference&& other) noexcept : state_{std::exchange(other.state_, nullptr)} {}
    reference& operator=(reference&&) = delete;
    ~reference() {
        if (state_ != nullptr) {
            state_->release();
        }
    }
    [[nodiscard]] basic_light_strand_state* get() const noexcept { return state_; }

private:
    basic_light_strand_state* state_;
};

/// The right to run functions, from entering until the strand is idle or due again. The caller
/// keeps the state alive.
template <typename InnerExecutor>
class basic_light_strand_state<InnerExecutor>::turn {
public:
    /// `goes_next`: what is left may go next on this thread, or else it has had its share.
    turn(basic_light_strand_state& state, bool goes_next) noexcept
        : frame_{&state}, state_{&state}, goes_next_{goes_next} {}
    // Out of memory while handing over what is queued would lose it: noexcept, and so fatal.
    ~turn() {
        if ((state_->ready_ != nullptr || !state_->try_leave()) &&
            !(goes_next_ && state_->offer_to_go_next())) {
            state_->schedule(true);
        }
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

private:
    detail::strand_frame frame_;
    basic_light_strand_state* state_;
    bool goes_next_;
};

/// What the inner executor holds for a strand that is due. Destroyed uncalled by a dying context,
/// it takes the queue with it.
template <typename InnerExecutor>
class basic_light_strand_state<InnerExecutor>::runner {
public:
    explicit runner(basic_light_strand_state& state) noexcept : state_{state} {}
    runner(runner&&) noexcept = default;
    runner& operator=(runner&&) = delete;
    ~runner() {
        if (state_.get() != nullptr) {
            state_.get()->abandon();
        }
    }

    void operator()() {
        const reference keep{std::move(state_)};
        if constexpr (on_io_context) {
            detail::next_up scope{keep.get()->inner_.context()};
            keep.get()->run();
            scope.run_rest();
        } else {
            keep.get()->run();
        }
    }

private:
    friend basic_light_strand_state;
    reference state_;
};

template <typename InnerExecutor>
void basic_light_strand_state<InnerExecutor>::add_ref() noexcept {
    detail::fetch_add(references_, std::uint32_t{1}, std::memory_order_relaxed);
}

template <typename InnerExecutor>
void basic_light_strand_state<InnerExecutor>::release() noexcept {
    // Release: what this holder did is done before another disposes. Acquire: the partner.
    if (detail::fetch_add(references_, ~std::uint32_t{0}, std::memory_order_acq_rel) == 1) {
        dispose();
    }
}

template <typename InnerExecutor>
void basic_light_strand_state<InnerExecutor>::enqueue(detail::strand_op* op, bool continuation) {
    if (push(op)) { // not next: who posts may go on for long, and other threads be idle
        schedule(continuation);
    }
}

/// An idle strand may run a function at once if its inner executor would; but not inside another
/// strand's turn, for then a chain of dispatches through many strands would nest without bound.
template <typename InnerExecutor>
bool basic_light_strand_state<InnerExecutor>::try_enter_inline() noexcept {
    if constexpr (requires { inner_.running_in_this_thread(); }) {
        return !detail::strand_frame::any() && inner_.running_in_this_thread() && try_enter();
    } else {
        return false;
    }
}

/// True when the strand was idle: the caller must schedule it.
template <typename InnerExecutor>
bool basic_light_strand_state<InnerExecutor>::push(detail::strand_op* op) noexcept {
    std::uintptr_t before = tail_.load(std::memory_order_relaxed);
    do {
        op->next_ = before <= busy ? nullptr : reinterpret_cast<detail::strand_op*>(before);
        // Release: the op, for refill. Acquire: the last leaver's `ready_`.
    } while (!detail::compare_exchange(tail_, before, reinterpret_cast<std::uintptr_t>(op),
                                       std::memory_order_acq_rel));
    return before == idle;
}

template <typename InnerExecutor>
bool basic_light_strand_state<InnerExecutor>::try_enter() noexcept {
    std::uintptr_t expected = idle;
    return detail::compare_exchange(tail_, expected, busy, std::memory_order_acquire);
}

/// Release: all that ran here happened before the next to enter.
template <typename InnerExecutor>
bool basic_light_strand_state<InnerExecutor>::try_leave() noexcept {
    std::uintptr_t expected = busy;
    return detail::compare_exchange(tail_, expected, idle, std::memory_order_release);
}

/// Makes `ready_` non-empty if anything is queued; takes all that is new in one exchange.
template <typename InnerExecutor>
bool basic_light_strand_state<InnerExecutor>::refill() noexcept {
    if (ready_ != nullptr) {
        return true;
    }
    if (tail_.load(std::memory_order_relaxed) == busy) {
        return false;
    }
    auto* newest = reinterpret_cast<detail::strand_op*>(
        detail::exchange(tail_, busy, std::memory_order_acquire));
    while (newest != nullptr) {
        ready_ = std::exchange(newest, std::exchange(newest->next_, ready_));
    }
    return true;
}

template <typename InnerExecutor>
detail::strand_op* basic_light_strand_state<InnerExecutor>::pop() noexcept {
    return std::exchange(ready_, ready_->next_);
}

template <typename InnerExecutor>
void basic_light_strand_state<InnerExecutor>::run() {
    const turn here{*this, false};
    for (int left = run_budget; left > 0 && refill(); --left) {
        detail::strand_op* op = pop();
        op->act_(op, true);
        if (detail::next_up::taken()) {
            break; // what goes next does not wait for the rest of the queue
        }
    }
}

template <typename InnerExecutor>
void basic_light_strand_state<InnerExecutor>::go_next(void* data, bool run) {
    runner due{*static_cast<basic_light_strand_state*>(data)};
    due.state_.get()->release(); // the offer's
    if (run) {
        const reference keep{std::move(due.state_)};
        keep.get()->run();
    }
}

/// True: this thread runs the strand next.
template <typename InnerExecutor>
bool basic_light_strand_state<InnerExecutor>::offer_to_go_next() noexcept {
    if constexpr (on_io_context) {
        if (detail::next_up::offer(inner_.context(), {&go_next, this})) {
            add_ref();
            return true;
        }
    }
    return false;
}

template <typename InnerExecutor>
void basic_light_strand_state<InnerExecutor>::schedule(bool continuation) {
    runner due{*this};
    auto never = asio::require(inner_, asio::execution::blocking.never);
    if (continuation) {
        asio::prefer(std::move(never), asio::execution::relationship.continuation)
            .execute(std::move(due));
    } else {
        never.execute(std::move(due));
    }
}

/// Destroys what is queued and what its destruction queues, without running any of it. Entered
/// throughout, so that nothing is scheduled and nothing recurses.
template <typename InnerExecutor>
void basic_light_strand_state<InnerExecutor>::abandon() noexcept {
    do {
        while (refill()) {
            detail::strand_op* op = pop();
            op->act_(op, false);
        }
    } while (!try_leave());
}

} // namespace muster
