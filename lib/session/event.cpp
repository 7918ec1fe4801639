#include <muster/session/envelope.hpp>

namespace muster {

std::string_view to_string(event_kind kind) noexcept {
    switch (kind) {
    case event_kind::output: return "output";
    case event_kind::checkpoint: return "checkpoint";
    case event_kind::needs_input: return "needs_input";
    case event_kind::blocked: return "blocked";
    case event_kind::artifact: return "artifact";
    case event_kind::turn_state: return "turn_state";
    case event_kind::restarted: return "restarted";
    case event_kind::done: return "done";
    case event_kind::crashed: return "crashed";
    case event_kind::killed: return "killed";
    }
    return "unknown";
}

std::string_view to_string(artifact_kind kind) noexcept {
    switch (kind) {
    case artifact_kind::diff: return "diff";
    case artifact_kind::pull_request: return "pull_request";
    case artifact_kind::test_run: return "test_run";
    case artifact_kind::log_snippet: return "log_snippet";
    case artifact_kind::link: return "link";
    case artifact_kind::session_export: return "session_export";
    case artifact_kind::other: return "other";
    }
    return "unknown";
}

void detail::destroy(event_node* node) noexcept {
    visit_concrete(*node, [](auto& concrete) { delete &concrete; });
}

event envelope::clone(const event& source) {
    return source.visit([](const auto& payload) { return event{payload}; });
}

} // namespace muster
