#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/error_condition.hpp>
#include <boost/system/system_error.hpp>

#include <string>
#include <type_traits>

namespace muster {

namespace sys = boost::system;

/// What can go wrong. Every operation documents which of these it reports; `operation_aborted` is
/// always Asio's.
enum class errc {
    configuration = 1,      ///< a request or an option is invalid; nothing was changed
    dependency_unavailable, ///< a program, a directory or a service that the request names is
                            ///< missing
    session_not_found,      ///< no session has this id
    session_exists,         ///< the id is taken; `remove` a terminal session to free it
    session_starting,       ///< the session has not been spawned completely yet
    session_not_running,    ///< the session is terminal
    session_not_terminal,   ///< only a terminal session can be removed
    prompt_not_found,       ///< no open question has this prompt id
    process,                ///< the operating system refused something about a child process
    protocol,               ///< a worker or a document broke the protocol
    internal,               ///< an invariant was broken; report it
    unsupported,            ///< the backend cannot do this
    input_closed,           ///< the worker no longer accepts input
    send_timed_out,         ///< the backend did not take the input within the deadline
    admission_refused,      ///< a limit of the runtime refuses the spawn
    shutting_down,          ///< the runtime accepts no more work
    stream_closed,          ///< the channel is closed and drained
    stream_expired,         ///< the requested start is no longer kept
    subscriber_lagged,      ///< the subscription was disconnected because it fell behind
};

/// The kinds that the reference reports, for callers who branch on the kind and not on the case.
///
/// `ec == condition::configuration` holds for every code of that kind.
enum class condition {
    configuration = 1,
    dependency_unavailable,
    session_not_found,
    process,
    protocol,
    internal,
    unsupported,
};

/// The category of `errc`; its name is "muster". Thread-safe.
[[nodiscard]] const sys::error_category& error_category() noexcept;

/// The category of `condition`; its name is "muster.condition". Thread-safe.
[[nodiscard]] const sys::error_category& condition_category() noexcept;

/// Found by argument-dependent look-up; makes `errc` convertible to `error_code`.
[[nodiscard]] sys::error_code make_error_code(errc code) noexcept;

/// Found by argument-dependent look-up; makes `condition` convertible to `error_condition`.
[[nodiscard]] sys::error_condition make_error_condition(condition kind) noexcept;

/// What facade coroutines and constructors throw: a code, and a sentence that names the session and
/// says what to do.
///
/// `what()` is the sentence alone; `code()` is what programs test.
class error : public sys::system_error {
public:
    error(sys::error_code code, std::string message);

    [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

private:
    std::string message_;
};

} // namespace muster

namespace boost::system {

template <>
struct is_error_code_enum<muster::errc> : std::true_type {};

template <>
struct is_error_condition_enum<muster::condition> : std::true_type {};

} // namespace boost::system
