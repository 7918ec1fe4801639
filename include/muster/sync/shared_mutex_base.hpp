#pragma once

#include <muster/sync/shared_mutex_core.hpp>

#include <boost/asio/execution_context.hpp>

#include <utility>

namespace muster {

namespace asio = boost::asio;

namespace detail {

class shared_mutex_base;
class shared_mutex_service;
template <lock_mode Mode, typename Handler, typename Executor>
class lock_op;

/// An operation that waits for a lock, without its handler's type.
class lock_op_base : public shared_mutex_core::waiter {
public:
    enum class action {
        post,     ///< queue the completion; it frees the operation
        lead,     ///< the same for `others`, of which this is the first, all at home; with one post
        complete, ///< we are where it completes
        drop,     ///< pass the lock on, then destroy
        destroy,  ///< free the operation and its handler, which does not run
    };
    using list = shared_mutex_core::waiter_list;
    using act_function = void (*)(lock_op_base*, action, list& others);

    lock_op_base(shared_mutex_base& mutex, act_function perform, bool is_home) noexcept
        : mutex_{&mutex}, act_{perform}, is_home_{is_home} {}

    void act(action what) {
        list none;
        act_(this, what, none);
    }
    /// Has all of `led` completed, of which this is the first.
    void lead(list led) { act_(this, action::lead, led); }
    /// Whether it completes on the mutex's executor.
    [[nodiscard]] bool is_home() const noexcept { return is_home_; }

    /// Posts the completion with operation_aborted if the lock has not been granted. On the
    /// handler's executor, as all of Asio's cancellation.
    void cancel();

protected:
    ~lock_op_base() = default;

    /// True: the lock is the caller's to hold. False: the wait was aborted.
    [[nodiscard]] bool take_lock() noexcept;
    /// The opposite of take_lock, for an operation that dies before it completes.
    void pass_on();

    [[nodiscard]] shared_mutex_base* mutex() const noexcept { return mutex_; }

private:
    friend class shared_mutex_base;
    shared_mutex_base* mutex_; // null once the mutex is gone
    act_function act_;
    const bool is_home_;
};

/// The part of a shared mutex that knows neither executor nor handlers: a core, and a place in the
/// list by which a dying context finds what still waits.
class shared_mutex_base {
public:
    explicit shared_mutex_base(asio::execution_context& context);
    shared_mutex_base(const shared_mutex_base&) = delete;
    shared_mutex_base& operator=(const shared_mutex_base&) = delete;
    ~shared_mutex_base();

    [[nodiscard]] shared_mutex_core& core() noexcept { return core_; }
    [[nodiscard]] const shared_mutex_core& core() const noexcept { return core_; }

    template <lock_mode Mode>
    void unlock() {
        if (auto granted = core_.unlock<Mode>(); !granted.empty()) {
            post_all(std::move(granted));
        }
    }

    /// Has all of `list` completed. Those who complete on the mutex's executor take one post
    /// together, however many they are: who lets them in may be a thread outside, and would lose
    /// the processor to the first that it wakes up, before it has posted the others.
    static void post_all(shared_mutex_core::waiter_list list);
    static lock_op_base* pop(shared_mutex_core::waiter_list& list) noexcept {
        return static_cast<lock_op_base*>(list.pop());
    }

private:
    friend class shared_mutex_service;
    static void orphan(const shared_mutex_core::waiter_list& list) noexcept;
    static void forget_mutex(shared_mutex_core::waiter& w) noexcept;

    shared_mutex_core core_;
    shared_mutex_service* service_; // null once the context has shut down
    shared_mutex_base* previous_ = nullptr;
    shared_mutex_base* next_ = nullptr;
};

} // namespace detail

/// Holds a lock of a shared_mutex and gives it back: in the destructor at the latest, on any
/// thread. Movable; empty when default-made, moved from or after `unlock`. Not thread-safe.
///
/// Giving back posts those who are let in; running out of memory then is fatal.
template <lock_mode Mode>
class [[nodiscard]] lock_holder {
public:
    lock_holder() = default;
    lock_holder(lock_holder&& other) noexcept : mutex_{std::exchange(other.mutex_, nullptr)} {}
    lock_holder& operator=(lock_holder&& other) noexcept {
        lock_holder taken{std::move(other)};
        std::swap(mutex_, taken.mutex_);
        return *this;
    }
    ~lock_holder() { unlock(); }

    [[nodiscard]] bool owns_lock() const noexcept { return mutex_ != nullptr; }
    [[nodiscard]] explicit operator bool() const noexcept { return owns_lock(); }

    /// Gives the lock back now; nothing if empty.
    void unlock() noexcept {
        if (detail::shared_mutex_base* mutex = std::exchange(mutex_, nullptr)) {
            mutex->unlock<Mode>();
        }
    }

private:
    template <typename>
    friend class basic_shared_mutex;
    template <lock_mode, typename, typename>
    friend class detail::lock_op;
    /// Adopts a lock that has been taken.
    explicit lock_holder(detail::shared_mutex_base* mutex) noexcept : mutex_{mutex} {}

    detail::shared_mutex_base* mutex_ = nullptr;
};

/// The lock of a reader.
using shared_lock = lock_holder<lock_mode::shared>;
/// The lock of a writer.
using unique_lock = lock_holder<lock_mode::exclusive>;

} // namespace muster
