#pragma once

#include "unique_fd.hpp"

#include <muster/backend/process.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace muster::detail {

/// Both sides of a child's standard streams. The supervisor's ends do not block; nothing is
/// inherited by programs that others start.
struct child_streams {
    unique_fd input; ///< the supervisor writes here
    unique_fd output;
    unique_fd errors; ///< none for a terminal
    std::array<unique_fd, 3> child;
    unique_fd terminal; ///< the child's side once more, for a terminal
};

/// Makes pipes, or a terminal of the settings' size. Throws `error{errc::process}`.
[[nodiscard]] child_streams make_streams(const session_id& id, const process_settings& settings);

/// Opens the directory that a child is to start in. Throws `error{errc::configuration}`.
[[nodiscard]] unique_fd open_workdir(const spawn_request& request);

/// write(2) that reports a closed pipe as EPIPE without SIGPIPE, whatever the process does about
/// that signal. Returns the bytes written, or -1 and errno.
[[nodiscard]] std::ptrdiff_t write_quietly(int fd, std::string_view bytes) noexcept;

/// Sets a terminal's size; 0 or an errno.
[[nodiscard]] int set_terminal_size(int terminal, terminal_size size) noexcept;

/// Writes the byte that ends a terminal's input, if its line discipline knows one.
void end_terminal_input(int terminal) noexcept;

} // namespace muster::detail
