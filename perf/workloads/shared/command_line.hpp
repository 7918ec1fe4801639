#pragma once

#include "workloads/shared/workload.hpp"

#include <string>

namespace muster::work {

/// Who runs workloads from a command line.
struct program {
    std::string peer;    ///< as the JSON line names it
    std::string command; ///< as it is called, for messages and help
    std::string about;
};

/// `<command> <workload> [--name value]...`: runs one workload and prints its JSON line. Exit
/// codes: 0 done, 1 the workload failed (one line on standard error), 2 wrong arguments.
[[nodiscard]] int run_command_line(const program& self, const registry& workloads, int argc,
                                   const char* const* argv);

} // namespace muster::work
