#pragma once

#include <muster/backend/backend.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace muster {

class script_worker;

/// What an in-process session does, step by step, and how it takes input. When the steps are over
/// its stream ends.
///
/// A plain value, built by chaining; immutable once a backend has it, so that many sessions can
/// share one.
class script {
public:
    /// How the worker takes its next inputs and responses.
    enum class input_mode : std::uint8_t { accept, refuse, hang };

    using event_source = std::function<event()>;
    using reaction = std::function<std::optional<event>(std::string_view)>;

    /// Makes one event from a copy of `payload`.
    template <event_payload Payload>
    script& emit(Payload payload) {
        return emit_from([payload = std::move(payload)] { return event{payload}; });
    }
    /// Makes one event by calling `source`.
    script& emit_from(event_source source);
    /// Makes `count` output events of `bytes` each, pushed together.
    script& burst(std::size_t count, std::string bytes);
    /// Waits until `count` more inputs have come than at the last such step.
    script& await_input(std::size_t count = 1);
    /// Waits for a real time.
    script& pause(std::chrono::nanoseconds duration);
    /// Waits until the session is killed, or told otherwise through `script_backend::resume`.
    script& idle();
    /// The stream ends with an error of this text.
    script& fail(std::string reason);

    /// From the next input on: accept (the default), refuse with an error, or never return.
    script& input(input_mode mode);
    /// Each accepted input is answered by the event that `answer` makes of it, if any.
    script& on_input(reaction answer);
    /// `spawn` throws `error{process}` with this text.
    script& refuse_spawn(std::string reason);
    /// `spawn` returns a worker with another id.
    script& spawn_as(session_id other);
    /// `kill` throws `error{process}`.
    script& refuse_kill();

private:
    friend class script_backend;
    friend class script_worker;

    struct emit_step {
        event_source source;
    };
    struct burst_step {
        std::size_t count;
        std::string bytes;
    };
    struct await_input_step {
        std::size_t count;
    };
    struct pause_step {
        std::chrono::nanoseconds duration;
    };
    struct idle_step {};
    struct fail_step {
        std::string reason;
    };
    using step =
        std::variant<emit_step, burst_step, await_input_step, pause_step, idle_step, fail_step>;

    std::vector<step> steps_;
    input_mode input_mode_ = input_mode::accept;
    reaction on_input_;
    std::optional<std::string> spawn_refusal_;
    std::optional<session_id> spawn_as_;
    bool refuses_kill_ = false;
};

/// In-process sessions that follow a script: for tests, benchmarks and examples. Deterministic but
/// for `pause`.
///
/// `source` makes the script of each spawn request; sessions may share one. The backend remembers
/// its sessions, so that a test can reach into them; `track(false)` before the first spawn saves
/// that memory. The members that reach into a session are thread-safe: they post to its executor,
/// and do nothing if the session is gone.
class script_backend final : public backend {
public:
    using script_source = std::function<std::shared_ptr<const script>(const spawn_request&)>;

    /// Every session follows the same script.
    explicit script_backend(script every_session);
    explicit script_backend(script_source source);
    ~script_backend() override;

    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor executor) override;

    void track(bool on) noexcept { tracks_ = on; }

    /// Makes the session say this, in between the script's own events.
    void push(const session_id& id, event value);
    /// Ends the `idle` step that the session is in: the script goes on.
    void resume(const session_id& id);
    /// Changes how the session takes input from now on; inputs that hang are released and accepted
    /// by `accept`.
    void set_input(const session_id& id, script::input_mode mode);

    /// What the session was sent and accepted so far, while tracking is on.
    [[nodiscard]] std::vector<std::string> inputs(const session_id& id) const;
    /// The responses that the session was given, while tracking is on.
    [[nodiscard]] std::vector<needs_input_response> responses(const session_id& id) const;
    /// The sizes that the session was given, while tracking is on.
    [[nodiscard]] std::vector<terminal_size> sizes(const session_id& id) const;

    /// Workers that exist now.
    [[nodiscard]] std::size_t alive() const noexcept { return alive_.load(); }
    /// Kills that succeeded so far.
    [[nodiscard]] std::size_t kills() const noexcept { return kills_.load(); }
    /// Inputs that were accepted so far.
    [[nodiscard]] std::size_t inputs_accepted() const noexcept { return accepted_.load(); }

private:
    friend class script_worker;
    struct track_record;

    std::shared_ptr<track_record> start_record(const session_id& id,
                                               const session_executor& executor);
    std::shared_ptr<track_record> find_record(const session_id& id) const;
    template <typename Action>
    void reach(const session_id& id, Action action);

    script_source source_;
    bool tracks_ = true;
    std::atomic<std::size_t> alive_{0};
    std::atomic<std::size_t> kills_{0};
    std::atomic<std::size_t> accepted_{0};
    mutable std::mutex mutex_; ///< guards the map and what its records list
    std::map<session_id, std::shared_ptr<track_record>> records_;
};

} // namespace muster
