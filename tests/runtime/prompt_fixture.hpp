#pragma once

#include "runtime_fixture.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::test {

/// A runtime whose prompts, and what became of them, are written down.
class prompt_fixture : public runtime_fixture {
public:
    explicit prompt_fixture(script every_session = script{}.idle(), runtime_options options = {})
        : runtime_fixture{std::move(every_session), std::move(options)} {}

    explicit prompt_fixture(checkpoint_policy policy, script every_session = script{}.idle())
        : runtime_fixture{std::move(every_session), prompting(std::move(policy))} {}

    static runtime_options prompting(checkpoint_policy policy) {
        runtime_options options;
        options.checkpoint = std::move(policy);
        return options;
    }

    using runtime_fixture::spawn;
    void spawn(const char* id, checkpoint_policy own) { spawn(id, spawn_options{std::move(own)}); }

    /// How many prompts the session has taken.
    [[nodiscard]] std::size_t prompts(const char* id) const { return backend->inputs(id).size(); }

    void say(const char* id, event value) {
        backend->push(id, std::move(value));
        settle();
    }
    void set_input(const char* id, script::input_mode mode) {
        backend->set_input(id, mode);
        settle();
    }

    /// The receipts since the last call: "session outcome", and whether somebody asked for it.
    std::vector<std::string> receipts() {
        std::vector<std::string> shown;
        for (const auto& each : take_all(receipts_)) {
            shown.push_back(each->session.str() + " " + std::string{to_string(each->outcome)} +
                            (each->periodic ? "" : " asked"));
        }
        return shown;
    }

    /// The diagnostics since the last call: "failure 1", "backoff 1 4s", "disabled 3".
    std::vector<std::string> diagnostics() {
        std::vector<std::string> shown;
        for (const auto& each : take_all(diagnostics_)) {
            shown.push_back(show(*each));
        }
        return shown;
    }

private:
    template <typename T>
    static std::vector<T> take_all(subscription<T>& reader) {
        std::vector<T> all;
        sys::error_code ec;
        auto next = reader.try_receive(ec);
        for (; !ec; next = reader.try_receive(ec)) {
            all.push_back(std::move(next.value));
        }
        return all;
    }

    static std::string show(const checkpoint_diagnostic& told) {
        using kind = checkpoint_diagnostic::kind_type;
        const auto count = " " + std::to_string(told.failures);
        switch (told.kind) {
        case kind::failure: return "failure" + count;
        case kind::disabled: return "disabled" + count;
        case kind::silent: return "silent" + count;
        case kind::backoff: break;
        }
        const auto delay = std::chrono::duration_cast<std::chrono::seconds>(told.delay);
        return "backoff" + count + " " + std::to_string(delay.count()) + "s";
    }

    receipt_subscription receipts_ = subject->subscribe_receipts();
    diagnostic_subscription diagnostics_ = subject->subscribe_diagnostics();
};

} // namespace muster::test
