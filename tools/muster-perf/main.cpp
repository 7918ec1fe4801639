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

    /// The points as documents like any other, and the curve.
    void take(growth_curve curve) {
        for (auto& point : curve.points) {
            if (directory_ && point.measured) {
                directory_->write(*point.measured);
            }
        }
        if (directory_) {
            directory_->write(curve);
        }
        write_to_standard_output(json_ ? to_json(curve) : growth_table(curve) + '\n');
        for (auto& point : curve.points) {
            if (point.measured) {
                swept_.push_back(std::move(*point.measured));
            }
        }
    }

    /// Prints the table and says whether all checks held.
    bool finish() {
        if (directory_) {
            directory_->write_index();
        }
        if (!json_ && !reports_.empty()) {
            write_to_standard_output(figures_table(reports_));
        }
        const auto failed = failed_checks(reports_) + failed_checks(swept_);
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
            if (baselines_->has(*run.subject, run.sessions)) {
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
    std::vector<report> swept_; ///< in curves, which are printed as they are made
};

std::string title_of(const planned_run& run) {
    const std::string count =
        run.sessions == 0 ? "more and more " : std::to_string(run.sessions) + ' ';
    return run.subject->title() + " with " + count + run.subject->counted;
}

/// What is printed while the `number`-th of so many repetitions runs.
std::string progress_of(const scenario& subject, std::size_t sessions, std::size_t number,
                        std::size_t of) {
    return title_of({&subject, sessions, of}) + ": " +
           (number == 0 ? "warming up" : std::to_string(number) + " of " + std::to_string(of));
}

/// What `work` returns; nothing if the scenario itself failed, which is said.
template <typename Work>
auto attempt(const planned_run& run, progress_line& progress, Work work)
    -> std::optional<decltype(work())> {
    try {
        return work();
    } catch (const std::exception& problem) {
        progress.clear();
        std::cerr << title_of(run) << " failed: " << problem.what() << '\n';
        return std::nullopt;
    }
}

bool measure(const planned_run& run, progress_line& progress, reporter& reports) {
    const auto& subject = *run.subject;
    auto document = attempt(run, progress, [&] {
        return run_scenario(subject, run.sessions, run.repetitions,
                            [&](std::size_t number, std::size_t of) {
                                progress.show(progress_of(subject, run.sessions, number, of));
                            });
    });
    if (document) {
        reports.take(std::move(*document));
    }
    return document.has_value();
}

bool measure_growth(const planned_run& run, const std::vector<std::size_t>& counts,
                    progress_line& progress, reporter& reports) {
    const auto& subject = *run.subject;
    auto curve = attempt(run, progress, [&] {
        return sweep(subject, counts, run.repetitions,
                     [&](std::size_t sessions, std::size_t number, std::size_t of) {
                         progress.show(progress_of(subject, sessions, number, of));
                     });
    });
    progress.clear();
    if (curve) {
        reports.take(std::move(*curve));
    }
    return curve.has_value();
}

int run_plan(const arguments& wanted) {
    reporter reports{wanted};
    progress_line progress;
    bool all_ran = true;
    for (const auto& run : wanted.plan) {
        const bool ran = wanted.sweep.empty()
                             ? measure(run, progress, reports)
                             : measure_growth(run, wanted.sweep, progress, reports);
        all_ran = all_ran && ran;
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
    if (argc > 1 && std::string_view{argv[1]} == "work") {
        return muster::perf::run_work(argc - 1, argv + 1);
    }
    if (argc > 1 && std::string_view{argv[1]} == "peers") {
        return muster::perf::run_peers(argc - 1, argv + 1);
    }
    return muster::perf::run(argc, argv);
}
