#include <muster/sync/shared_mutex_core.hpp>

#include <algorithm>
#include <cassert>
#include <mutex>
#include <thread>

namespace muster {
namespace {

/// Looks at a lock that is not free, with a pause before each: some 2 µs.
constexpr std::uint64_t spins = 100;

} // namespace

using waiter_phase = shared_mutex_core::waiter::phase;

void shared_mutex_core::chain::push_back(waiter& w) noexcept {
    w.previous_ = last_;
    w.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &w;
    last_ = &w;
}

void shared_mutex_core::chain::remove(waiter& w) noexcept {
    (w.previous_ != nullptr ? w.previous_->next_ : first_) = w.next_;
    (w.next_ != nullptr ? w.next_->previous_ : last_) = w.previous_;
}

void shared_mutex_core::waiter_list::push_back(waiter& w) noexcept {
    w.next_listed_ = nullptr;
    (last_ != nullptr ? last_->next_listed_ : first_) = &w;
    last_ = &w;
}

shared_mutex_core::waiter* shared_mutex_core::waiter_list::pop() noexcept {
    waiter* w = first_;
    if (w != nullptr) {
        first_ = w->next_listed_;
        last_ = first_ != nullptr ? last_ : nullptr;
    }
    return w;
}

shared_mutex_core::~shared_mutex_core() {
    assert(queue_.first_ == nullptr && granted_.first_ == nullptr);
    assert(word() == 0 && "a shared_mutex is destroyed while somebody holds it");
}

template <lock_mode Mode>
bool shared_mutex_core::spin() noexcept {
    static const bool alone = std::thread::hardware_concurrency() == 1;
    // relaxed: whether and how long to try is a guess anyway.
    if (alone || readers_wait_.load(std::memory_order_relaxed)) {
        return false;
    }
    const std::uint32_t in_vain = in_vain_.load(std::memory_order_relaxed);
    for (auto left = spins >> std::min(in_vain % 256, 63U); left != 0; --left) {
        detail::pause();
        const std::uint64_t now = word();
        const bool free = Mode == lock_mode::shared ? (now & (writer | waiting)) == 0 : now == 0;
        if (free && try_lock<Mode>()) {
            in_vain_.store(0, std::memory_order_relaxed);
            return true;
        }
        if (Mode == lock_mode::exclusive && (now & waiting) != 0) {
            return false; // behind others, and who is in front of them may be slow
        }
    }
    in_vain_.store(in_vain + 1, std::memory_order_relaxed);
    return false;
}

template bool shared_mutex_core::spin<lock_mode::shared>() noexcept;
template bool shared_mutex_core::spin<lock_mode::exclusive>() noexcept;

bool shared_mutex_core::lock_or_wait(waiter& w, lock_mode mode) noexcept {
    assert(w.phase_ == waiter_phase::idle);
    const std::lock_guard guard{spin_};
    w.mode_ = mode;
    const bool acquired = acquire_or_mark(mode);
    w.phase_ = acquired ? waiter_phase::granted : waiter_phase::waiting;
    (acquired ? granted_ : queue_).push_back(w);
    if (!acquired && mode == lock_mode::shared) {
        readers_wait_.store(true, std::memory_order_relaxed);
    }
    return acquired;
}

void shared_mutex_core::adopt(waiter& w, lock_mode mode) noexcept {
    const std::lock_guard guard{spin_};
    assert(w.phase_ == waiter_phase::idle);
    w.mode_ = mode;
    w.phase_ = waiter_phase::granted;
    granted_.push_back(w);
}

/// Either takes the lock or leaves `waiting` set while somebody holds it, in one step: the holder's
/// release sees the mark or comes first.
bool shared_mutex_core::acquire_or_mark(lock_mode mode) noexcept {
    std::uint64_t now = word();
    while ((now & waiting) == 0) {
        const bool shared = mode == lock_mode::shared;
        const bool free = shared ? (now & writer) == 0 : now == 0;
        const std::uint64_t next = !free ? now | waiting : shared ? now + 1 : writer;
        if (detail::compare_exchange(state_, now, next, std::memory_order_acquire)) {
            return free;
        }
    }
    return false;
}

void shared_mutex_core::deliver(waiter& w) noexcept {
    const std::lock_guard guard{spin_};
    assert(w.phase_ == waiter_phase::granted);
    granted_.remove(w);
    w.phase_ = waiter_phase::idle;
}

shared_mutex_core::waiter_list shared_mutex_core::pass_on(waiter& w) noexcept {
    deliver(w);
    return w.mode_ == lock_mode::exclusive ? unlock<lock_mode::exclusive>()
                                           : unlock<lock_mode::shared>();
}

bool shared_mutex_core::cancel(waiter& w, waiter_list& granted) noexcept {
    const std::lock_guard guard{spin_};
    if (w.phase_ != waiter_phase::waiting) {
        return false;
    }
    queue_.remove(w);
    w.phase_ = waiter_phase::idle;
    if (queue_.first_ == nullptr) {
        state_.fetch_and(~waiting, std::memory_order_acq_rel);
        readers_wait_.store(false, std::memory_order_relaxed);
    }
    grant(granted);
    return true;
}

shared_mutex_core::waiter_list shared_mutex_core::detach_waiting() noexcept {
    const std::lock_guard guard{spin_};
    state_.fetch_and(~waiting, std::memory_order_acq_rel);
    return detach(queue_);
}

shared_mutex_core::waiter_list shared_mutex_core::detach(chain& from) noexcept {
    waiter_list list;
    while (waiter* w = from.first_) {
        from.remove(*w);
        w->phase_ = waiter_phase::idle;
        list.push_back(*w);
    }
    return list;
}

void shared_mutex_core::release(lock_mode mode) noexcept {
    state_.fetch_sub(mode == lock_mode::exclusive ? writer : 1, std::memory_order_acq_rel);
}

/// While a writer holds the lock, the word changes only under the spin lock.
shared_mutex_core::waiter_list shared_mutex_core::unlock_contended() noexcept {
    const std::lock_guard guard{spin_};
    waiter_list granted;
    release(lock_mode::exclusive);
    grant(granted);
    return granted;
}

/// The last reader's release has set the count to zero; since then somebody may have been cancelled
/// or granted, so that grant() starts from what it finds.
shared_mutex_core::waiter_list shared_mutex_core::unlock_shared_contended() noexcept {
    const std::lock_guard guard{spin_};
    waiter_list granted;
    grant(granted);
    return granted;
}

/// Lets the front of the queue in as far as the word allows. Idempotent. Under the spin lock.
void shared_mutex_core::grant(waiter_list& granted) noexcept {
    if (queue_.first_ == nullptr) {
        return;
    }
    // Acquire: partner of the releases in unlock.
    const std::uint64_t now = state_.load(std::memory_order_acquire);
    if (queue_.first_->mode_ == lock_mode::shared) {
        if ((now & writer) == 0) {
            grant_readers(granted);
        }
    } else if ((now & ~waiting) == 0) {
        grant_writer(granted);
    }
}

/// Nobody holds the lock and `waiting` keeps everybody out: the word is ours to store.
void shared_mutex_core::grant_writer(waiter_list& granted) noexcept {
    give(*queue_.first_, granted);
    state_.store(queue_.first_ != nullptr ? writer | waiting : writer, std::memory_order_relaxed);
}

/// Readers may be releasing meanwhile: one addition for the whole run and the mark.
void shared_mutex_core::grant_readers(waiter_list& granted) noexcept {
    std::uint64_t run = 0;
    readers_wait_.store(false, std::memory_order_relaxed);
    while (queue_.first_ != nullptr && queue_.first_->mode_ == lock_mode::shared) {
        give(*queue_.first_, granted);
        ++run;
    }
    state_.fetch_add(queue_.first_ != nullptr ? run : run - waiting, std::memory_order_acq_rel);
}

void shared_mutex_core::give(waiter& w, waiter_list& granted) noexcept {
    queue_.remove(w);
    w.phase_ = waiter_phase::granted;
    granted_.push_back(w);
    granted.push_back(w);
}

} // namespace muster
