// muster-perf: scenarios in; a table, JSON documents and an exit code out. `work` and `peers` have
// command lines of their own.

#include "arguments.hpp"
#include "peers.hpp"
#include "work.hpp"

#include "harness/output.hpp"
#include "harness/runner.hpp"
#include "harness/sweep.hpp"
#include "harness/table.hpp"

#include <muster/error.hpp>

#include <nlohmann/json.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace muster::perf {
namespace {

constexpr int checks_held = 0;
constexpr int check_failed = 1;
constexpr int not_done = 2;

std::string title_of(const scenario& subject, std::size_t sessions) {
    return subject.title() + " with " + std::to_string(sessions) + ' ' + subject.counted;
}

/// A document as a line of its own: JSON Lines, so that readers need not find out where one ends.
std::string one_line(const std::string& document) {
    return nlohmann::ordered_json::parse(document).dump() + '\n';
}

/// Where reports go as they are made; everything is opened before anything runs.
class reporter {
public:
    explicit reporter(const arguments& wanted)
        : json_{wanted.json}, check_baseline_{wanted.check_baseline} {
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
            compare(document);
        }
        if (directory_) {
            directory_->write(document);
        }
        if (json_) {
            write_to_standard_output(one_line(to_json(document)));
        }
        reports_.push_back(std::move(document));
    }

    /// One point of a curve that is under way: a document like any other.
    void take(const growth_point& point, const scenario& subject) {
        if (!point.failed.empty()) {
            fail(subject, point.sessions, point.failed);
        } else if (directory_ && point.measured) {
            directory_->write(*point.measured);
        }
    }

    void take(growth_curve curve) {
        if (directory_) {
            directory_->write(curve);
        }
        write_to_standard_output(json_ ? one_line(to_json(curve)) : growth_table(curve) + '\n');
        if (!curve.measured()) {
            std::cerr << curve.subject->title() << ": none of these counts could be measured\n";
        }
        all_passed_ = all_passed_ && curve.passed();
        for (auto& point : curve.points) {
            if (point.measured) {
                swept_.push_back(std::move(*point.measured));
            }
        }
    }

    /// A run that came to nothing.
    void fail(const scenario& subject, std::size_t sessions, const std::string& reason) {
        std::cerr << title_of(subject, sessions) << " failed: " << reason << '\n';
        all_passed_ = false;
        if (directory_) {
            directory_->note_failure(subject, sessions, reason);
        }
    }

    /// Prints the table and says whether everything ran and all checks held.
    bool finish() {
        if (!json_ && !reports_.empty()) {
            write_to_standard_output(figures_table(reports_));
        }
        const auto failed = failed_checks(reports_) + failed_checks(swept_) +
                            (check_baseline_ ? regressions(reports_) : std::string{});
        std::cerr << failed;
        return all_passed_ && failed.empty();
    }

    static void write_to_standard_output(const std::string& text) {
        if (!(std::cout << text << std::flush)) {
            throw error{errc::dependency_unavailable,
                        "cannot write to standard output; free some space or redirect it"};
        }
    }

private:
    /// Before anything runs: is there something to compare with?
    void check_baselines(const arguments& wanted) const {
        bool found = false;
        auto reason = *wanted.baseline + " has no report of what is to be run; name a file or "
                                         "directory that muster-perf wrote for it";
        for (const auto& run : wanted.plan) {
            try {
                found = baselines_->cover(*run.subject, run.sessions) || found;
            } catch (const error& problem) {
                if (problem.code() != errc::configuration) {
                    throw;
                }
                reason = problem.what();
            }
        }
        if (!found) {
            throw error{errc::configuration, reason};
        }
    }

    /// The report of another load is not compared with, which `--check-baseline` does not let pass.
    void compare(report& document) {
        try {
            baselines_->compare(document);
        } catch (const error& problem) {
            std::cerr << "muster-perf: not compared: " << problem.what() << '\n';
            all_passed_ = all_passed_ && !check_baseline_;
        }
        warn_of_differences(document.baseline.value_or(baseline_result{}));
    }

    /// Once, if it is the same for all documents.
    void warn_of_differences(const baseline_result& compared) {
        const auto text = to_text(compared.differences);
        if (!text.empty() && warned_of_.insert(text).second) {
            std::cerr << "muster-perf: warning: " << compared.file
                      << " was not measured as now, so its verdicts say little: " << text << '\n';
        }
    }

    bool json_;
    bool check_baseline_;
    std::optional<baselines> baselines_;
    std::optional<report_directory> directory_;
    std::vector<report> reports_;
    std::vector<report> swept_; ///< in curves, which are printed as they are made
    std::set<std::string> warned_of_;
    bool all_passed_ = true; ///< as far as no check says it
};

/// What is printed while the `number`-th of so many repetitions runs.
std::string progress_of(const scenario& subject, std::size_t sessions, std::size_t number,
                        std::size_t of) {
    return title_of(subject, sessions) + ": " +
           (number == 0 ? "warming up" : std::to_string(number) + " of " + std::to_string(of));
}

void measure(const planned_run& run, progress_line& progress, reporter& reports) {
    std::optional<report> document;
    try {
        document = run_scenario(
            *run.subject, run.sessions, run.repetitions, [&](std::size_t number, std::size_t of) {
                progress.show(progress_of(*run.subject, run.sessions, number, of));
            });
    } catch (const std::exception& problem) {
        progress.clear();
        return reports.fail(*run.subject, run.sessions, problem.what());
    }
    progress.clear();
    reports.take(std::move(*document));
}

void measure_growth(const planned_run& run, const std::vector<std::size_t>& counts,
                    progress_line& progress, reporter& reports) {
    const auto& subject = *run.subject;
    const sweep_observer observe{[&](std::size_t sessions, std::size_t number, std::size_t of) {
                                     progress.show(progress_of(subject, sessions, number, of));
                                 },
                                 [&](const growth_point& point) {
                                     progress.clear();
                                     reports.take(point, subject);
                                 }};
    reports.take(sweep(subject, counts, run.repetitions, observe));
}

int run_plan(const arguments& wanted) {
    reporter reports{wanted};
    progress_line progress;
    for (const auto& run : wanted.plan) {
        if (wanted.sweep.empty()) {
            measure(run, progress, reports);
        } else {
            measure_growth(run, wanted.sweep, progress, reports);
        }
    }
    progress.clear();
    return reports.finish() ? checks_held : check_failed;
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
    if (argc > 1 && std::string_view{argv[1]} == "work") {
        return muster::perf::run_work(argc - 1, argv + 1);
    }
    if (argc > 1 && std::string_view{argv[1]} == "peers") {
        return muster::perf::run_peers(argc - 1, argv + 1);
    }
    return muster::perf::run(argc, argv);
}
