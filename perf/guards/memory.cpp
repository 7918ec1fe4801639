// What one session costs in memory: the program's allocations before and after so many sessions.

#include "guards/memory.hpp"
#include "guards/allocations.hpp"
#include "harness/session_load.hpp"

#include <boost/asio/io_context.hpp>

#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include <unistd.h>

namespace muster::guards {
namespace {

using namespace perf;

std::uint64_t resident_bytes() {
    std::ifstream file{"/proc/self/statm"};
    std::uint64_t pages = 0;
    file >> pages >> pages;
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Everything that is measured together, at one moment.
struct usage {
    allocation_totals heap = allocated();
    std::uint64_t resident = resident_bytes();
};

asio::awaitable<void> subscribe_all(runtime& supervisor, std::vector<session_subscription>& kept) {
    for (std::size_t i = 0; i < kept.capacity(); ++i) {
        kept.push_back(co_await supervisor.subscribe(session_name(i), subscribe_options{8}));
    }
}

} // namespace

session_memory measure_session_memory(std::size_t sessions, bool subscribed, bool record) {
    asio::io_context context{1};
    runtime supervisor{context, scripted(std::move(script{}.idle()))};
    std::vector<session_subscription> kept;
    kept.reserve(subscribed ? sessions : 0); // the reader's own memory, not the session's
    if (record) {
        record_sites();
    }
    const usage before;
    drive(context, spawn_all(supervisor, sessions));
    drive(context, subscribe_all(supervisor, kept));
    context.restart();
    context.poll();
    const usage after;
    session_memory found;
    const auto each = [&](std::uint64_t more, std::uint64_t less) {
        return static_cast<double>(more - less) / static_cast<double>(sessions);
    };
    found.blocks = each(after.heap.live_blocks, before.heap.live_blocks);
    found.heap_bytes = each(after.heap.live_bytes, before.heap.live_bytes);
    found.resident_bytes = each(after.resident, before.resident);
    if (record) {
        found.sites = recorded_sites();
    }
    return found;
}

} // namespace muster::guards
