#include "arguments.hpp"

#include "harness/scenario.hpp"
#include "harness/sweep.hpp"

#include <muster/error.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::perf {
namespace {

constexpr std::size_t max_repetitions = 1'000;
constexpr const char* default_directory = "muster-reports";

constexpr const char* description =
    "Measures muster: runs scenarios, each repetition in a fresh runtime, prints a table\n"
    "with the figures that the investigation of the reference published beside ours, and\n"
    "writes one JSON document for each scenario and session count.";

constexpr const char* footer =
    "Examples:\n"
    "  muster-perf                                  the seed scenarios with their session counts\n"
    "  muster-perf --scale                          those at scale: some minutes\n"
    "  muster-perf --list                           what can be run\n"
    "  muster-perf fanout_overhead --sessions 10,20,30 --out reports\n"
    "  muster-perf fanout_overhead --baseline reports   compare with documents of before\n"
    "  muster-perf stream_pressure --sessions 5 --json | jq .statistics\n"
    "  muster-perf channel --variant batch_40 --sessions 1,512\n"
    "  muster-perf memory --sweep                   how it grows from 10 to 1,000,000 sessions\n"
    "  muster-perf work end_to_end --sessions 1000  one workload as the peers run it, one JSON "
    "line\n"
    "  muster-perf peers --help                     muster beside its alternatives\n"
    "\n"
    "The table: median, min and max are over the repetitions; 'published' was measured in debug\n"
    "builds on another machine; 'checks' says how many of the scenario's own conditions held (the\n"
    "expected event, tick and call counts; no event cloned).\n"
    "The documents: 'repetitions' has the raw samples, 'statistics' what they come to, 'totals' "
    "and\n"
    "'sessions' the counters of the last repetition (null: not measured), 'thresholds' the "
    "checks.\n"
    "\n"
    "Exit code: 0 when every check held, 1 when one did not or a run failed (or, with\n"
    "--check-baseline, when a metric regressed), 2 for a wrong argument or a document that could\n"
    "not be written.";

[[noreturn]] void refuse(const std::string& sentence) {
    throw error{errc::configuration, sentence};
}

struct raw_arguments {
    std::vector<std::string> names;
    std::optional<std::string> variants;
    std::optional<std::string> sessions;
    std::optional<std::string> repetitions;
    std::optional<std::string> out;
    std::optional<std::string> baseline;
    bool list = false;
    bool json = false;
    bool scale = false;
    bool sweep = false;
    bool check_baseline = false;
};

std::size_t positive_number(std::string_view text, const std::string& what) {
    std::size_t value = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc{} || stop != end || value == 0) {
        refuse(what + " '" + std::string{text} + "' is not a whole number above 0");
    }
    return value;
}

std::vector<std::string> split_at_commas(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t start = 0; start <= text.size();) {
        const auto end = std::min(text.find(',', start), text.size());
        parts.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

std::vector<std::size_t> session_counts(const std::string& text) {
    std::vector<std::size_t> counts;
    for (const auto& part : split_at_commas(text)) {
        counts.push_back(positive_number(part, "the session count"));
    }
    return counts;
}

/// All variants of a scenario.
std::vector<const scenario*> named_scenarios(const std::string& name) {
    std::vector<const scenario*> found;
    for (const auto& each : scenarios()) {
        if (each.name == name) {
            found.push_back(&each);
        }
    }
    if (found.empty()) {
        const auto similar = similar_scenario(name);
        refuse("there is no scenario '" + name + "'; " +
               (similar ? "did you mean " + *similar + "?" : "muster-perf --list shows them all"));
    }
    return found;
}

const scenario& named_variant(const std::string& name, const std::string& variant) {
    if (const auto* found = find_scenario(name, variant)) {
        return *found;
    }
    std::string known;
    for (const auto* each : named_scenarios(name)) {
        known += (known.empty() ? "" : ", ") + each->variant;
    }
    refuse(name + " has no variant '" + variant + "'; " +
           (known.empty() ? "it has none, so leave --variant out" : "it has " + known));
}

std::vector<const scenario*> chosen_scenarios(const raw_arguments& raw) {
    std::vector<const scenario*> chosen;
    for (const auto& name : raw.names) {
        const auto named = named_scenarios(name);
        if (!raw.variants) {
            chosen.insert(chosen.end(), named.begin(), named.end());
            continue;
        }
        for (const auto& variant : split_at_commas(*raw.variants)) {
            chosen.push_back(&named_variant(name, variant));
        }
    }
    const auto group = raw.scale ? scenario_group::scale : scenario_group::seed;
    for (const auto& each : scenarios()) {
        if (raw.names.empty() && each.group == group) {
            chosen.push_back(&each);
        }
    }
    return chosen;
}

std::size_t repetitions_of(const raw_arguments& raw, const scenario& subject) {
    if (!raw.repetitions) {
        return subject.repetitions;
    }
    const std::size_t count = positive_number(*raw.repetitions, "the number of repetitions");
    if (count > max_repetitions) {
        refuse("at most " + std::to_string(max_repetitions) + " repetitions, not " +
               std::to_string(count));
    }
    return count;
}

std::vector<std::size_t> sweep_counts_of(const raw_arguments& raw) {
    auto counts = raw.sessions ? session_counts(*raw.sessions) : sweep_counts();
    std::sort(counts.begin(), counts.end());
    counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
    return counts;
}

[[noreturn]] void refuse_count(const scenario& subject, std::size_t count) {
    refuse(subject.name + " takes at most " + std::to_string(subject.max_sessions) + ' ' +
           subject.counted + ", not " + std::to_string(count));
}

/// Counts above the limit are skipped, unless nothing is left.
void check_sweep(const raw_arguments& raw, const scenario& subject) {
    if (const auto least = sweep_counts_of(raw).front(); least > subject.max_sessions) {
        refuse_count(subject, least);
    }
}

std::vector<std::size_t> counts_for(const raw_arguments& raw, const scenario& subject) {
    if (raw.sweep) {
        check_sweep(raw, subject);
        return {0};
    }
    const auto counts = raw.sessions ? session_counts(*raw.sessions) : subject.session_counts;
    for (const std::size_t count : counts) {
        if (count > subject.max_sessions) {
            refuse_count(subject, count);
        }
    }
    return counts;
}

/// What was named twice is run once: there is one document for each load.
std::vector<planned_run> plan(const raw_arguments& raw) {
    std::vector<planned_run> runs;
    for (const auto* subject : chosen_scenarios(raw)) {
        for (const std::size_t count : counts_for(raw, *subject)) {
            const bool planned = std::any_of(runs.begin(), runs.end(), [&](const auto& run) {
                return run.subject == subject && run.sessions == count;
            });
            if (!planned) {
                runs.push_back({subject, count, repetitions_of(raw, *subject)});
            }
        }
    }
    return runs;
}

void check_combination(const raw_arguments& raw) {
    if (raw.list && raw.json) {
        refuse("--list prints a table for people; leave --json out");
    }
    if (raw.scale && !raw.names.empty()) {
        refuse("--scale stands for all scenarios at scale; name some, or leave the names out");
    }
    if (raw.variants && raw.names.empty()) {
        refuse("--variant needs the name of a scenario");
    }
    if (raw.sweep && raw.names.empty()) {
        refuse("--sweep needs the name of a scenario");
    }
    if (raw.sweep && raw.baseline) {
        refuse("--sweep compares its points with each other; leave --baseline out");
    }
    if (raw.check_baseline && !raw.baseline) {
        refuse("--check-baseline needs --baseline, with earlier documents");
    }
}

arguments checked(const raw_arguments& raw) {
    check_combination(raw);
    arguments result;
    result.list = raw.list;
    result.json = raw.json;
    if (raw.sweep) {
        result.sweep = sweep_counts_of(raw);
    }
    if (raw.out == "") {
        refuse("--out needs the name of a directory");
    }
    result.out = raw.out || raw.json ? raw.out : default_directory;
    result.baseline = raw.baseline;
    result.check_baseline = raw.check_baseline;
    result.plan = plan(raw);
    return result;
}

void declare(CLI::App& app, raw_arguments& raw) {
    app.footer(footer);
    app.add_option("SCENARIO", raw.names, "What to run; all seed scenarios if none is named")
        ->type_name("");
    app.add_flag("--list", raw.list, "Print what can be run, with limits, and stop");
    app.add_flag("--scale", raw.scale, "Run all scenarios at scale");
    app.add_option("--variant", raw.variants,
                   "Of scenarios that have variants, which; separated by commas")
        ->type_name("NAME[,NAME...]");
    app.add_flag("--sweep", raw.sweep,
                 "Show how the costs grow: with 10 to 1,000,000 sessions or those given, as far as "
                 "limits and memory allow");
    app.add_option("--sessions", raw.sessions,
                   "Session counts, separated by commas; the scenario's own if not given")
        ->type_name("N[,N...]");
    app.add_option("--repetitions", raw.repetitions, "How often each is measured, 1 to 1000")
        ->type_name("N");
    app.add_option("--out", raw.out,
                   "Where the documents go (made if missing), with an index.json; muster-reports "
                   "here if not given, nowhere with --json alone")
        ->type_name("DIR");
    app.add_flag("--json", raw.json,
                 "Print the documents to standard output, each on a line of its own, and nothing "
                 "else");
    app.add_option("--baseline", raw.baseline,
                   "Earlier documents to compare with: a file, or a directory of them. Another "
                   "build or machine is warned of; another config is not compared")
        ->type_name("FILE|DIR");
    app.add_flag("--check-baseline", raw.check_baseline,
                 "A metric that regressed (with 95 % confidence, each), or a document of another "
                 "config, is exit code 1");
}

int complain(const std::string& sentence) {
    std::cerr << "muster-perf: " << sentence << '\n';
    return 2;
}

} // namespace

parsed_arguments parse_arguments(int argc, char** argv) {
    CLI::App app{description, "muster-perf"};
    raw_arguments raw;
    declare(app, raw);
    parsed_arguments result;
    try {
        app.parse(argc, argv);
        result.accepted = checked(raw);
    } catch (const CLI::CallForHelp& help) {
        result.exit_code = app.exit(help);
    } catch (const CLI::ParseError& problem) {
        result.exit_code = complain(std::string{problem.what()} + "; see muster-perf --help");
    } catch (const error& problem) {
        result.exit_code = complain(problem.what());
    }
    return result;
}

} // namespace muster::perf
