#include "peers.hpp"

#include "peers_arguments.hpp"

#include "comparison/document.hpp"
#include "comparison/pairs.hpp"
#include "comparison/program.hpp"
#include "comparison/show.hpp"
#include "harness/output.hpp"

#include <muster/error.hpp>
#include <muster/metrics/write_file.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

namespace muster::perf {
namespace {

constexpr int all_equal = 0;
constexpr int row_failed = 1;
constexpr int not_done = 2;

void write_to_standard_output(const std::string& text) {
    if (!(std::cout << text << std::flush)) {
        throw error{errc::dependency_unavailable,
                    "cannot write to standard output; free some space or redirect it"};
    }
}

std::vector<peer> there(const std::vector<peer_program>& peers) {
    std::vector<peer> found;
    for (const auto& each : peers) {
        if (each.skipped.empty()) {
            found.push_back(each.who);
        }
    }
    return found;
}

/// Rows that muster runs alone need nobody.
void check_somebody_is_there(const peers_arguments& wanted) {
    const bool needed = std::any_of(wanted.rows.begin(), wanted.rows.end(),
                                    [](const row* each) { return !each->peers.empty(); });
    if (needed && there(wanted.peers).empty()) {
        std::string reasons;
        for (const auto& each : wanted.peers) {
            reasons += (reasons.empty() ? "" : "; ") + program_of(each.who) + ": " + each.skipped;
        }
        throw error{errc::configuration, "there is no peer to compare with: " + reasons};
    }
}

/// One run as the core wants it: a process, and what it printed.
class work_runner {
public:
    explicit work_runner(const peers_arguments& wanted) : wanted_{wanted} {}

    run_result operator()(const contestant& who, const std::vector<std::string>& arguments) const {
        auto command = who ? std::vector{path_of(*who)} : wanted_.ours;
        command.insert(command.end(), arguments.begin(), arguments.end());
        const auto end = programs_.run(command, wanted_.limit);
        if (!end.problem.empty()) {
            return end.problem;
        }
        try {
            return parse_work_line(end.output, arguments.front());
        } catch (const error& problem) {
            return std::string{problem.what()};
        }
    }

private:
    [[nodiscard]] std::string path_of(peer who) const {
        return std::find_if(wanted_.peers.begin(), wanted_.peers.end(),
                            [&](const peer_program& each) { return each.who == who; })
            ->path;
    }

    const peers_arguments& wanted_;
    program_runner programs_;
};

/// "[3/48] dispatch".
std::string title(std::size_t number, std::size_t of, const row& subject) {
    return '[' + std::to_string(number) + '/' + std::to_string(of) + "] " + subject.name;
}

/// "pair 2 of 5, peer-reference".
std::string progress_text(std::size_t pair, std::size_t pairs, const contestant& who) {
    const auto stage = pair == 0 ? std::string{"warming up"}
                                 : "pair " + std::to_string(pair) + " of " + std::to_string(pairs);
    return stage + ", " + to_string(who);
}

void run_rows(const peers_arguments& wanted, comparison_run& result) {
    const work_runner run{wanted};
    const auto peers = there(wanted.peers);
    progress_line progress;
    for (const auto* subject : wanted.rows) {
        const auto name = title(result.rows.size() + 1, wanted.rows.size(), *subject);
        if (wanted.rows.size() > 1) {
            progress.milestone(name);
        }
        const auto observe = [&](std::size_t pair, std::size_t pairs, const contestant& who) {
            progress.show(name + ": " + progress_text(pair, pairs, who));
        };
        result.rows.push_back(
            compare_row(*subject, peers, {wanted.pairs, wanted.quick}, std::cref(run), observe));
    }
}

comparison_run compare(const peers_arguments& wanted) {
    const auto start = std::chrono::steady_clock::now();
    comparison_run result;
    result.run = start_run();
    result.environment = current_environment();
    result.pairs = wanted.pairs;
    result.quick = wanted.quick;
    result.peers = wanted.peers;
    run_rows(wanted, result);
    result.run.duration = std::chrono::steady_clock::now() - start;
    return result;
}

bool passed(const peers_arguments& wanted, const comparison_run& result) {
    const auto targets = count_targets(result);
    return std::all_of(result.rows.begin(), result.rows.end(),
                       [](const row_result& each) { return each.passed(); }) &&
           (!wanted.check_targets || targets.reached == targets.judged);
}

int run_comparison(const peers_arguments& wanted) {
    check_somebody_is_there(wanted);
    if (wanted.out) {
        ensure_writable_directory(*wanted.out);
    }
    const auto result = compare(wanted);
    const auto document = to_json(result);
    if (wanted.out) {
        write_file_atomically((std::filesystem::path{*wanted.out} / "peers.json").string(),
                              document);
    }
    write_to_standard_output(wanted.json ? document
                                         : ratio_table(result) + '\n' + in_short(result));
    std::cerr << failed_sides(result);
    return passed(wanted, result) ? all_equal : row_failed;
}

/// Ends as if the signal had not been caught, so that a shell sees what happened.
int end_by(int signal) {
    std::cerr << "muster-perf: interrupted; no document was written\n";
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return not_done;
}

} // namespace

int run_peers(int argc, char** argv) {
    // A limit on the size of files should be an error of the write, which is reported, not a kill.
    std::signal(SIGXFSZ, SIG_IGN);
    const auto parsed = parse_peers_arguments(argc, argv);
    if (!parsed.accepted) {
        return parsed.exit_code;
    }
    try {
        if (parsed.accepted->list) {
            write_to_standard_output(row_list());
            return all_equal;
        }
        return run_comparison(*parsed.accepted);
    } catch (const interrupted& by) {
        return end_by(by.signal);
    } catch (const std::exception& problem) {
        std::cerr << "muster-perf: " << problem.what() << '\n';
        return not_done;
    }
}

} // namespace muster::perf
