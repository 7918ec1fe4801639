#pragma once

#include <muster/session/session_id.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster {

/// One variable of a worker's environment; it is added to the supervisor's, or replaces it there.
struct environment_variable {
    std::string name;
    std::string value;

    environment_variable(std::string name, std::string value)
        : name{std::move(name)}, value{std::move(value)} {}
};

/// What a session is made from. A plain value; the backend says which members it needs.
struct spawn_request {
    session_id id;
    std::string workdir;                            ///< empty: the supervisor's own
    std::optional<std::string> model;               ///< passed on to backends that know models
    std::optional<std::string> instruction_prelude; ///< sent as the first input, if present
    std::vector<environment_variable> environment;
    std::vector<std::string> command; ///< program and arguments; backends may allow none

    explicit spawn_request(session_id id) : id{std::move(id)} {}
    spawn_request(session_id id, std::vector<std::string> command)
        : id{std::move(id)}, command{std::move(command)} {}
    spawn_request(session_id id, std::string workdir, std::vector<std::string> command)
        : id{std::move(id)}, workdir{std::move(workdir)}, command{std::move(command)} {}

    /// Throws `error{errc::configuration}` naming the session and the member that is wrong: a NUL
    /// byte anywhere, an empty program name, or an environment name that is empty or contains '='.
    void validate() const;
};

} // namespace muster
