#include <muster/sync/shared_mutex_base.hpp>

#include <boost/asio/execution_context.hpp>

#include <mutex>
#include <utility>

namespace muster::detail {

/// Knows the mutexes of one context, so that the context's end finds the operations that nobody
/// would complete any more: their handlers may own the mutex that they wait for.
class shared_mutex_service final : public asio::execution_context::service {
public:
    static inline asio::execution_context::id id;

    explicit shared_mutex_service(asio::execution_context& context) : service{context} {}

    void add(shared_mutex_base& mutex);
    void remove(shared_mutex_base& mutex) noexcept;

private:
    void shutdown() override;
    shared_mutex_base* take_first() noexcept;
    void unlink(shared_mutex_base& mutex) noexcept;

    std::mutex guard_;
    shared_mutex_base* first_ = nullptr;
};

void shared_mutex_service::add(shared_mutex_base& mutex) {
    const std::lock_guard lock{guard_};
    mutex.next_ = first_;
    if (first_ != nullptr) {
        first_->previous_ = &mutex;
    }
    first_ = &mutex;
}

void shared_mutex_service::remove(shared_mutex_base& mutex) noexcept {
    const std::lock_guard lock{guard_};
    unlink(mutex);
}

void shared_mutex_service::unlink(shared_mutex_base& mutex) noexcept {
    (mutex.previous_ != nullptr ? mutex.previous_->next_ : first_) = mutex.next_;
    if (mutex.next_ != nullptr) {
        mutex.next_->previous_ = mutex.previous_;
    }
}

shared_mutex_base* shared_mutex_service::take_first() noexcept {
    const std::lock_guard lock{guard_};
    shared_mutex_base* mutex = first_;
    if (mutex != nullptr) {
        unlink(*mutex);
        mutex->service_ = nullptr;
    }
    return mutex;
}

/// A handler's destructor may free any mutex or emit any cancellation: the operations forget their
/// mutex first, and every round starts anew from the list's head.
void shared_mutex_service::shutdown() {
    while (shared_mutex_base* mutex = take_first()) {
        auto waiting = mutex->core_.detach_waiting();
        shared_mutex_base::orphan(waiting);
        while (lock_op_base* op = shared_mutex_base::pop(waiting)) {
            op->act(lock_op_base::action::destroy);
        }
    }
}

shared_mutex_base::shared_mutex_base(asio::execution_context& context)
    : service_{&asio::use_service<shared_mutex_service>(context)} {
    service_->add(*this);
}

shared_mutex_base::~shared_mutex_base() {
    if (service_ != nullptr) {
        service_->remove(*this);
    }
    core_.forget_granted(&forget_mutex);
    auto waiting = core_.detach_waiting();
    orphan(waiting);
    post_all(std::move(waiting));
}

/// Leaves the operations without a mutex: they complete with operation_aborted.
void shared_mutex_base::orphan(const shared_mutex_core::waiter_list& list) noexcept {
    list.for_each(&forget_mutex);
}

void shared_mutex_base::forget_mutex(shared_mutex_core::waiter& w) noexcept {
    static_cast<lock_op_base&>(w).mutex_ = nullptr;
}

void shared_mutex_base::post_all(shared_mutex_core::waiter_list list) {
    shared_mutex_core::waiter_list home;
    while (lock_op_base* op = pop(list)) {
        if (op->is_home()) {
            home.push_back(*op);
        } else {
            op->act(lock_op_base::action::post);
        }
    }
    if (home.has_one()) {
        pop(home)->act(lock_op_base::action::post);
    } else if (!home.empty()) {
        auto* const first = static_cast<lock_op_base*>(home.front());
        first->lead(std::move(home));
    }
}

void lock_op_base::cancel() {
    if (mutex_ == nullptr) {
        return;
    }
    shared_mutex_core::waiter_list granted;
    if (mutex_->core().cancel(*this, granted)) {
        shared_mutex_base::post_all(std::move(granted));
        mutex_ = nullptr;
        act(action::post);
    }
}

bool lock_op_base::take_lock() noexcept {
    if (mutex_ == nullptr) {
        return false;
    }
    mutex_->core().deliver(*this);
    return true;
}

void lock_op_base::pass_on() {
    if (shared_mutex_base* mutex = std::exchange(mutex_, nullptr)) {
        shared_mutex_base::post_all(mutex->core().pass_on(*this));
    }
}

} // namespace muster::detail
