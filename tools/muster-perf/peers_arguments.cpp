#include "peers_arguments.hpp"

#include "harness/scenario.hpp"

#include <muster/error.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <string_view>

namespace muster::perf {
namespace {

constexpr std::size_t usual_pairs = 5;
constexpr std::size_t quick_pairs = 2;
constexpr std::size_t most_pairs = 100;
constexpr std::size_t usual_seconds = 60;
constexpr std::size_t most_seconds = 3'600;

constexpr const char* description =
    "Compares muster with its peers: bare Asio, bare Tokio, and the shapes of the reference\n"
    "manager and its successor. Every run is a process of its own that does the same work; muster\n"
    "and the peers take turns, pair by pair. Prints the ratios and writes both sides' samples.";

constexpr const char* footer =
    "Examples:\n"
    "  muster-perf peers                        every row, some 12 minutes on two cores\n"
    "  muster-perf peers --quick                smaller work and two pairs, some 3 minutes\n"
    "  muster-perf peers --list                 the rows, their work and their targets\n"
    "  muster-perf peers dispatch end_to_end --peer reference --pairs 11\n"
    "\n"
    "The table: medians over the pairs; 'ratio' says how many times better muster is "
    "(theirs/ours;\n"
    "for a rate ours/theirs), pair by pair, with the smallest and the largest. Above 1, muster is\n"
    "ahead; where pairs disagree, nobody is. Targets are orientation: absolute ones were set for\n"
    "one machine.\n"
    "\n"
    "Exit code: 0 when every row was measured and both sides did the same work, 1 when one was "
    "not\n"
    "(or, with --check-targets, when a target was missed), 2 for a wrong argument, no peer at "
    "all,\n"
    "or a document that could not be written.";

[[noreturn]] void refuse(const std::string& sentence) {
    throw error{errc::configuration, sentence};
}

struct raw_peers_arguments {
    std::vector<std::string> rows;
    std::vector<std::string> peers;
    std::optional<std::string> pairs;
    std::optional<std::string> seconds;
    std::optional<std::string> directory;
    std::optional<std::string> out;
    std::optional<std::string> ours;
    bool list = false;
    bool json = false;
    bool quick = false;
    bool check_targets = false;
};

std::size_t number_up_to(std::size_t most, const std::optional<std::string>& text,
                         std::size_t usual, const std::string& what) {
    if (!text) {
        return usual;
    }
    std::size_t value = 0;
    const auto* end = text->data() + text->size();
    const auto [stop, problem] = std::from_chars(text->data(), end, value);
    if (problem != std::errc{} || stop != end || value == 0 || value > most) {
        refuse(what + " '" + *text + "' is not a whole number from 1 to " + std::to_string(most));
    }
    return value;
}

std::vector<const row*> named_rows(const std::string& name) {
    auto found = rows_named(name);
    if (found.empty()) {
        std::vector<std::string> names;
        for (const auto& each : rows()) {
            names.push_back(each.name);
            names.push_back(each.workload);
        }
        const auto similar = similar_name(name, names);
        refuse("there is no row '" + name + "'; " +
               (similar ? "did you mean " + *similar + "?"
                        : "muster-perf peers --list shows them all"));
    }
    return found;
}

std::vector<const row*> chosen_rows(const std::vector<std::string>& names) {
    std::vector<const row*> wanted;
    for (const auto& name : names) {
        const auto found = named_rows(name);
        wanted.insert(wanted.end(), found.begin(), found.end());
    }
    std::vector<const row*> chosen;
    for (const auto& each : rows()) {
        if (names.empty() || std::find(wanted.begin(), wanted.end(), &each) != wanted.end()) {
            chosen.push_back(&each);
        }
    }
    return chosen;
}

std::vector<peer_program> chosen_peers(const raw_peers_arguments& raw) {
    if (raw.directory && !std::filesystem::is_directory(*raw.directory)) {
        refuse("--peers-dir: there is no directory '" + *raw.directory +
               "'; name perf/peers of a build directory with the peers in it");
    }
    for (const auto& name : raw.peers) {
        if (!peer_named(name)) {
            refuse("there is no peer '" + name + "'; take reference, successor, tokio or asio");
        }
    }
    auto found = find_peers(raw.directory.value_or(default_peers_directory()));
    std::erase_if(found, [&](const peer_program& each) {
        return !raw.peers.empty() && std::find(raw.peers.begin(), raw.peers.end(),
                                               to_string(each.who)) == raw.peers.end();
    });
    return found;
}

peers_arguments checked(const raw_peers_arguments& raw) {
    if (raw.list && raw.json) {
        refuse("--list prints a table for people; leave --json out");
    }
    peers_arguments result;
    result.list = raw.list;
    result.json = raw.json;
    result.quick = raw.quick;
    result.check_targets = raw.check_targets;
    result.pairs = number_up_to(most_pairs, raw.pairs, raw.quick ? quick_pairs : usual_pairs,
                                "the number of pairs");
    result.limit = std::chrono::seconds{
        number_up_to(most_seconds, raw.seconds, usual_seconds, "the time limit in seconds")};
    if (raw.out == "") {
        refuse("--out needs the name of a directory");
    }
    result.out = raw.out || raw.json ? raw.out : "muster-reports";
    result.rows = chosen_rows(raw.rows);
    result.peers = chosen_peers(raw);
    result.ours = raw.ours ? std::vector{*raw.ours} : std::vector<std::string>{own_path(), "work"};
    return result;
}

void declare(CLI::App& app, raw_peers_arguments& raw) {
    app.footer(footer);
    app.add_option("ROW", raw.rows,
                   "A row's name, or a workload's for all of its rows; all rows if none is named")
        ->type_name("");
    app.add_flag("--list", raw.list, "Print the rows and stop");
    app.add_option("--pairs", raw.pairs,
                   "How often each side runs, 1 to 100; 5 if not given (some rows bound it)")
        ->type_name("N");
    app.add_flag("--quick", raw.quick, "Smaller work, and 2 pairs if --pairs does not say more");
    app.add_option("--peer", raw.peers, "Only this peer: reference, successor, tokio or asio")
        ->type_name("NAME")
        ->delimiter(',')
        ->expected(1)
        ->take_all();
    app.add_option("--peers-dir", raw.directory,
                   "Where the peers' programs are; the build directory's perf/peers if not given")
        ->type_name("DIR");
    app.add_option("--out", raw.out,
                   "Where the document goes (made if missing), as peers.json; muster-reports here "
                   "if not given, nowhere with --json alone")
        ->type_name("DIR");
    app.add_flag("--json", raw.json, "Print the document to standard output, and nothing else");
    app.add_flag("--check-targets", raw.check_targets, "A missed target is exit code 1");
    app.add_option("--timeout", raw.seconds, "How long one run may take; 60 if not given")
        ->type_name("S");
    app.add_option("--ours", raw.ours, "A program to run instead of muster-perf work")
        ->type_name("PROGRAM");
}

int complain(const std::string& sentence) {
    std::cerr << "muster-perf: " << sentence << '\n';
    return 2;
}

} // namespace

parsed_peers_arguments parse_peers_arguments(int argc, char** argv) {
    CLI::App app{description, "muster-perf peers"};
    raw_peers_arguments raw;
    declare(app, raw);
    parsed_peers_arguments result;
    try {
        app.parse(argc, argv);
        result.accepted = checked(raw);
    } catch (const CLI::CallForHelp& help) {
        result.exit_code = app.exit(help);
    } catch (const CLI::ParseError& problem) {
        result.exit_code = complain(std::string{problem.what()} + "; see muster-perf peers --help");
    } catch (const error& problem) {
        result.exit_code = complain(problem.what());
    }
    return result;
}

} // namespace muster::perf
