// All counters of all sessions: as plain values, and as a JSON document.

#include "workloads/house.hpp"
#include "workloads/shared/loop.hpp"
#include "workloads/workloads.hpp"

#include <muster/metrics/report.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <string>
#include <utility>
#include <vector>

namespace muster::work {
namespace {

/// Every session has said one thing, which the runtime has received.
asio::awaitable<void> populate_with_one_event(house& all, std::uint64_t sessions) {
    co_await all.populate(sessions);
    all.say_to_all(0, 1, 64);
    co_await all.received(sessions);
}

struct result {
    span time;
    std::uint64_t checksum = 0;
    std::vector<std::uint64_t> each;
    std::uint64_t bytes = 0;
};

struct snapshot_options : session_options {
    std::uint64_t snapshots = 10;

    snapshot_options() { sessions = 10'000; }

    void declare(param_set& params) {
        declare_sessions(params);
        params.number("snapshots", snapshots, 1, std::uint64_t(1) << 32U, "snapshots taken");
        declare_session_capacity(params);
    }
};

struct snapshot_cost : snapshot_options {
    asio::awaitable<void> drive(house& all, result& found) const {
        co_await populate_with_one_event(all, sessions);
        const stopwatch watch;
        for (std::uint64_t number = 0; number < snapshots; ++number) {
            const auto begin = clock::now();
            const auto state = co_await all.runtime->snapshot();
            found.each.push_back(nanos(clock::now() - begin));
            for (const session_row& row : state.sessions) {
                found.checksum += row.counters.value_or_zero(counter::events_received_total);
            }
        }
        found.time = watch.stop();
    }

    outcome run() const {
        asio::io_context context(1);
        house all(context);
        result found;
        all.run(drive(all, found));
        return outcome(snapshots, found.checksum, found.time)
            .cpu_per_operation("cpu_ns_per_snapshot")
            .ratio("cpu_ns_per_session", found.time.cpu_ns, snapshots * sessions)
            .percentiles("snapshot", samples(std::move(found.each)));
    }
};

/// From a snapshot to its document, every session listed.
struct snapshot_json : snapshot_options {
    asio::awaitable<void> drive(house& all, result& found) const {
        co_await populate_with_one_event(all, sessions);
        report document;
        document.run = start_run();
        document.environment = current_environment();
        document.state = co_await all.runtime->snapshot();
        const stopwatch watch;
        for (std::uint64_t number = 0; number < snapshots; ++number) {
            const auto begin = clock::now();
            const std::string text = to_json(document, sessions);
            found.each.push_back(nanos(clock::now() - begin));
            found.bytes = text.size();
            found.checksum += document.state->session_count();
        }
        found.time = watch.stop();
    }

    outcome run() const {
        asio::io_context context(1);
        house all(context);
        result found;
        all.run(drive(all, found));
        return outcome(snapshots, found.checksum, found.time)
            .cpu_per_operation("cpu_ns_per_document")
            .ratio("cpu_ns_per_session", found.time.cpu_ns, snapshots * sessions)
            .percentiles("document", samples(std::move(found.each)))
            .ratio("document_bytes_per_session", found.bytes, sessions);
    }
};

} // namespace

void add_snapshots(registry& all) {
    all.add<snapshot_cost>("snapshot_cost", "All counters of all sessions as plain values");
    all.add<snapshot_json>("snapshot_json", "A snapshot of all sessions as a JSON document");
}

} // namespace muster::work
