#pragma once

#include <muster/backend/backend.hpp>
#include <muster/detail/wake_list.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace muster::work {

class load_backend;

/// Where inputs go; called on the sessions' executors, maybe on several threads.
class input_listener {
public:
    virtual void arrived(std::uint64_t worker, std::string_view bytes) = 0;

protected:
    ~input_listener() = default;
};

/// The in-process worker of WORKLOADS.md: takes a burst with one post to its session's executor
/// and gives it to the runtime there; counts what it is sent.
class load_worker final : public worker {
public:
    load_worker(load_backend& owner, std::uint64_t number, session_id id,
                session_executor executor);
    ~load_worker() override;

    /// Says all of `burst`; from any thread, while the session lives.
    void say(std::vector<event> burst);

    const session_id& id() const noexcept override { return id_; }
    bool try_run(event_sink& events) override;
    session_awaitable<> run(event_sink& events) override;
    bool try_send_input(std::string_view bytes) override;
    session_awaitable<> send_input(std::string bytes) override;
    session_awaitable<> kill() override;
    void abandon() noexcept override { end(); }

private:
    void push(std::vector<event>& burst);
    void end() noexcept;

    load_backend& owner_;
    std::uint64_t number_;
    session_id id_;
    session_executor executor_;
    event_sink* events_ = nullptr; ///< while the stream is open
    detail::wake_list ended_by_;
    bool ended_ = false;
};

/// How a worker gives a burst to the runtime.
enum class hand_over {
    one_by_one, ///< each event by itself, as the workloads say
    together,   ///< the whole burst, with one reading of the clock
};

/// How a worker lives.
enum class worker_form {
    machine,   ///< a state machine
    coroutine, ///< a coroutine that waits
};

/// Makes load workers, numbered in the order of their spawns.
class load_backend final : public backend {
public:
    /// `listener` may be null, and must outlive the backend.
    explicit load_backend(hand_over how = hand_over::one_by_one,
                          input_listener* listener = nullptr) noexcept
        : how_(how), listener_(listener) {}

    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor executor) override;

    /// Before the first spawn.
    void set_form(worker_form form) noexcept { form_ = form; }

    /// By number; do not use while a spawn is under way.
    const std::vector<load_worker*>& workers() const noexcept { return workers_; }
    std::size_t alive() const noexcept { return alive_.load(std::memory_order_acquire); }

private:
    friend class load_worker;

    hand_over how_;
    input_listener* listener_;
    worker_form form_ = worker_form::machine;
    std::vector<load_worker*> workers_;
    std::atomic<std::size_t> alive_{0};
};

} // namespace muster::work
