#include <muster/error.hpp>

#include <utility>

namespace muster {
namespace {

const char* describe(errc code) noexcept {
    switch (code) {
    case errc::configuration: return "the request or option is invalid";
    case errc::dependency_unavailable: return "a program, directory or service is missing";
    case errc::session_not_found: return "no session has this id";
    case errc::session_exists: return "the session id is taken";
    case errc::session_starting: return "the session is still starting";
    case errc::session_not_running: return "the session is not running";
    case errc::session_not_terminal: return "the session has not ended yet";
    case errc::prompt_not_found: return "no open question has this prompt id";
    case errc::process: return "a process operation failed";
    case errc::protocol: return "the protocol was violated";
    case errc::internal: return "an internal invariant was broken";
    case errc::unsupported: return "the backend does not support this";
    case errc::input_closed: return "the worker no longer accepts input";
    case errc::send_timed_out: return "the backend did not take the input in time";
    case errc::admission_refused: return "a limit of the runtime refuses the spawn";
    case errc::shutting_down: return "the runtime is shutting down";
    case errc::stream_closed: return "the stream is closed";
    case errc::stream_expired: return "the requested start is no longer kept";
    case errc::subscriber_lagged: return "the subscriber fell behind and was disconnected";
    }
    return "unknown muster error";
}

const char* describe(condition kind) noexcept {
    switch (kind) {
    case condition::configuration: return "configuration";
    case condition::dependency_unavailable: return "dependency unavailable";
    case condition::session_not_found: return "session not found";
    case condition::process: return "process";
    case condition::protocol: return "protocol";
    case condition::internal: return "internal";
    case condition::unsupported: return "unsupported";
    }
    return "unknown muster condition";
}

condition kind_of(errc code) noexcept {
    switch (code) {
    case errc::dependency_unavailable: return condition::dependency_unavailable;
    case errc::session_not_found:
    case errc::prompt_not_found: return condition::session_not_found;
    case errc::process:
    case errc::input_closed:
    case errc::send_timed_out: return condition::process;
    case errc::protocol: return condition::protocol;
    case errc::internal: return condition::internal;
    case errc::unsupported: return condition::unsupported;
    case errc::configuration:
    case errc::session_exists:
    case errc::session_starting:
    case errc::session_not_running:
    case errc::session_not_terminal:
    case errc::admission_refused:
    case errc::shutting_down:
    case errc::stream_closed:
    case errc::stream_expired:
    case errc::subscriber_lagged: return condition::configuration;
    }
    return condition::internal;
}

class code_category final : public sys::error_category {
public:
    const char* name() const noexcept override { return "muster"; }
    std::string message(int value) const override { return describe(static_cast<errc>(value)); }
    sys::error_condition default_error_condition(int value) const noexcept override {
        return make_error_condition(kind_of(static_cast<errc>(value)));
    }
};

class kind_category final : public sys::error_category {
public:
    const char* name() const noexcept override { return "muster.condition"; }
    std::string message(int value) const override {
        return describe(static_cast<condition>(value));
    }
};

} // namespace

const sys::error_category& error_category() noexcept {
    static const code_category category;
    return category;
}

const sys::error_category& condition_category() noexcept {
    static const kind_category category;
    return category;
}

sys::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

sys::error_condition make_error_condition(condition kind) noexcept {
    return {static_cast<int>(kind), condition_category()};
}

error::error(sys::error_code code, std::string message)
    : system_error{code}, message_{std::move(message)} {}

} // namespace muster
