#include "work.hpp"

#include "workloads/shared/command_line.hpp"
#include "workloads/workloads.hpp"

namespace muster::perf {

int run_work(int argc, const char* const* argv) {
    const work::program self{
        "muster", "muster-perf work",
        "One workload of perf/peers/WORKLOADS.md, as muster does it. Prints the one JSON line that "
        "the peers print."};
    return work::run_command_line(self, work::all_workloads(), argc, argv);
}

} // namespace muster::perf
