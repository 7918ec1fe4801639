#pragma once

#include <muster/checkpoint/policy.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace muster {

/// Decides for one session whether a prompt goes out, and what a failure leads to: prompts and turn
/// changes flow in, verdicts flow out. The state machine alone: no clock, no thread, no I/O;
/// strand-bound, 8 bytes.
///
/// Guarantees: at most one prompt in flight; a deferred prompt goes out at most once, when the turn
/// has ended and no question is open; never a prompt while a question is open.
class prompter {
public:
    /// What to do with one prompt: send it now, or end it with this outcome.
    enum class verdict : std::uint8_t { send, skip_focused, defer_busy, coalesce, refuse };

    /// What a failed prompt leads to.
    struct failure_verdict {
        std::uint32_t failures;                        ///< consecutive, this one included
        std::optional<std::chrono::nanoseconds> delay; ///< back off for so long
        bool disable;                                  ///< end the registration
    };

    /// A periodic prompt is due. `send` means that it is in flight until `settled`.
    [[nodiscard]] verdict periodic_due(busy_action when_busy, bool focused) noexcept;

    /// Somebody asked for a prompt: as `periodic_due`, but focus does not matter.
    [[nodiscard]] verdict requested(busy_action when_busy) noexcept;

    /// Whether a deferred prompt can go out now; if so it is in flight. Ask after each change of
    /// state. The focus holds back what was due, not what somebody asked for: pass false for that.
    [[nodiscard]] bool take_deferred(bool focused) noexcept;

    void turn_changed(bool active) noexcept { turn_active_ = active; }
    void waiting_changed(bool waiting) noexcept { waiting_ = waiting; }

    /// The prompt in flight was taken.
    void succeeded() noexcept { failures_ = 0; }
    /// The prompt in flight was not taken, or not in time.
    [[nodiscard]] failure_verdict failed(const failure_policy& policy) noexcept;
    /// The backend has let go of the prompt; the next may go out. After `succeeded` or `failed`.
    void settled() noexcept { in_flight_ = false; }

    /// The worker was started anew: nothing is in flight, no turn, no question, no failures.
    void reset() noexcept { *this = prompter{}; }

    [[nodiscard]] bool turn_active() const noexcept { return turn_active_; }
    [[nodiscard]] bool waiting() const noexcept { return waiting_; }
    [[nodiscard]] bool in_flight() const noexcept { return in_flight_; }

private:
    std::uint32_t failures_ = 0;
    bool turn_active_ = false;
    bool waiting_ = false;
    bool in_flight_ = false;
    bool deferred_ = false;
};

} // namespace muster
