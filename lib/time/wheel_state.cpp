#include <muster/time/detail/wheel_state.hpp>

#include "context_watch.hpp"

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/require.hpp>

#include <utility>

namespace muster::detail {

asio::execution_context::id context_watch::id;

namespace {

/// Hand-outs and moves before the executor gets its thread back.
constexpr std::size_t drain_budget = 1024;

/// Ticks ahead for which an alarm that nobody needs any more is left alone.
constexpr std::uint64_t soon = 64;

} // namespace

wheel_state::wheel_state(std::unique_ptr<time_source> owned, time_source& source,
                         duration tick_length)
    : owned_source_{std::move(owned)}, source_{source}, executor_{source.get_executor()},
      poster_{asio::require(executor_, asio::execution::blocking.never)},
      tick_length_{tick_length}, epoch_{source.now()}, alarm_{source.make_alarm()} {}

void wheel_state::watch_context() {
    asio::use_service<context_watch>(executor_.context()).add(this);
}

// ---- entries with a function
// ---------------------------------------------------------------------

void wheel_state::schedule(wheel_entry& entry, tick due) {
    guard lock{mutex_};
    if (!closed_) {
        wheel_.schedule(entry, due);
        arm_if_earlier(entry.due(), lock);
    }
}

cancel_result wheel_state::cancel(wheel_entry& entry) noexcept {
    const guard lock{mutex_};
    const bool prevented = wheel_.cancel(entry); // also what was scheduled during a call
    disarm_if_empty();
    const bool running = current_ == &entry;
    current_cancelled_ = current_cancelled_ || running;
    if (prevented) {
        return cancel_result::prevented;
    }
    return running ? cancel_result::running : cancel_result::idle;
}

void wheel_state::retire(wheel_entry& entry) noexcept {
    guard lock{mutex_};
    wheel_.cancel(entry);
    disarm_if_empty();
    if (current_ == &entry) {
        current_cancelled_ = true;
        await_callback(lock);
    }
}

/// Callbacks are short and do not wait: yielding is enough.
void wheel_state::await_callback(guard& lock) noexcept {
    const auto* const running = current_;
    while (current_ == running && current_ != nullptr && drainer_ != std::this_thread::get_id()) {
        lock.unlock();
        std::this_thread::yield();
        lock.lock();
    }
}

// ---- entries in which operations wait
// ------------------------------------------------------------

void wheel_state::wait(waiting_entry& entry, wait_op_base& op, tick due) {
    using outcome = wait_op_base::outcome;
    wait_queue others;
    guard lock{mutex_};
    if (closed_ || due <= wheel_.now()) {
        entry.expiries_ += closed_ ? 0 : 1;
        const auto how = closed_ ? outcome::aborted : outcome::expired;
        take(op, how, others);
        let_go(lock, others, how);
        return;
    }
    op.entry_ = &entry;
    op.state_.store(this, std::memory_order_relaxed); // its canceller runs where this runs
    entry.waiting_.push(op);
    if (!entry.scheduled()) {
        wheel_.schedule(entry, due);
        arm_if_earlier(due, lock);
    }
}

std::size_t wheel_state::cancel_waits(waiting_entry& entry) {
    wait_queue others;
    guard lock{mutex_};
    const std::size_t count = take_all(entry, wait_op_base::outcome::aborted, others);
    disarm_if_empty();
    let_go(lock, others, wait_op_base::outcome::aborted);
    return count;
}

std::size_t wheel_state::cancel_one_wait(waiting_entry& entry) {
    wait_queue others;
    guard lock{mutex_};
    wait_op_base* const first = entry.waiting_.front();
    if (first == nullptr) {
        return 0;
    }
    take_one(*first, others);
    disarm_if_empty();
    let_go(lock, others, wait_op_base::outcome::aborted);
    return 1;
}

void wheel_state::cancel_op(wait_op_base& op) {
    wait_queue others;
    guard lock{mutex_};
    if (op.entry_ == nullptr) {
        return;
    }
    take_one(op, others);
    disarm_if_empty();
    let_go(lock, others, wait_op_base::outcome::aborted);
}

std::uint32_t wheel_state::expiries(const waiting_entry& entry) const noexcept {
    const guard lock{mutex_};
    return entry.expiries_;
}

void wheel_state::move_waits(waiting_entry& from, waiting_entry& to) noexcept {
    const guard lock{mutex_};
    wheel_.relocate(from, to);
    to.expiries_ = from.expiries_;
    while (wait_op_base* op = from.waiting_.front()) {
        from.waiting_.remove(*op);
        to.waiting_.push(*op);
        op->entry_ = &to;
    }
}

/// Returns how many there were.
std::size_t wheel_state::take_all(waiting_entry& entry, wait_op_base::outcome how,
                                  wait_queue& others) noexcept {
    wheel_.cancel(entry);
    std::size_t count = 0;
    while (wait_op_base* op = entry.waiting_.front()) {
        entry.waiting_.remove(*op);
        take(*op, how, others);
        ++count;
    }
    return count;
}

void wheel_state::take_one(wait_op_base& op, wait_queue& others) noexcept {
    waiting_entry& entry = *op.entry_;
    entry.waiting_.remove(op);
    take(op, wait_op_base::outcome::aborted, others);
    if (entry.waiting_.empty()) {
        wheel_.cancel(entry);
    }
}

/// The wait is over. Who completes on our own executor goes to `settled_`.
void wheel_state::take(wait_op_base& op, wait_op_base::outcome how, wait_queue& others) noexcept {
    op.entry_ = nullptr;
    op.outcome_ = how;
    op.state_.store(nullptr, std::memory_order_release);
    (op.local_ ? settled_ : others).push(op);
}

/// Ends what took waits: lets go of the lock, then sees to it that they complete.
void wheel_state::let_go(guard& lock, wait_queue& others, wait_op_base::outcome how) {
    const bool claimed = claim_settling();
    lock.unlock();
    if (claimed) {
        post_settling();
    }
    others.settle(how);
}

// ---- completing waits, many with one post
// ---------------------------------------------------------

/// The post under way that completes what is settled.
class wheel_state::settle_op {
public:
    explicit settle_op(wheel_state& state) noexcept : state_{&state} {}
    settle_op(settle_op&&) noexcept = default;
    settle_op& operator=(settle_op&&) = delete;
    /// Destroyed uncalled: the context is dying.
    ~settle_op() {
        if (state_) {
            state_->destroy_settled();
        }
    }

    void operator()() {
        const auto state = std::exchange(state_, {});
        wait_queue over;
        {
            const guard lock{state->mutex_};
            state->settling_posted_ = false;
            over.append(state->settled_);
        }
        state->complete(over);
    }

private:
    boost::intrusive_ptr<wheel_state> state_;
};

/// Whether the caller has to post, after it has let go of the lock.
bool wheel_state::claim_settling() noexcept {
    return !settled_.empty() && !std::exchange(settling_posted_, true);
}

void wheel_state::post_settling() {
    poster_.execute(settle_op{*this});
}

/// On our executor, without the lock. What is left, also when a handler throws, is posted.
void wheel_state::complete(wait_queue& over) {
    struct rest {
        wheel_state& state;
        wait_queue& queue;
        ~rest() {
            if (!queue.empty()) {
                state.settle_again(queue);
            }
        }
    } left{*this, over};
    for (std::size_t count = 0; count < drain_budget && !over.empty(); ++count) {
        wait_op_base& op = *over.front();
        over.remove(op);
        op.complete();
    }
}

/// Puts `left` in front of what has been settled since.
void wheel_state::settle_again(wait_queue& left) {
    guard lock{mutex_};
    left.append(settled_);
    settled_.append(left);
    wait_queue none;
    let_go(lock, none, wait_op_base::outcome::expired);
}

void wheel_state::destroy_settled() noexcept {
    wait_queue dead;
    {
        const guard lock{mutex_};
        settling_posted_ = false;
        dead.append(settled_);
    }
    dead.settle(wait_op_base::outcome::destroyed);
}

// ---- waking up
// -----------------------------------------------------------------------------------

/// Unlocks. Between that and the arming an alarm may go off, which is a wake-up too many at worst.
void wheel_state::arm_if_earlier(tick due, guard& lock) {
    const bool earlier = due < armed_;
    if (earlier) {
        armed_ = due;
    }
    lock.unlock();
    if (earlier) {
        alarm_->arm(time_of(due), this);
    }
}

/// Under the lock, so that nobody arms in between. An alarm that is armed far ahead for nothing
/// would keep the context running until then; one that is near goes off by itself, which is
/// cheaper.
void wheel_state::disarm_if_empty() noexcept {
    if (wheel_.empty() && !draining_ && armed_ != tick::never() && armed_ > wheel_.now() + soon)
        [[unlikely]] {
        armed_ = tick::never();
        alarm_->disarm();
    }
}

void wheel_state::on_alarm() {
    const tick now = this->now();
    guard lock{mutex_};
    if (draining_ || closed_) {
        return;
    }
    draining_ = true;
    armed_ = tick{};
    ++wake_ups_;
    drain(now, lock);
}

/// Unlocks.
void wheel_state::drain(tick now, guard& lock) {
    std::size_t budget = drain_budget;
    wait_queue others;
    wait_queue over; // we are where they complete
    drainer_ = std::this_thread::get_id();
    hand_out(now, budget, lock, others);
    drainer_ = {};
    over.append(settled_);
    if (budget == 0 && !closed_) {
        lock.unlock();
        go_on_later();
    } else {
        draining_ = false;
        armed_ = tick::never();
        arm_if_earlier(wheel_.next_expiry(), lock);
    }
    others.settle(wait_op_base::outcome::expired);
    complete(over);
}

void wheel_state::hand_out(tick now, std::size_t& budget, guard& lock, wait_queue& others) {
    while (timer_entry* due = wheel_.take_due(now, budget)) {
        auto& entry = static_cast<wheel_entry&>(*due);
        if (entry.on_due_ != nullptr) {
            call(entry, now, lock);
        } else {
            auto& waited_for = static_cast<waiting_entry&>(entry);
            ++waited_for.expiries_;
            take_all(waited_for, wait_op_base::outcome::expired, others);
        }
    }
}

/// After its function the entry may be gone: it is touched only if the function asks for more and
/// nobody has cancelled it meanwhile.
void wheel_state::call(wheel_entry& entry, tick now, guard& lock) {
    current_ = &entry;
    current_cancelled_ = false;
    const tick due = entry.due(); // others may schedule it anew while it is called
    lock.unlock();
    const tick next = entry.on_due_(entry, due, now);
    lock.lock();
    if (next != tick::never() && !current_cancelled_ && !closed_) {
        wheel_.schedule(entry, next);
    }
    current_ = nullptr;
}

void wheel_state::go_on_later() {
    poster_.execute([self = boost::intrusive_ptr<wheel_state>{this}] {
        const tick now = self->now();
        guard lock{self->mutex_};
        self->drain(now, lock);
    });
}

// ---- the end
// -------------------------------------------------------------------------------------

void wheel_state::close() noexcept {
    shut(wait_op_base::outcome::aborted);
}

void wheel_state::abandon() noexcept {
    shut(wait_op_base::outcome::destroyed);
}

void wheel_state::shut(wait_op_base::outcome how) noexcept {
    wait_queue others;
    bool claimed = false;
    {
        guard lock{mutex_};
        if (closed_) {
            return;
        }
        closed_ = true;
        release_entries(how, others);
        await_callback(lock);
        if (how == wait_op_base::outcome::destroyed) {
            others.append(settled_);
        } else {
            claimed = claim_settling();
        }
    }
    alarm_->close();
    if (how == wait_op_base::outcome::aborted) {
        asio::use_service<context_watch>(executor_.context()).remove(*this);
    }
    if (claimed) {
        post_settling();
    }
    others.settle(how);
}

void wheel_state::release_entries(wait_op_base::outcome how, wait_queue& others) noexcept {
    wheel_.release_all([&](timer_entry& released) {
        auto& entry = static_cast<wheel_entry&>(released);
        if (entry.on_due_ == nullptr) {
            take_all(static_cast<waiting_entry&>(entry), how, others);
        }
    });
}

// ---- time
// ----------------------------------------------------------------------------------------

tick wheel_state::tick_at(time_point at) const noexcept {
    if (at <= epoch_) {
        return tick{};
    }
    const duration since = at - epoch_;
    const auto whole = static_cast<std::uint64_t>(since / tick_length_);
    return tick{whole + (since % tick_length_ == duration::zero() ? 0 : 1)};
}

wheel_state::time_point wheel_state::time_of(tick at) const noexcept {
    const auto reach = static_cast<std::uint64_t>((time_point::max() - epoch_) / tick_length_);
    if (at.value() > reach) {
        return time_point::max();
    }
    return epoch_ + static_cast<duration::rep>(at.value()) * tick_length_;
}

tick wheel_state::now() const noexcept {
    return tick{static_cast<std::uint64_t>((source_.now() - epoch_) / tick_length_)};
}

std::size_t wheel_state::size() const noexcept {
    const guard lock{mutex_};
    return wheel_.size();
}

std::uint64_t wheel_state::wake_ups() const noexcept {
    const guard lock{mutex_};
    return wake_ups_;
}

} // namespace muster::detail
