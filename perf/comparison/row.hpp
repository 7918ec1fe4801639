#pragma once

#include "comparison/peer.hpp"

#include <muster/metrics/statistics.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::perf {

/// What muster is to reach with a figure: an orientation where it is absolute, as machines differ.
struct target {
    std::optional<peer> against; ///< a ratio to this peer; nothing: the figure itself
    double limit;

    target(std::optional<peer> whom, double value) : against{whom}, limit{value} {}
};

/// A figure of a workload that is compared.
struct compared_figure {
    std::string name;
    better direction;
    std::vector<target> targets;

    compared_figure(std::string label, better way, std::vector<target> wanted)
        : name{std::move(label)}, direction{way}, targets{std::move(wanted)} {}
};

/// Names and values of a workload's parameters.
using work_parameters = std::vector<std::pair<std::string, std::string>>;

/// One line of WORKLOADS.md's comparison: the same work on both sides, and what is compared of it.
struct row {
    std::string name;
    std::string what;
    std::string workload;
    work_parameters parameters;
    work_parameters quick; ///< instead of those above: less work, also for warming up
    std::vector<peer> peers;
    std::vector<compared_figure> figures;
    std::vector<std::pair<peer, work_parameters>> permitted; ///< what a peer may do otherwise
    work_parameters own;          ///< what muster does otherwise, and no peer can
    std::size_t most_pairs = 100; ///< for rows that take long, because their time is real time

    row(std::string label, std::string title) : name{std::move(label)}, what{std::move(title)} {}

    row& work(std::string name_of_it, work_parameters load, work_parameters small);
    row& against(std::vector<peer> whom);
    row& compare(std::string figure, better direction, std::vector<target> targets = {});
    row& permit(peer whom, work_parameters instead);
    row& only_muster(work_parameters instead);
    row& at_most(std::size_t pairs);

    /// Whether the quick work is not only less, but of another kind: fewer sessions or timers, or
    /// another interval. Its figures are not those that the row's name promises.
    [[nodiscard]] bool shrinks() const noexcept;

    /// The command line of one side, without the program; nobody: muster's.
    [[nodiscard]] std::vector<std::string> arguments(std::optional<peer> side, bool small) const;
};

/// All rows, in the order of WORKLOADS.md.
[[nodiscard]] const std::vector<row>& rows();

/// The rows of that name, or of that workload.
[[nodiscard]] std::vector<const row*> rows_named(std::string_view name);

} // namespace muster::perf
