#include "workload.hpp"

#include "workloads/shared/command_line.hpp"

// peer-asio: the work that muster is measured on, on bare Boost.Asio.

int main(int argc, char** argv) {
    using namespace muster::work;
    registry workloads;
    peer::add_channel(workloads);
    peer::add_fanout(workloads);
    peer::add_lock(workloads);
    peer::add_timers(workloads);
    peer::add_checkpoint(workloads);
    const program self{"peer-asio", "peer-asio",
                       "Bare Asio: a concurrent_channel per subscriber, a steady_timer per "
                       "session, a std::shared_mutex and a coroutine mutex. Prints one JSON "
                       "line."};
    return run_command_line(self, workloads, argc, argv);
}
