#include "comparison/row_set.hpp"

#include <algorithm>
#include <string_view>

// The rows of perf/peers/WORKLOADS.md. Works are chosen so that a run takes a fraction of a second
// of processor time, or the real time that its cadence needs.

namespace muster::perf {
namespace {

using enum better;

const std::vector<peer> managers{peer::reference, peer::successor};
const std::vector<peer> with_sessions{peer::reference, peer::successor, peer::asio};
const std::vector<peer> primitives{peer::tokio, peer::asio};
const std::vector<peer> everybody{all_peers.begin(), all_peers.end()};

/// A channel that a manager makes for each session costs memory and time; where nobody uses it, a
/// peer may have a small one.
row& without_channels(row& subject) {
    return subject.permit(peer::reference, {{"session_capacity", "8"}})
        .permit(peer::successor, {{"session_capacity", "8"}});
}

void add_dispatch(row_set& all) {
    add(all, "dispatch", "an event to an idle global subscriber, 30 sessions")
        .work("dispatch", {{"sessions", "30"}, {"events", "40000"}}, {{"events", "8000"}})
        .against(managers)
        .compare("dispatch_ns_per_event", lower, {itself(25), times(peer::reference, 4)})
        .compare("cpu_ns_per_event", lower);
    add(all, "dispatch_nobody", "an event that nobody subscribes to, 30 sessions")
        .work("dispatch", {{"sessions", "30"}, {"events", "40000"}, {"subscriber", "none"}},
              {{"events", "8000"}})
        .against(managers)
        .compare("dispatch_ns_per_event", lower, {itself(15)})
        .compare("cpu_ns_per_event", lower);
}

void add_end_to_end(row_set& all) {
    add(all, "end_to_end_30", "30 sessions, a subscriber each and a global one, all draining")
        .work("end_to_end", {{"sessions", "30"}, {"events", "16000"}}, {{"events", "4000"}})
        .against(with_sessions)
        .compare("cpu_ns_per_delivery", lower, {itself(45), times(peer::reference, 5)});
    add(all, "end_to_end_1000", "the same with 1,000 sessions")
        .work("end_to_end", {{"sessions", "1000"}, {"events", "320"}}, {{"events", "80"}})
        .against(with_sessions)
        .compare("cpu_ns_per_delivery", lower, {itself(60)});
    add(all, "end_to_end_2_threads", "the same with 1,000 sessions on two threads")
        .work("end_to_end", {{"sessions", "1000"}, {"events", "320"}, {"threads", "2"}},
              {{"events", "80"}})
        .against(with_sessions)
        .compare("cpu_ns_per_delivery", lower, {itself(110)})
        .compare("wall_ns_per_delivery", lower);
}

row& add_checkpoint(row_set& all, std::string name, std::string what, work_parameters load,
                    work_parameters small, double target_ns) {
    return add(all, std::move(name), std::move(what))
        .work("checkpoint", std::move(load), std::move(small))
        .against(everybody)
        .compare("cpu_ns_per_tick", lower, {itself(target_ns)});
}

void add_checkpoints(row_set& all) {
    const work_parameters small{{"sessions", "10000"}, {"ticks", "1"}, {"interval_ms", "500"}};
    without_channels(add_checkpoint(all, "checkpoint_together",
                                    "100,000 sessions prompted at once, every second",
                                    {{"sessions", "100000"}, {"ticks", "2"}, {"phase", "together"}},
                                    small, 300))
        .compare("read_lock_wait_ns_per_tick", lower, {itself(30)})
        .at_most(3);
    without_channels(add_checkpoint(all, "checkpoint_spread",
                                    "100,000 sessions, prompts spread over the second",
                                    {{"sessions", "100000"}, {"ticks", "2"}}, small, 600))
        .compare("lateness_p50_ns", lower, {itself(600'000)})
        .compare("lateness_p99_ns", lower, {itself(1'200'000)})
        .at_most(3);
    const work_parameters thousand{{"sessions", "1000"}, {"ticks", "2"}};
    const work_parameters less{{"ticks", "1"}, {"interval_ms", "500"}};
    add_checkpoint(all, "checkpoint_1000", "1,000 sessions spread over a second: wake-ups dominate",
                   thousand, less, 5'000)
        .compare("lateness_p50_ns", lower)
        .at_most(3);
    add(all, "checkpoint_1000_as_late",
        "the same, moved together by up to 2 ms: about as late as the peers")
        .work("checkpoint", thousand, less)
        .against(everybody)
        .only_muster({{"leeway_ms", "2"}})
        .compare("cpu_ns_per_tick", lower)
        .compare("lateness_p50_ns", lower)
        .at_most(3);
    add_checkpoint(all, "checkpoint_1000_leeway",
                   "the same, moved together by up to 50 ms, a twentieth of the interval", thousand,
                   less, 5'000)
        .only_muster({{"leeway_ms", "50"}})
        .compare("lateness_p50_ns", lower)
        .at_most(3);
    add_checkpoint(
        all, "checkpoint_30", "30 sessions at once, every 25 ms",
        {{"sessions", "30"}, {"ticks", "40"}, {"interval_ms", "25"}, {"phase", "together"}},
        {{"ticks", "10"}}, 1'500)
        .compare("read_lock_wait_ns_per_tick", lower, {itself(30)});
    add(all, "cadence", "how late prompts are on their cadence: 1,000 sessions, 10 ms, 4 s")
        .work("checkpoint", {{"sessions", "1000"}, {"ticks", "400"}, {"interval_ms", "10"}},
              {{"ticks", "50"}})
        .against(everybody)
        .compare("lateness_p50_ns", lower, {itself(600'000)})
        .compare("cpu_ns_per_tick", lower)
        .at_most(3);
}

void add_locks(row_set& all) {
    add(all, "lock_await", "shared lock and unlock through the coroutine's way")
        .work("lock_uncontended", {{"operations", "5000000"}, {"how", "await"}},
              {{"operations", "1000000"}})
        .against(primitives)
        .compare("lock_unlock_ns", lower, {itself(25)});
    add(all, "lock_try", "shared lock and unlock without waiting")
        .work("lock_uncontended", {{"operations", "10000000"}, {"how", "try"}},
              {{"operations", "1000000"}})
        .against(primitives)
        .compare("lock_unlock_ns", lower, {itself(11)});
    add(all, "lock_mix", "64 readers against a writer thread every 100 us")
        .work("lock_mix", {{"readers", "64"}, {"reads", "100000"}}, {{"reads", "20000"}})
        .against(primitives)
        .compare("cpu_ns_per_read", lower, {itself(30)})
        .compare("wait_p99_ns", lower, {itself(20'000)});
    add(all, "lock_mix_2_threads", "the same on two threads")
        .work("lock_mix", {{"readers", "64"}, {"reads", "100000"}, {"threads", "2"}},
              {{"reads", "20000"}})
        .against(primitives)
        .compare("cpu_ns_per_read", lower, {itself(60)})
        .compare("wall_ns_per_read", lower)
        .compare("wait_p99_ns", lower, {itself(20'000)});
}

void add_periodic(row_set& all, std::size_t timers, std::size_t pairs) {
    for (const char* phase : {"spread", "together"}) {
        add(all, "timer_" + std::string{phase} + '_' + text(timers),
            text(timers) + " timers that fire every second, " +
                (phase == std::string_view{"spread"} ? "spread over it" : "all at once"))
            .work("timer_periodic", {{"timers", text(timers)}, {"fires", "2"}, {"phase", phase}},
                  {{"timers", text(std::min<std::size_t>(timers, 100'000))}, {"fires", "1"}})
            .against(primitives)
            .compare("cpu_ns_per_fire", lower)
            .at_most(pairs);
    }
}

void add_timers(row_set& all) {
    add(all, "timer_churn", "schedule 50,000 timers, cancel them all")
        .work("timer_churn", {{"rounds", "10"}, {"batch", "50000"}}, {{"rounds", "2"}})
        .against(primitives)
        .compare("schedule_cancel_ns", lower, {itself(40)});
    add_periodic(all, 10'000, 3);
    add_periodic(all, 100'000, 3);
    add_periodic(all, 1'000'000, 2);
    add(all, "timer_idle", "1,000,000 timers an hour away: wake-ups in a second")
        .work("timer_idle", {{"timers", "1000000"}, {"watch_ms", "1000"}},
              {{"timers", "100000"}, {"watch_ms", "200"}})
        .against(primitives)
        .compare("wake_ups", lower, {itself(0)})
        .compare("peak_rss_bytes", lower)
        .at_most(2);
}

void add_lives(row_set& all) {
    add(all, "memory", "20,000 idle sessions with their checkpoint timers")
        .work("memory", {{"sessions", "20000"}}, {})
        .against(with_sessions)
        .compare("bytes_per_session", lower, {itself(750)})
        .at_most(3);
    add(all, "memory_100000", "100,000 of them (the reference would take 4 GB)")
        .work("memory", {{"sessions", "100000"}}, {})
        .against({peer::successor, peer::asio})
        .compare("bytes_per_session", lower, {itself(750)})
        .at_most(3);
    add(all, "memory_subscribed", "20,000 idle sessions with a subscriber each")
        .work("memory", {{"sessions", "20000"}, {"subscribers", "1"}}, {})
        .against(with_sessions)
        .compare("bytes_per_session", lower, {itself(1'200)})
        .at_most(3);
    for (const std::size_t sessions : {std::size_t{10}, std::size_t{10'000}}) {
        add(all, "subscribe_" + text(sessions),
            "subscribe and drop, " + text(sessions) + " sessions")
            .work("subscribe_churn", {{"sessions", text(sessions)}, {"operations", "500000"}},
                  {{"operations", "100000"}})
            .against(managers)
            .compare("subscribe_drop_ns", lower, {itself(60)});
    }
    add(all, "spawn_kill_1000", "spawn and kill 1,000 sessions, again and again")
        .work("spawn_kill", {{"sessions", "1000"}, {"rounds", "10"}}, {{"rounds", "2"}})
        .against(managers)
        .compare("pairs_per_second", higher, {itself(400'000)});
    add(all, "spawn_kill_30000", "spawn and kill 30,000 sessions")
        .work("spawn_kill", {{"sessions", "30000"}, {"rounds", "1"}}, {{"sessions", "5000"}})
        .against(managers)
        .compare("pairs_per_second", higher, {itself(400'000)})
        .at_most(3);
}

row& add_snapshot(row_set& all, std::size_t sessions, std::size_t snapshots, double target_ns) {
    auto& added = add(all, "snapshot_" + text(sessions),
                      "all counters of " + text(sessions) + " sessions as values");
    return without_channels(added)
        .work("snapshot_cost", {{"sessions", text(sessions)}, {"snapshots", text(snapshots)}},
              {{"snapshots", "2"}})
        .against(managers)
        .compare("snapshot_p50_ns", lower, {itself(target_ns)})
        .compare("cpu_ns_per_snapshot", lower);
}

row_set make_rows() {
    row_set all;
    add_dispatch(all);
    add_channel_rows(all);
    add_end_to_end(all);
    add_checkpoints(all);
    add_locks(all);
    add_timers(all);
    add_lives(all);
    add_snapshot(all, 10'000, 10, 1'000'000);
    add_snapshot(all, 100'000, 5, 15'000'000).at_most(3);
    add_rows_alone(all);
    return all;
}

} // namespace

const std::vector<row>& rows() {
    static const auto all = make_rows();
    return all;
}

} // namespace muster::perf
