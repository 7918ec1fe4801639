#pragma once

#include <muster/detail/single_threaded.hpp>
#include <muster/detail/spin_lock.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

namespace muster {

/// How a lock is held.
enum class lock_mode : std::uint8_t {
    shared,    ///< together with other readers
    exclusive, ///< alone
};

/// The rules of a reader/writer lock without anything that waits: in go attempts, waiters and
/// releases; out come the waiters that have the lock now, for the caller to resume. Owns nothing,
/// links what it is given.
///
/// Policy
/// - First in, first out. A waiting writer holds back every reader that comes after it, so writers
///   do not starve; a run of neighbouring readers at the front is granted together, so readers do
///   not queue singly. The price: a reader may wait behind a writer that waits behind a reader.
/// - A release hands the lock to the front of the queue; nobody overtakes in between.
/// - A writer that is cancelled lets the readers behind it in at once.
///
/// A waiter that was granted stays linked until `deliver` or `pass_on`: so the lock that is under
/// way to its holder is neither lost nor forgotten when the mutex goes.
///
/// Thread-safe. Free paths are one atomic instruction (a plain one while the process has a single
/// thread); the others hold a spin lock for a few list operations. Nothing allocates or throws.
class shared_mutex_core {
public:
    class waiter;
    class waiter_list;

    shared_mutex_core() = default;
    shared_mutex_core(const shared_mutex_core&) = delete;
    shared_mutex_core& operator=(const shared_mutex_core&) = delete;
    /// Nobody holds, waits or is being granted: `detach_…` first.
    ~shared_mutex_core();

    /// Takes the lock if it is free and nobody waits.
    template <lock_mode Mode>
    [[nodiscard]] bool try_lock() noexcept;
    /// The same, but where the process has other threads it tries for up to 2 µs: about what it
    /// takes to hand a lock to a thread that is awake and get it back. Overtakes nobody. No longer
    /// than once while readers wait, and for half as long after each time that it was in vain,
    /// until it works again or 256 have tried: a lock that is held for long, or by a coroutine of
    /// this very thread, costs some 20 ns a try.
    template <lock_mode Mode>
    [[nodiscard]] bool try_lock_for_a_moment() noexcept {
        return try_lock<Mode>() || (!detail::is_single_threaded() && spin<Mode>());
    }

    /// Takes the lock for `w` (true; `w` is granted) or queues it (false). `w` must be idle and
    /// stay where it is until it is idle again.
    [[nodiscard]] bool lock_or_wait(waiter& w, lock_mode mode) noexcept;
    /// Makes the lock that the caller holds that of `w`, which is idle, and then granted.
    void adopt(waiter& w, lock_mode mode) noexcept;

    /// Gives back a lock that the caller holds. Who is returned has been granted.
    template <lock_mode Mode>
    [[nodiscard]] waiter_list unlock() noexcept;

    /// The lock of the granted `w` becomes the caller's; `w` is idle.
    void deliver(waiter& w) noexcept;

    /// The lock of the granted `w` goes to those who wait; `w` is idle.
    [[nodiscard]] waiter_list pass_on(waiter& w) noexcept;

    /// Removes `w` if it still waits (true; `w` is idle); a granted one keeps its lock (false).
    /// Adds to `granted` whom the removal lets in.
    [[nodiscard]] bool cancel(waiter& w, waiter_list& granted) noexcept;

    /// Removes all that wait; they are idle.
    [[nodiscard]] waiter_list detach_waiting() noexcept;

    /// Takes the locks of all that were granted and not delivered; they are idle, and stay in the
    /// lists that they were returned in. `forgotten(waiter&)` is called for each, must be short and
    /// must not use the core.
    template <typename Forgotten>
    void forget_granted(Forgotten forgotten) noexcept;

    [[nodiscard]] bool is_locked() const noexcept { return (word() & writer) != 0; }
    [[nodiscard]] std::uint64_t readers() const noexcept { return word() & reader_mask; }
    [[nodiscard]] bool has_waiters() const noexcept { return (word() & waiting) != 0; }

private:
    // state_: `writer` or a number of readers, never both; `waiting` while queue_ is not empty. It
    // sends every attempt and the last release to the spin lock, under which alone it changes.
    static constexpr std::uint64_t writer = std::uint64_t{1} << 63;
    static constexpr std::uint64_t waiting = std::uint64_t{1} << 62;
    static constexpr std::uint64_t reader_mask = waiting - 1;

    struct chain {
        void push_back(waiter& w) noexcept;
        void remove(waiter& w) noexcept;
        waiter* first_ = nullptr;
        waiter* last_ = nullptr;
    };

    [[nodiscard]] std::uint64_t word() const noexcept {
        return state_.load(std::memory_order_relaxed);
    }
    template <lock_mode Mode>
    [[nodiscard]] bool spin() noexcept;
    bool acquire_or_mark(lock_mode mode) noexcept;
    waiter_list unlock_contended() noexcept;
    waiter_list unlock_shared_contended() noexcept;
    void release(lock_mode mode) noexcept;
    void grant(waiter_list& granted) noexcept;
    void grant_writer(waiter_list& granted) noexcept;
    void grant_readers(waiter_list& granted) noexcept;
    void give(waiter& w, waiter_list& granted) noexcept;
    waiter_list detach(chain& from) noexcept;

    std::atomic<std::uint64_t> state_{0};
    // Hints for who tries for a moment: how often that was in vain since it last worked, and
    // whether readers have given up already.
    std::atomic<std::uint32_t> in_vain_{0};
    std::atomic<bool> readers_wait_{false};
    detail::spin_lock spin_; // for all below
    chain queue_;
    chain granted_;
};

/// One who wants the lock; a base class for what is to be resumed.
class shared_mutex_core::waiter {
public:
    enum class phase : std::uint8_t {
        idle,    ///< in no list
        waiting, ///< queued
        granted, ///< has the lock, which has not been delivered
    };

    waiter() = default;
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    [[nodiscard]] lock_mode mode() const noexcept { return mode_; }
    /// Settled only for whoever was told by the core (or under quiescence).
    [[nodiscard]] phase current_phase() const noexcept { return phase_; }

protected:
    ~waiter() = default;

private:
    friend class shared_mutex_core;
    waiter* previous_ = nullptr;
    waiter* next_ = nullptr;
    waiter* next_listed_ = nullptr;
    lock_mode mode_ = lock_mode::shared;
    phase phase_ = phase::idle;
};

/// Waiters that something happened to, in the order of their coming. Does not own them.
class shared_mutex_core::waiter_list {
public:
    waiter_list() = default;
    waiter_list(waiter_list&& other) noexcept
        : first_{std::exchange(other.first_, nullptr)}, last_{std::exchange(other.last_, nullptr)} {
    }
    waiter_list& operator=(waiter_list&&) = delete;

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    /// Not for one that is in a list already.
    void push_back(waiter& w) noexcept;
    /// The first, now off the list; null when there is none.
    waiter* pop() noexcept;
    /// The first, which stays; null when there is none.
    [[nodiscard]] waiter* front() const noexcept { return first_; }
    [[nodiscard]] bool has_one() const noexcept { return first_ != nullptr && first_ == last_; }
    /// Calls `visit(waiter&)` for each, in order.
    template <typename Visitor>
    void for_each(Visitor visit) const {
        for (waiter* w = first_; w != nullptr; w = w->next_listed_) {
            visit(*w);
        }
    }

private:
    waiter* first_ = nullptr;
    waiter* last_ = nullptr;
};

// ---------------------------------------------------------------------------------------------
// implementation

template <lock_mode Mode>
bool shared_mutex_core::try_lock() noexcept {
    std::uint64_t now = Mode == lock_mode::shared ? word() : 0;
    if constexpr (Mode == lock_mode::exclusive) {
        return detail::compare_exchange(state_, now, writer, std::memory_order_acquire);
    } else {
        // Another reader may come or go between load and exchange: that is no reason to fail.
        while ((now & (writer | waiting)) == 0) {
            if (detail::compare_exchange(state_, now, now + 1, std::memory_order_acquire)) {
                return true;
            }
        }
        return false;
    }
}

template <typename Forgotten>
void shared_mutex_core::forget_granted(Forgotten forgotten) noexcept {
    const std::lock_guard guard{spin_};
    while (waiter* w = granted_.first_) {
        granted_.remove(*w);
        w->phase_ = waiter::phase::idle;
        release(w->mode_);
        forgotten(*w);
    }
}

template <lock_mode Mode>
shared_mutex_core::waiter_list shared_mutex_core::unlock() noexcept {
    if constexpr (Mode == lock_mode::exclusive) {
        std::uint64_t now = writer;
        // Release: for the next try_lock or lock_or_wait.
        if (detail::compare_exchange(state_, now, std::uint64_t{0}, std::memory_order_release)) {
            return {};
        }
        return unlock_contended();
    } else {
        // Release: for the writer that grant() lets in, whose load acquires.
        const std::uint64_t before =
            detail::fetch_add(state_, ~std::uint64_t{0}, std::memory_order_release);
        return before == (waiting | 1) ? unlock_shared_contended() : waiter_list{};
    }
}

} // namespace muster
