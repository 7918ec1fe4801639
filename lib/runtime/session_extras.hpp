#pragma once

#include "restart_tracker.hpp"
#include "session.hpp"

#include <muster/fanout/conflation_slot.hpp>
#include <muster/time/wheel_timer.hpp>

#include <boost/asio/cancellation_signal.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace muster::detail {

/// Keeps session and worker alive while a coroutine uses them.
class session::worker_use {
public:
    explicit worker_use(session& user) noexcept : user_{&user} { ++user_->worker_uses_; }
    worker_use(worker_use&&) noexcept = default;
    worker_use& operator=(worker_use&&) = delete;
    ~worker_use() {
        if (user_) {
            --user_->worker_uses_;
            user_->release_worker();
        }
    }

private:
    session_ptr user_;
};

/// The latest event of each status kind of one session, kept for the slow subscribers of a channel.
using status_keys = std::array<conflation_slot<envelope>, event_kind_count - 1>;

[[nodiscard]] inline conflation_slot<envelope>& key_of(status_keys& keys,
                                                       event_kind kind) noexcept {
    return keys[static_cast<std::size_t>(kind) - 1]; // output, the first kind, has none
}

/// A prompt that the backend did not take at once: its deadline, and the way to give it up.
struct session::pending_send {
    prompt_receipt receipt;
    std::uint64_t began;
    bool settled = false; ///< the receipt is out
    basic_wheel_timer<session_executor> deadline;
    asio::cancellation_signal give_up;
    std::optional<worker_use> use;

    pending_send(prompt_receipt started, std::uint64_t began_at, const session_executor& strand,
                 const wheel_service& timers)
        : receipt{std::move(started)}, began{began_at}, deadline{strand, timers} {}
};

/// For a session whose worker is to be started anew when it ends by itself.
struct session::restart_plan {
    restart_tracker tracker;
    spawn_request request;
    wheel_timer timer;               ///< not on the strand: that would keep the session
    std::optional<event> last_words; ///< the worker's own terminal event, held until it has gone
    bool waiting = false;            ///< between an end and the restart

    restart_plan(const restart_policy& policy, spawn_request first, const wheel_service& timers)
        : tracker{policy}, request{std::move(first)}, timer{timers} {}
};

/// For a session that is watched for silence.
struct session::silence_watch {
    silence_policy policy;
    wheel_timer timer; ///< not on the strand: that would keep the session
    wheel_service::time_point last_event;

    silence_watch(const silence_policy& chosen, const wheel_service& timers)
        : policy{chosen}, timer{timers}, last_event{timers.state()->source().now()} {}
};

/// What only some sessions need, made when first needed.
struct session::extras {
    status_keys session_keys;
    status_keys global_keys;
    std::optional<std::optional<std::string>> held_end; ///< how the stream ended during a kill
    std::optional<std::string> deferred_text; ///< asked for while busy, if not the policy's
    std::weak_ptr<pending_send> sending;      ///< the coroutine that sends has it
    std::uint32_t answers_under_way = 0; ///< until the backend has taken them, we wait for them
    std::unique_ptr<const checkpoint_policy> policy;
    std::unique_ptr<const supervision_options> supervision; ///< null: neither restarts nor watched
    std::unique_ptr<restart_plan> restart;
    std::unique_ptr<silence_watch> silence;
    std::atomic<std::uint64_t> ticket{0};
    std::atomic<std::uint64_t> ended{0}; ///< a reading of the metrics clock; 0: not yet

    mutable std::mutex mutex;             ///< guards what `info` reads from any thread:
    std::vector<envelope> open_questions; ///< the oldest first
    std::uint64_t dropped_questions = 0;
    envelope end;
    std::uint32_t restarts = 0;

    void keep_question(const envelope& question);
};

inline session::extras& session::more() {
    auto* present = if_more();
    if (present == nullptr) {
        present = new extras;
        extras_.store(present, std::memory_order_release); // pairs with if_more on other threads
    }
    return *present;
}

inline session::restart_plan* session::if_planned() const noexcept {
    auto* const extra = if_more();
    return extra == nullptr ? nullptr : extra->restart.get();
}

} // namespace muster::detail
