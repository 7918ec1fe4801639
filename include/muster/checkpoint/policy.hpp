#pragma once

#include <muster/session/session_id.hpp>

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace muster {

/// What happens to a periodic prompt that is due while the session's turn is active.
enum class busy_action : std::uint8_t {
    skip,     ///< refuse this one; the next is due one interval later
    coalesce, ///< send one prompt as soon as the turn ends, however many were due until then
    send,     ///< send it all the same
};

/// What happens to the cadence when a tick comes so late that the next one is due already.
enum class missed_tick_action : std::uint8_t {
    skip,  ///< stay on the original phase; the ticks in between are left out
    delay, ///< the next is due one interval after the late one
};

/// What repeated failures of a session's prompts lead to. A success resets the count.
class failure_policy {
public:
    /// Go on at the normal cadence, for ever.
    [[nodiscard]] static failure_policy retry() noexcept;
    /// End the registration after `failures` (> 0) consecutive failures. The default policy,
    /// with 3.
    [[nodiscard]] static failure_policy disable_after(std::uint32_t failures = 3) noexcept;
    /// Wait `initial`, then twice as long after each further failure, at most `max`; optionally
    /// give up.
    [[nodiscard]] static failure_policy
    backoff(std::chrono::nanoseconds initial, std::chrono::nanoseconds max,
            std::optional<std::uint32_t> disable_after = {}) noexcept;

    /// Whether `consecutive` failures end the registration.
    [[nodiscard]] bool disables(std::uint32_t consecutive) const noexcept {
        return disable_after_ != 0 && consecutive >= disable_after_;
    }
    /// The pause before the next prompt after `consecutive` failures; nothing: the normal cadence.
    [[nodiscard]] std::optional<std::chrono::nanoseconds>
    delay_after(std::uint32_t consecutive) const noexcept;

    /// Throws `error{errc::configuration}` on a zero count, a negative or zero delay, or `max` <
    /// `initial`.
    void validate() const;

private:
    std::uint32_t disable_after_ = 0; ///< 0: never
    bool counts_ = false;             ///< a count was asked for, so 0 is an error
    bool backs_off_ = false;
    std::chrono::nanoseconds initial_{0};
    std::chrono::nanoseconds max_{0};
};

/// When a session is prompted for a checkpoint, with what, and what happens if that is inopportune
/// or fails.
///
/// A plain value. An interval of 0 or a prompt of nothing but white space turns periodic prompting
/// off.
class checkpoint_policy {
public:
    std::chrono::nanoseconds interval = std::chrono::seconds{120};
    std::string prompt = "Emit a checkpoint now."; ///< a final newline is added if it is missing
    busy_action when_busy = busy_action::coalesce;
    missed_tick_action when_missed = missed_tick_action::skip;
    bool spread_phase =
        false; ///< first due after a hash-spread part of the interval instead of all of it
    /// How much later the cadence may begin, so that prompts of several sessions share wake-ups:
    /// one costs some 20 µs, whatever it serves. From then on it is exact. Cadences begin at
    /// multiples of the longest time that divides the interval and is within this: with ticks of
    /// 1 ms and a leeway of 50 ms every 50 ms for an interval of 1 s, every 37 ms for 999 ms, and
    /// at any tick for 997 ms. At most 65,536 ticks. 0: when the session does.
    std::chrono::nanoseconds leeway{0};
    std::chrono::nanoseconds send_deadline = std::chrono::seconds{10};
    failure_policy on_failure = failure_policy::disable_after();

    checkpoint_policy() = default;
    explicit checkpoint_policy(std::chrono::nanoseconds new_interval) : interval{new_interval} {}
    checkpoint_policy(std::chrono::nanoseconds new_interval, std::string new_prompt)
        : interval{new_interval}, prompt{std::move(new_prompt)} {}

    /// Never prompts.
    [[nodiscard]] static checkpoint_policy off() {
        return checkpoint_policy{std::chrono::nanoseconds{0}};
    }

    /// Whether anything will ever be due.
    [[nodiscard]] bool is_periodic() const noexcept;

    /// Throws `error{errc::configuration}`: negative interval or leeway, deadline ≤ 0, or as
    /// `failure_policy::validate`.
    void validate() const;
};

/// The text that goes to the worker: with a final newline; empty if `prompt` is nothing but white
/// space.
[[nodiscard]] std::string checkpoint_text(std::string_view prompt);

/// How one prompt ended.
enum class prompt_outcome : std::uint8_t {
    sent,            ///< the worker's backend took it
    skipped_focused, ///< a person is looking at the session
    deferred_busy,   ///< a turn is active; one prompt goes out when it ends
    coalesced,       ///< an earlier prompt is still being sent and stands for this one
    refused,         ///< the session waits for an answer, or is busy and the policy says skip
    timed_out,       ///< the backend did not take it within the send deadline
    failed,          ///< the backend reported an error
};

[[nodiscard]] std::string_view to_string(prompt_outcome outcome) noexcept;

/// The end of one prompt, periodic or asked for.
struct prompt_receipt {
    session_id session;
    prompt_outcome outcome;
    bool periodic;
    boost::system::error_code error; ///< set where the outcome is `timed_out` or `failed`

    prompt_receipt(session_id new_session, prompt_outcome new_outcome, bool new_periodic,
                   boost::system::error_code new_error = {})
        : session{std::move(new_session)}, outcome{new_outcome}, periodic{new_periodic},
          error{new_error} {}
};

/// What the failure policy did, as published on the diagnostics stream.
struct checkpoint_diagnostic {
    enum class kind_type : std::uint8_t { failure, backoff, disabled, silent };

    session_id session;
    kind_type kind;
    std::uint32_t failures;            ///< consecutive, this one included
    std::chrono::nanoseconds delay{0}; ///< until the next prompt, where `kind` is `backoff`
    boost::system::error_code error;

    checkpoint_diagnostic(session_id new_session, kind_type new_kind, std::uint32_t new_failures,
                          std::chrono::nanoseconds new_delay, boost::system::error_code new_error)
        : session{std::move(new_session)}, kind{new_kind}, failures{new_failures}, delay{new_delay},
          error{new_error} {}
};

} // namespace muster
