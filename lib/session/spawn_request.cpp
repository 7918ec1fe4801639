#include <muster/error.hpp>
#include <muster/session/spawn_request.hpp>

#include <string_view>

namespace muster {
namespace {

[[noreturn]] void reject(const session_id& id, std::string_view what) {
    throw error{errc::configuration, "session '" + id.str() + "': " + std::string{what}};
}

void reject_nul(const session_id& id, std::string_view text, std::string_view member) {
    if (text.find('\0') != std::string_view::npos) {
        reject(id, std::string{member} + " contains a NUL byte: remove it");
    }
}

void check_variable(const session_id& id, const environment_variable& variable) {
    reject_nul(id, variable.name, "an environment name");
    reject_nul(id, variable.value, "environment variable '" + variable.name + "'");
    if (variable.name.empty() || variable.name.find('=') != std::string::npos) {
        reject(id, "environment name '" + variable.name + "' must be non-empty and without '='");
    }
}

} // namespace

void spawn_request::validate() const {
    reject_nul(id, workdir, "the working directory");
    reject_nul(id, model.value_or(""), "the model");
    for (const auto& variable : environment) {
        check_variable(id, variable);
    }
    for (const auto& argument : command) {
        reject_nul(id, argument, "the command");
    }
    if (!command.empty() && command.front().empty()) {
        reject(id, "the command's program is empty: name a program");
    }
}

} // namespace muster
