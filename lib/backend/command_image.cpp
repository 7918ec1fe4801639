#include "command_image.hpp"
#include "guardian_wire.hpp"

#include <muster/error.hpp>

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <vector>

namespace muster::detail {
namespace {

using strings = std::vector<std::string>;

std::string_view name_of(std::string_view variable) {
    return variable.substr(0, variable.find('='));
}

/// What is added to the supervisor's environment; a later one of the same name wins.
strings additions(const spawn_request& request) {
    strings variables{"MUSTER_SESSION_ID=" + request.id.str()};
    if (request.model) {
        variables.push_back("MUSTER_MODEL=" + *request.model);
    }
    for (const auto& variable : request.environment) {
        variables.push_back(variable.name + "=" + variable.value);
    }
    return variables;
}

strings make_environment(const spawn_request& request) {
    const strings added = additions(request);
    std::unordered_set<std::string_view> taken;
    strings result;
    for (auto variable = added.rbegin(); variable != added.rend(); ++variable) {
        if (taken.insert(name_of(*variable)).second) {
            result.push_back(*variable);
        }
    }
    for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
        if (!taken.contains(name_of(*variable))) {
            result.emplace_back(*variable);
        }
    }
    return result;
}

std::string_view search_path(const strings& environment) {
    for (const std::string& variable : environment) {
        if (name_of(variable) == "PATH") {
            return std::string_view{variable}.substr(5);
        }
    }
    return "/usr/local/bin:/usr/bin:/bin";
}

strings make_programs(const std::string& program, std::string_view path) {
    strings result;
    if (program.find('/') != std::string::npos) {
        result.push_back(program);
        return result;
    }
    while (true) {
        const std::string_view folder = path.substr(0, path.find(':'));
        result.push_back(std::string{folder.empty() ? "." : folder} + "/" + program);
        if (folder.size() == path.size()) {
            return result;
        }
        path.remove_prefix(folder.size() + 1);
    }
}

/// Lays tables and strings out behind the head.
class image_writer {
public:
    image_writer(const strings& programs, const strings& arguments, const strings& environment)
        : table_{sizeof(image_head)} {
        const std::size_t entries = programs.size() + arguments.size() + environment.size() + 3;
        image_.resize(table_ + entries * sizeof(std::uint64_t));
        image_head head;
        head.programs = add(programs);
        head.arguments = add(arguments);
        head.environment = add(environment);
        std::memcpy(image_.data(), &head, sizeof head);
    }

    [[nodiscard]] std::string take() { return std::move(image_); }

private:
    std::uint64_t add(const strings& list) {
        const std::uint64_t start = table_;
        for (const std::string& text : list) {
            put(image_.size());
            image_.append(text.c_str(), text.size() + 1);
        }
        put(0);
        return start;
    }

    void put(std::uint64_t offset) {
        std::memcpy(image_.data() + table_, &offset, sizeof offset);
        table_ += sizeof offset;
    }

    std::string image_;
    std::size_t table_;
};

} // namespace

std::string make_command_image(const spawn_request& request) {
    const strings environment = make_environment(request);
    const strings programs = make_programs(request.command.front(), search_path(environment));
    return image_writer{programs, request.command, environment}.take();
}

unique_fd make_command_file(const spawn_request& request) {
    const std::string image = make_command_image(request);
    unique_fd file{::memfd_create("muster-command", MFD_CLOEXEC)};
    if (!file ||
        ::write(file.get(), image.data(), image.size()) != static_cast<ssize_t>(image.size())) {
        throw error{errc::process, "session '" + request.id.str() +
                                       "': its command cannot be passed on: " +
                                       std::generic_category().message(errno)};
    }
    return file;
}

} // namespace muster::detail
