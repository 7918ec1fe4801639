#include <muster/checkpoint/policy.hpp>
#include <muster/error.hpp>

#include <algorithm>

namespace muster {
namespace {

constexpr std::string_view white_space = " \t\r\n\v\f";

[[noreturn]] void reject(const char* what) {
    throw error{errc::configuration, what};
}

} // namespace

failure_policy failure_policy::retry() noexcept {
    return {};
}

failure_policy failure_policy::disable_after(std::uint32_t failures) noexcept {
    failure_policy policy;
    policy.disable_after_ = failures;
    policy.counts_ = true;
    return policy;
}

failure_policy failure_policy::backoff(std::chrono::nanoseconds initial,
                                       std::chrono::nanoseconds max,
                                       std::optional<std::uint32_t> disable_after) noexcept {
    failure_policy policy;
    policy.backs_off_ = true;
    policy.initial_ = initial;
    policy.max_ = max;
    policy.counts_ = disable_after.has_value();
    policy.disable_after_ = disable_after.value_or(0);
    return policy;
}

std::optional<std::chrono::nanoseconds>
failure_policy::delay_after(std::uint32_t consecutive) const noexcept {
    if (!backs_off_ || consecutive == 0) {
        return std::nullopt;
    }
    auto delay = initial_;
    for (std::uint32_t step = 1; step < consecutive && delay < max_; ++step) {
        delay = delay > max_ / 2 ? max_ : delay * 2;
    }
    return std::min(delay, max_);
}

void failure_policy::validate() const {
    if (counts_ && disable_after_ == 0) {
        reject(
            "a failure policy cannot disable after 0 failures: count at least 1, or use retry()");
    }
    if (backs_off_ && (initial_.count() <= 0 || max_ < initial_)) {
        reject("a backoff needs 0 < initial <= max");
    }
}

bool checkpoint_policy::is_periodic() const noexcept {
    return interval.count() > 0 && prompt.find_first_not_of(white_space) != std::string::npos;
}

void checkpoint_policy::validate() const {
    if (interval.count() < 0) {
        reject("a checkpoint interval must not be negative: use 0 to turn prompting off");
    }
    if (leeway.count() < 0) {
        reject("a checkpoint's leeway must not be negative: use 0 for a cadence of its own");
    }
    if (send_deadline.count() <= 0) {
        reject("a checkpoint's send deadline must be positive");
    }
    on_failure.validate();
}

std::string checkpoint_text(std::string_view prompt) {
    if (prompt.find_first_not_of(white_space) == std::string_view::npos) {
        return {};
    }
    std::string text{prompt};
    if (text.back() != '\n') {
        text += '\n';
    }
    return text;
}

std::string_view to_string(prompt_outcome outcome) noexcept {
    switch (outcome) {
    case prompt_outcome::sent: return "sent";
    case prompt_outcome::skipped_focused: return "skipped_focused";
    case prompt_outcome::deferred_busy: return "deferred_busy";
    case prompt_outcome::coalesced: return "coalesced";
    case prompt_outcome::refused: return "refused";
    case prompt_outcome::timed_out: return "timed_out";
    case prompt_outcome::failed: return "failed";
    }
    return "unknown";
}

} // namespace muster
