// muster-perf: scenarios in; a table, JSON documents and an exit code out. `muster-perf peers` has
// a command line of its own.

#include "arguments.hpp"
#include "peers.hpp"

#include "harness/output.hpp"
#include "harness/runner.hpp"
#include "harness/table.hpp"

#include <muster/error.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::perf {
namespace {

constexpr int checks_held = 0;
constexpr int check_failed = 1;
constexpr int not_done = 2;

/// Where reports go as they are made; everything is opened before anything runs.
class reporter {
public:
    explicit reporter(const arguments& wanted) : json_{wanted.json} {
        if (wanted.baseline) {
            baselines_.emplace(*wanted.baseline);
            check_baselines(wanted);
        }
        if (wanted.out) {
            directory_.emplace(*wanted.out);
        }
    }

    void take(report document) {
        if (baselines_) {
            baselines_->compare(document);
        }
        if (directory_) {
            directory_->write(document);
        }
        if (json_) {
            write_to_standard_output(to_json(document));
        }
        reports_.push_back(std::move(document));
    }

    /// Prints the table and says whether all checks held.
    bool finish() {
        if (directory_) {
            directory_->write_index();
        }
        if (!json_ && !reports_.empty()) {
            write_to_standard_output(figures_table(reports_));
        }
        const auto failed = failed_checks(reports_);
        std::cerr << failed;
        return failed.empty();
    }

    static void write_to_standard_output(const std::string& text) {
        if (!(std::cout << text << std::flush)) {
            throw error{errc::dependency_unavailable,
                        "cannot write to standard output; free some space or redirect it"};
        }
    }

private:
    void check_baselines(const arguments& wanted) const {
        for (const auto& run : wanted.plan) {
            if (baselines_->has(run.subject->name, run.sessions)) {
                return;
            }
        }
        throw error{errc::configuration, *wanted.baseline +
                                             " has no report of what is to be run; name a file or "
                                             "directory that muster-perf wrote for it"};
    }

    bool json_;
    std::optional<baselines> baselines_;
    std::optional<report_directory> directory_;
    std::vector<report> reports_;
};

std::string title_of(const planned_run& run) {
    return run.subject->name + " with " + std::to_string(run.sessions) + " sessions";
}

/// Runs one entry of the plan; nothing if the scenario itself failed, which is said.
std::optional<report> measure(const planned_run& run, progress_line& progress) {
    const auto observe = [&](std::size_t number, std::size_t of) {
        progress.show(
            title_of(run) + ": " +
            (number == 0 ? "warming up" : std::to_string(number) + " of " + std::to_string(of)));
    };
    try {
        return run_scenario(*run.subject, run.sessions, run.repetitions, observe);
    } catch (const std::exception& problem) {
        progress.clear();
        std::cerr << title_of(run) << " failed: " << problem.what() << '\n';
        return std::nullopt;
    }
}

int run_plan(const arguments& wanted) {
    reporter reports{wanted};
    progress_line progress;
    bool all_ran = true;
    for (const auto& run : wanted.plan) {
        if (auto document = measure(run, progress)) {
            reports.take(std::move(*document));
        } else {
            all_ran = false;
        }
    }
    progress.clear();
    return reports.finish() && all_ran ? checks_held : check_failed;
}

int run(int argc, char** argv) {
    // A limit on the size of files should be an error of the write, which is reported, not a kill.
    std::signal(SIGXFSZ, SIG_IGN);
    const auto parsed = parse_arguments(argc, argv);
    if (!parsed.accepted) {
        return parsed.exit_code;
    }
    try {
        if (parsed.accepted->list) {
            reporter::write_to_standard_output(scenario_list());
            return checks_held;
        }
        return run_plan(*parsed.accepted);
    } catch (const std::exception& problem) {
        std::cerr << "muster-perf: " << problem.what() << '\n';
        return not_done;
    }
}

} // namespace
} // namespace muster::perf

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view{argv[1]} == "peers") {
        return muster::perf::run_peers(argc - 1, argv + 1);
    }
    return muster::perf::run(argc, argv);
}
