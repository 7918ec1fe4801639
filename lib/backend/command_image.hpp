#pragma once

#include "unique_fd.hpp"

#include <muster/session/spawn_request.hpp>

#include <string>

namespace muster::detail {

/// The program's paths, arguments and environment of a request, laid out as image_head describes.
/// Reads the supervisor's environment.
[[nodiscard]] std::string make_command_image(const spawn_request& request);

/// The same as a memory file. Throws `error{errc::process}`.
[[nodiscard]] unique_fd make_command_file(const spawn_request& request);

} // namespace muster::detail
