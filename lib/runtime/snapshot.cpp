#include "snapshot.hpp"

#include "row_sorter.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace muster::detail {
namespace {

/// Sessions that are visited before the lock and the thread are let go again: some 10 µs.
constexpr std::size_t places_at_a_time = 128;

/// Ends the scan, however the snapshot ends.
class scan_scope {
public:
    explicit scan_scope(registry& walked) : walked_{walked} {}
    scan_scope(const scan_scope&) = delete;
    scan_scope& operator=(const scan_scope&) = delete;
    ~scan_scope() { walked_.end(scan); }

    registry::scan scan;

private:
    registry& walked_;
};

/// Ages are as of `reading`, a reading of the metrics clock: rows can be compared.
subscriber_row row_of(const runtime_core& core, std::uint64_t reading, const subscriber_info& seen,
                      std::optional<session_id> session) {
    subscriber_row row{std::string{seen.name}, std::move(session)};
    row.cursor = seen.next_sequence - 1;
    row.backlog_events = seen.unread_events;
    row.backlog_bytes = seen.unread_bytes;
    row.lagged_events = seen.lagged_events;
    row.lagged_bytes = seen.lagged_bytes;
    row.delivered_events = seen.delivered_events;
    if (seen.unread_events != 0) {
        const std::chrono::nanoseconds published{seen.oldest_unread_time};
        row.oldest_unread_age =
            std::max(core.since_start(reading) - published, std::chrono::nanoseconds{0});
    }
    if (seen.last_poll_time != 0) {
        row.since_last_poll = core.elapsed(seen.last_poll_time, reading);
    }
    return row;
}

void add_session(const runtime_core& core, std::uint64_t reading, session& each,
                 runtime_snapshot& shot) {
    session_row& row =
        shot.sessions.emplace_back(each.id(), [&] { return each.counters().read(core.clock()); });
    row.status = each.status();
    row.visibility = each.focused() ? visibility::focused : visibility::background;
    row.age = each.age(reading);
    shot.count(row);
    each.channel().for_each_subscriber([&](const subscriber_info& seen) {
        shot.subscribers.push_back(row_of(core, reading, seen, each.id()));
    });
}

void visit_some(const runtime_core& core, registry::scan& scan, runtime_snapshot& shot) {
    const auto reading = core.clock().now();
    const auto end = std::min(scan.next + places_at_a_time, core.sessions.places());
    for (; scan.next < end; ++scan.next) {
        if (const auto& each = core.sessions.at(scan.next)) {
            add_session(core, reading, *each, shot);
        }
    }
}

void forget_measurements(runtime_snapshot& shot) {
    shot.totals = {};
    for (auto& row : shot.sessions) {
        row.counters = {};
    }
    shot.latencies = {};
}

void finish(const runtime_core& core, const registry::scan& scan, runtime_snapshot& shot) {
    shot.totals.add(scan.missed);
    shot.totals.add(core.own.read(core.clock()));
    const auto reading = core.clock().now();
    core.everyone().for_each_subscriber([&](const subscriber_info& seen) {
        shot.subscribers.push_back(row_of(core, reading, seen, std::nullopt));
    });
    const auto summaries = core.latencies().summaries(core.clock());
    std::copy(summaries.begin(), summaries.end(), shot.latencies.begin());
    if (!core.metrics_enabled()) {
        forget_measurements(shot);
    }
}

} // namespace

asio::awaitable<runtime_snapshot> take_snapshot(core_ptr core) {
    runtime_snapshot shot;
    shot.taken_at = std::chrono::system_clock::now();
    shot.uptime = core->since_start(core->clock().now());
    shot.metrics_enabled = core->metrics_enabled();
    scan_scope scope{core->sessions};
    {
        const shared_lock reading = co_await core->lock.async_lock_shared();
        core->sessions.begin(scope.scan);
        shot.totals = core->totals.read();
        shot.sessions.reserve(core->sessions.size());
    }
    for (bool more = true; more;) {
        {
            const shared_lock reading = co_await core->lock.async_lock_shared();
            visit_some(*core, scope.scan, shot);
            more = scope.scan.next < core->sessions.places();
        }
        if (more) {
            co_await asio::post(asio::use_awaitable);
        }
    }
    row_sorter sorter{shot.sessions};
    const bool is_small = shot.sessions.size() <= places_at_a_time;
    while (!sorter.step()) {
        if (!is_small) {
            co_await asio::post(asio::use_awaitable);
        }
    }
    finish(*core, scope.scan, shot);
    co_return shot;
}

} // namespace muster::detail
