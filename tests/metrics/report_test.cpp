#include <muster/error.hpp>
#include <muster/metrics/report.hpp>
#include <muster/metrics/write_file.hpp>

#include "metrics/source_paths.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <string>

using namespace muster;
using nlohmann::json;

namespace {

constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

run_info fixed_run() {
    run_info run;
    run.id = "20260131T120000Z-0000abcd";
    run.started_at = std::chrono::sys_days{std::chrono::January / 31 / 2026} +
                     std::chrono::hours{12} + std::chrono::milliseconds{7};
    run.duration = std::chrono::milliseconds{1'234};
    run.git_commit = "0123456789abcdef0123456789abcdef01234567";
    run.git_dirty = false;
    run.build_type = "release";
    run.compiler = "gcc 12.2.0";
    run.flags = "-std=c++20 -O3";
    run.sanitizers = "address,undefined";
    return run;
}

environment_info fixed_environment() {
    environment_info machine;
    machine.host = "bench-1";
    machine.os = "Debian GNU/Linux 12 (bookworm)";
    machine.kernel = "Linux 6.1.0";
    machine.cpu_model = "AMD EPYC";
    machine.cpus = 2;
    machine.load_avg = std::array{0.25, 0.5, 1.0};
    machine.clock_source = "tsc";
    machine.boost = "1.81.0";
    machine.asio = "1.26.0";
    return machine;
}

session_row busy_session(const std::string& name, std::uint64_t dropped) {
    session_row row{session_id{name}};
    row.status = session_status::running;
    row.age = std::chrono::seconds{2};
    for (std::size_t i = 0; i < session_counter_count; ++i) {
        row.counters.set(static_cast<counter>(i), i);
    }
    row.counters.set(counter::queue_pressure_dropped_events_total, dropped);
    return row;
}

runtime_snapshot busy_state() {
    runtime_snapshot state;
    state.taken_at = fixed_run().started_at;
    state.uptime = std::chrono::seconds{3};
    for (std::size_t i = 0; i < counter_count; ++i) {
        state.totals.set(static_cast<counter>(i), 0);
    }
    for (const std::uint64_t dropped : {5U, 90U, 0U}) {
        state.add(busy_session("session-" + std::to_string(dropped), dropped));
    }
    state.add(session_row{session_id{"bad \xff utf-8"}});
    state.subscribers.emplace_back("idle", std::nullopt);
    state.subscribers.emplace_back("slow", session_id{"session-90"});
    state.subscribers.back().lagged_events = 90;
    state.subscribers.back().oldest_unread_age = std::chrono::milliseconds{15};
    state.subscribers.back().since_last_poll = std::chrono::milliseconds{20};
    state.latencies[0] = histogram_summary{3, 10, 12, 11, 14, 15, 15, 15};
    return state;
}

report scenario_report() {
    report result;
    result.run = fixed_run();
    result.environment = fixed_environment();
    result.scenario = report_scenario{"stream_pressure", 5, {}};
    result.scenario->config = {{"events_per_session_count", std::uint64_t{80}},
                               {"interval_ms", 2.5},
                               {"checkpoints", false},
                               {"backend", std::string{"script"}}};
    result.elapsed = std::chrono::microseconds{7'500};
    auto& wall = result.metrics.emplace_back("wall_ms", better::lower);
    wall.samples = {2.5, 2.25, not_measured};
    auto& dropped =
        result.metrics.emplace_back("queue_pressure_dropped_events_total", better::neither);
    dropped.samples = {728, 728, 728};
    result.metrics.emplace_back("cpu_ms", better::lower);
    result.checksums = {"00000000deadbeef", "00000000deadbeef", "00000000deadbeef"};
    result.state = busy_state();
    result.thresholds.emplace_back("queue_pressure_dropped_events_total", "==", 728, 728);
    result.thresholds.emplace_back("wall_ms", "<=", 10, not_measured);
    result.baseline = baseline_result{};
    result.baseline->file = "before/stream_pressure-5.json";
    result.baseline->differences.emplace_back("run/build_type", "release", "debug");
    result.baseline->metrics.emplace_back("wall_ms",
                                          comparison{-10.5, -12, -9.25, verdict::improved});
    result.baseline->metrics.emplace_back("cpu_ms", comparison{});
    return result;
}

report variant_report() {
    auto result = scenario_report();
    result.scenario->variant = "late_readers";
    result.state.reset();
    result.baseline.reset();
    return result;
}

report snapshot_report() {
    report result;
    result.run = fixed_run();
    result.environment = fixed_environment();
    result.state = busy_state();
    result.state->totals.set(counter::event_dispatch_nanos_total, UINT64_MAX);
    result.state->totals.set(counter::output_bytes_total, std::uint64_t{1} << 53);
    return result;
}

/// Nothing could be found out, and metrics are off.
report bare_report() {
    report result;
    result.run.id = "bare";
    result.state = runtime_snapshot{};
    result.state->metrics_enabled = false;
    result.state->sessions.emplace_back(session_id{"a"});
    return result;
}

/// Values at the edges, and text that needs escapes.
report odd_report() {
    auto result = snapshot_report();
    auto& state = *result.state;
    state.add(session_row{session_id{"quote \" backslash \\ slash / umlaut \u00e4 \x7f"}});
    state.subscribers.emplace_back("line\nend, tab\t, bell \x07, zero " + std::string(1, '\0'),
                                   session_id{"\xff\""});
    state.subscribers.emplace_back("", std::nullopt);
    auto& row = state.sessions.front();
    row.age = std::chrono::nanoseconds{-1};
    row.counters.set(counter::output_bytes_total, std::uint64_t{1} << 53);
    row.counters.set(counter::events_received_total, (std::uint64_t{1} << 53) + 1);
    row.counters.set(counter::event_dispatch_nanos_total, UINT64_MAX);
    return result;
}

/// Compares with the sample that the JSON Schema is checked with; MUSTER_TEST_UPDATE=1 rewrites it.
void expect_sample(const report& source, const std::string& name, std::size_t max_rows = 100) {
    const auto path = std::string{test::samples_directory} + "/" + name;
    const auto document = to_json(source, max_rows);
    if (std::getenv("MUSTER_TEST_UPDATE") != nullptr) {
        write_file_atomically(path, document);
    }
    BOOST_TEST(document == read_file(path), name << " differs");
}

json parsed(const report& source, std::size_t max_rows = 100) {
    return json::parse(to_json(source, max_rows));
}

} // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_SUITE(reports)

BOOST_AUTO_TEST_CASE(documents_are_the_samples_that_the_schema_is_checked_with) {
    expect_sample(scenario_report(), "scenario.json");
    expect_sample(scenario_report(), "scenario_bounded.json", 2);
    expect_sample(variant_report(), "scenario_variant.json");
    expect_sample(snapshot_report(), "snapshot.json");
    expect_sample(bare_report(), "bare.json");
}

BOOST_AUTO_TEST_CASE(the_schema_has_exactly_the_counters_of_the_table) {
    const auto schema = json::parse(read_file(test::schema_file));
    const auto& definitions = schema.at("$defs");
    for (std::size_t i = 0; i < counter_count; ++i) {
        const std::string name{counter_table[i].name};
        BOOST_TEST(definitions["totals"]["properties"].contains(name), name);
        const bool in_sessions = definitions["session"]["properties"].contains(name);
        BOOST_TEST(in_sessions == is_per_session(static_cast<counter>(i)), name);
    }
    // Beside the counters: the rate, and what describes the runtime or the session.
    BOOST_TEST(definitions["totals"]["properties"].size() == counter_count + 1 + 5);
    BOOST_TEST(definitions["session"]["properties"].size() == session_counter_count + 1 + 4);
}

BOOST_AUTO_TEST_CASE(integers_that_readers_would_round_are_strings) {
    const auto totals = parsed(snapshot_report()).at("totals");
    BOOST_TEST(totals.at("event_dispatch_nanos_total") == "18446744073709551615");
    BOOST_TEST(totals.at("output_bytes_total") == 9'007'199'254'740'992U);
    const auto rows = parsed(odd_report()).at("sessions").at("rows");
    const auto row = std::find_if(rows.begin(), rows.end(), [](const json& candidate) {
        return candidate.at("output_bytes_total") == 9'007'199'254'740'992U;
    });
    BOOST_REQUIRE(row != rows.end());
    BOOST_TEST(row->at("events_received_total") == "9007199254740993");
    BOOST_TEST(row->at("event_dispatch_nanos_total") == "18446744073709551615");
    BOOST_TEST(row->at("age_ns") == 0, "a negative time");
}

BOOST_AUTO_TEST_CASE(what_was_not_measured_is_null) {
    const auto document = parsed(bare_report());
    BOOST_TEST(document.at("totals").at("events_received_total").is_null());
    BOOST_TEST(document.at("totals").at("events_received_rate_per_sec_x1000").is_null());
    BOOST_TEST(document.at("sessions").at("rows").at(0).at("output_bytes_total").is_null());
    BOOST_TEST(document.at("latencies").at("dispatch").is_null());
    BOOST_TEST(document.at("environment").at("host").is_null());
    BOOST_TEST(document.at("run").at("git_dirty").is_null());
    const auto scenario = parsed(scenario_report());
    BOOST_TEST(scenario.at("repetitions").at(2).at("samples").at("wall_ms").is_null());
    BOOST_TEST(scenario.at("statistics").at("cpu_ms").is_null());
    BOOST_TEST(scenario.at("statistics").at("wall_ms").at("n") == 2);
}

BOOST_AUTO_TEST_CASE(the_worst_sessions_and_subscribers_come_first) {
    const auto document = parsed(scenario_report(), 2);
    const auto& sessions = document.at("sessions");
    BOOST_TEST(sessions.at("rows").size() == 2U);
    BOOST_TEST(sessions.at("rows").at(0).at("id") == "session-90");
    BOOST_TEST(sessions.at("rows").at(1).at("id") == "session-5");
    BOOST_TEST(sessions.at("omitted") == 2);
    BOOST_TEST(document.at("subscribers").at("rows").at(0).at("name") == "slow");
    BOOST_TEST(document.at("subscribers").at("omitted") == 0);
}

BOOST_AUTO_TEST_CASE(documents_read_as_if_the_json_library_had_written_all_of_them) {
    auto empty = bare_report();
    empty.state->sessions.clear();
    for (const auto& source :
         {scenario_report(), variant_report(), bare_report(), odd_report(), empty}) {
        for (const std::size_t max_rows : {0U, 1U, 100U}) {
            const auto document = to_json(source, max_rows);
            BOOST_TEST(nlohmann::ordered_json::parse(document).dump(2) + '\n' == document);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_row_of_a_session_has_all_that_the_snapshot_has) {
    const auto source = scenario_report();
    const auto rows = parsed(source).at("sessions").at("rows");
    BOOST_REQUIRE(rows.size() == source.state->sessions.size());
    for (const auto& session : source.state->sessions) {
        const auto row = std::find_if(rows.begin(), rows.end(), [&](const json& candidate) {
            return candidate.at("id") == session.id.str();
        });
        if (row == rows.end()) {
            BOOST_TEST(session.id.str() == "bad \xff utf-8");
            continue;
        }
        BOOST_TEST(row->at("status") == to_string(session.status));
        BOOST_TEST(row->at("age_ns") == session.age.count());
        BOOST_TEST(row->at("events_received_rate_per_sec_x1000") ==
                   session.events_received_rate_per_sec_x1000().value());
        for (std::size_t i = 0; i < session_counter_count; ++i) {
            const std::string name{counter_table[i].name};
            BOOST_TEST(row->at(name) == session.counters.get(static_cast<counter>(i)).value(),
                       session.id.str() << ": " << name);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_report_passes_when_every_threshold_holds) {
    report subject;
    BOOST_TEST(subject.passed());
    subject.thresholds.emplace_back("ticks_total", ">=", 60, 70);
    subject.thresholds.emplace_back("ticks_total", "<=", 80, 70);
    BOOST_TEST(subject.passed());
    subject.thresholds.emplace_back("ticks_total", "==", 71, 70);
    BOOST_TEST(!subject.passed());
    BOOST_TEST(!threshold("ticks_total", "<", 71, 70).pass);
    BOOST_TEST(!threshold("ticks_total", "<=", 71, not_measured).pass);
}

BOOST_AUTO_TEST_CASE(instants_are_rfc_3339) {
    BOOST_TEST(to_rfc3339(fixed_run().started_at) == "2026-01-31T12:00:00.007Z");
    BOOST_TEST(to_rfc3339(std::chrono::system_clock::time_point{}) == "1970-01-01T00:00:00.000Z");
    BOOST_TEST(to_rfc3339(std::chrono::system_clock::time_point{std::chrono::milliseconds{-1}}) ==
               "1969-12-31T23:59:59.999Z");
}

BOOST_AUTO_TEST_CASE(runs_have_ids_of_their_own) {
    BOOST_TEST(start_run().id != start_run().id);
}

BOOST_AUTO_TEST_CASE(this_machine_can_be_described) {
    const auto machine = current_environment();
    BOOST_TEST(!machine.kernel.empty());
    BOOST_TEST(machine.cpus >= 1U);
    BOOST_TEST(!start_run().compiler.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(baselines)

BOOST_AUTO_TEST_CASE(samples_survive_the_way_through_a_document) {
    const auto source = scenario_report();
    const auto samples = parse_report(to_json(source), "x.json");
    BOOST_TEST(samples.scenario == "stream_pressure");
    BOOST_TEST(samples.variant == "");
    BOOST_TEST(samples.sessions == 5U);
    BOOST_REQUIRE(samples.metrics.size() == 3U);
    BOOST_TEST(samples.metrics[0].name == "wall_ms");
    BOOST_TEST(samples.metrics[0].samples[1] == 2.25);
    BOOST_TEST(std::isnan(samples.metrics[0].samples[2]));
    BOOST_TEST(samples.metrics[1].samples[0] == 728);
}

BOOST_AUTO_TEST_CASE(a_report_is_compared_with_an_earlier_one) {
    auto now = scenario_report();
    const auto earlier = parse_report(to_json(now), "x.json");
    now.metrics[1].samples = {364, 364, 364};
    const auto result = compare_with_baseline(now, earlier, "x.json");
    BOOST_TEST(result.file == "x.json");
    BOOST_REQUIRE(result.metrics.size() == 3U);
    BOOST_TEST(result.metrics[1].result.delta_pct.value() == -50);
}

BOOST_AUTO_TEST_CASE(the_report_of_another_load_is_no_baseline) {
    auto more = scenario_report();
    more.scenario->sessions = 20;
    for (const auto& earlier : {scenario_report(), variant_report()}) {
        const auto samples = parse_report(to_json(earlier), "x.json");
        for (const auto& now :
             {more, earlier.scenario->variant.empty() ? variant_report() : scenario_report()}) {
            BOOST_CHECK_EXCEPTION(
                static_cast<void>(compare_with_baseline(now, samples, "x.json")), error,
                [](const error& problem) { return problem.code() == errc::configuration; });
        }
    }
}

BOOST_AUTO_TEST_CASE(a_variant_is_compared_with_the_same_variant) {
    const auto now = variant_report();
    const auto earlier = parse_report(to_json(now), "x.json");
    BOOST_TEST(earlier.variant == "late_readers");
    BOOST_TEST(compare_with_baseline(now, earlier, "x.json").metrics.size() == 3U);
}

BOOST_AUTO_TEST_CASE(what_is_not_a_report_is_refused_by_name) {
    const auto whole = to_json(scenario_report());
    auto newer = json::parse(whole);
    newer["schema_version"] = 2;
    auto incomplete = json::parse(whole);
    incomplete.erase("repetitions");
    auto wrong_type = json::parse(whole);
    wrong_type["schema"] = 7;
    for (const auto& document :
         {std::string{}, std::string{"{"}, std::string{"[]"}, std::string{"{}"},
          whole.substr(0, whole.size() / 2), newer.dump(), incomplete.dump(), wrong_type.dump(),
          to_json(snapshot_report())}) {
        BOOST_CHECK_EXCEPTION(
            static_cast<void>(parse_report(document, "x.json")), error, [](const error& problem) {
                const std::string message = problem.what();
                return problem.code() == errc::protocol && message.starts_with("x.json: ");
            });
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
