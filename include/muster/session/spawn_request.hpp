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

    environment_variable(std::string new_name, std::string new_value)
        : name{std::move(new_name)}, value{std::move(new_value)} {}
};

/// What a session is made from. A plain value; the backend says which members it needs.
struct spawn_request {
    session_id id;
    std::string workdir;                            ///< empty: the supervisor's own
    std::optional<std::string> model;               ///< passed on to backends that know models
    std::optional<std::string> instruction_prelude; ///< sent as the first input, if present
    std::vector<environment_variable> environment;
    std::vector<std::string> command; ///< program and arguments; backends may allow none

    explicit spawn_request(session_id new_id) : id{std::move(new_id)} {}
    spawn_request(session_id new_id, std::vector<std::string> new_command)
        : id{std::move(new_id)}, command{std::move(new_command)} {}
    spawn_request(session_id new_id, std::string new_workdir, std::vector<std::string> new_command)
        : id{std::move(new_id)}, workdir{std::move(new_workdir)}, command{std::move(new_command)} {}

    /// Throws `error{errc::configuration}` naming the session and the member that is wrong: a NUL
    /// byte anywhere, an empty program name, or an environment name that is empty or contains '='.
    void validate() const;
};

} // namespace muster
