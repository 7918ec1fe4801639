#pragma once

#include "comparison/row.hpp"
#include "comparison/work_line.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace muster::perf {

/// muster, or a peer: nobody is muster.
using contestant = std::optional<peer>;

/// "muster", "peer-tokio": as the lines and the documents name them.
[[nodiscard]] std::string to_string(const contestant& who);

/// One run: its line, or one line that says what went wrong.
using run_result = std::variant<work_line, std::string>;

/// Runs a workload once. The command line is without the program.
using run_work =
    std::function<run_result(const contestant& who, const std::vector<std::string>& arguments)>;

/// Called before each run: which pair of how many (0: the warm-up), and who runs.
using run_observer = std::function<void(std::size_t pair, std::size_t of, const contestant& who)>;

/// One side of a row: its runs, one for each pair, until the first that failed.
struct row_side {
    contestant who;
    std::vector<std::string> arguments;
    std::vector<work_line> samples;
    std::string failure; ///< empty: none

    explicit row_side(contestant side, std::vector<std::string> command_line)
        : who{side}, arguments{std::move(command_line)} {}
};

/// What a row came to.
struct row_result {
    const row* subject;
    std::size_t pairs = 0;
    bool shrunk = false;         ///< smaller than its name says: targets are not judged
    std::vector<row_side> sides; ///< muster's first
    std::chrono::nanoseconds elapsed{0};

    explicit row_result(const row& what) : subject{&what} {}

    [[nodiscard]] const row_side& ours() const { return sides.front(); }
    /// Whether every side ran to its end and all did the same work.
    [[nodiscard]] bool passed() const noexcept;
};

/// How a row is run.
struct pairing {
    std::size_t pairs;
    bool quick;
};

/// Runs muster and the peers in turn: one warm-up each, with the row's small work, then as many
/// pairs as wanted (the row may bound them). In one pair muster runs before the peers, in the next
/// one after them, so that a machine that becomes slower is nobody's advantage; the peers take
/// turns among themselves. With several peers one run of muster belongs to a pair with each of
/// them.
///
/// A side that fails, or whose operations or checksum are not those of muster's first run, runs no
/// more; when that is muster, the row is over. Throws what `run` throws.
[[nodiscard]] row_result compare_row(const row& subject, const std::vector<peer>& peers,
                                     const pairing& how, const run_work& run,
                                     const run_observer& observe);

/// A figure of muster beside that of one peer.
struct figure_ratio {
    peer whom;
    sample_statistics theirs;
    std::vector<double> ratios; ///< pair by pair; above 1: muster is ahead. Not a number: undefined
    sample_statistics ratio;
};

/// Whether a target was reached; nothing where the figure, or that peer, was not measured.
struct judged_target {
    target wanted;
    std::optional<double> observed; ///< a median
    std::optional<bool> reached;
};

/// What a row says of one figure.
struct figure_result {
    const compared_figure* subject;
    sample_statistics ours;
    std::vector<figure_ratio> peers; ///< those that completed every pair and have the figure
    std::vector<judged_target> targets;
};

/// One for each figure of the row. The ratio is theirs / ours for what is better when lower, and
/// ours / theirs for what is better when higher. Empty if muster's side failed.
[[nodiscard]] std::vector<figure_result> figures_of(const row_result& result);

} // namespace muster::perf
