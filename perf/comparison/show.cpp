#include "comparison/show.hpp"

#include "harness/table.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace muster::perf {
namespace {

std::string text_of(const target& wanted, better direction) {
    if (wanted.against) {
        return ">= " + to_text(wanted.limit) + "x " + std::string{to_string(*wanted.against)};
    }
    return (direction == better::higher ? ">= " : "<= ") + to_text(wanted.limit);
}

std::string joined(const std::string& left, const std::string& right) {
    return left.empty() || right.empty() ? left + right : left + ", " + right;
}

std::string verdict_of(const judged_target& target) {
    if (!target.reached) {
        return "";
    }
    return *target.reached ? ": yes" : ": NO";
}

/// Absolute targets (no peer), or those against that peer.
std::string targets_text(const figure_result& figure, const std::optional<peer>& against) {
    std::string text;
    for (const auto& each : figure.targets) {
        if (each.wanted.against == against) {
            text = joined(text, text_of(each.wanted, figure.subject->direction) + verdict_of(each));
        }
    }
    return text;
}

std::string median_of(const sample_statistics& found) {
    return found.n != 0 ? to_text(found.median) : "-";
}

void add_peer(std::vector<std::string>& cells, const figure_ratio& ratio) {
    cells[3] = to_string(ratio.whom);
    cells[4] = median_of(ratio.theirs);
    cells[5] = ratio.ratio.n != 0 ? to_text(ratio.ratio.median) + 'x' : "-";
    cells[6] =
        ratio.ratio.n > 1 ? to_text(ratio.ratio.min) + " .. " + to_text(ratio.ratio.max) : "";
}

void add_figure(text_table& table, const figure_result& figure, std::string name) {
    std::vector<std::string> cells(8);
    cells[0] = std::move(name);
    cells[1] = figure.subject->name;
    cells[2] = median_of(figure.ours);
    cells[7] = targets_text(figure, std::nullopt);
    for (const auto& ratio : figure.peers) {
        add_peer(cells, ratio);
        cells[7] = joined(cells[7], targets_text(figure, ratio.whom));
        table.row(std::exchange(cells, std::vector<std::string>(8)));
    }
    if (figure.peers.empty()) {
        table.row(std::move(cells));
    }
}

std::string duration_text(std::chrono::nanoseconds duration) {
    const auto seconds = std::chrono::round<std::chrono::seconds>(duration).count();
    const auto minutes = seconds / 60;
    return minutes == 0 ? std::to_string(seconds) + " s"
                        : std::to_string(minutes) + " min " + std::to_string(seconds % 60) + " s";
}

/// Who is ahead in how many ratios: where pairs disagree, nobody is.
struct lead_count {
    std::size_t ahead = 0;
    std::size_t undecided = 0;
    std::size_t behind = 0;

    void add(const sample_statistics& ratio) {
        ++(ratio.min > 1 ? ahead : ratio.max < 1 ? behind : undecided);
    }
};

lead_count count_leads(const comparison_run& source) {
    lead_count count;
    for (const auto& row : source.rows) {
        for (const auto& figure : figures_of(row)) {
            for (const auto& each : figure.peers) {
                if (each.ratio.n != 0) {
                    count.add(each.ratio);
                }
            }
        }
    }
    return count;
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
    std::string text;
    for (const auto& word : words) {
        text += text.empty() ? "" : separator;
        text += word;
    }
    return text;
}

std::string targets_of(const row& subject) {
    std::vector<std::string> all;
    for (const auto& figure : subject.figures) {
        for (const auto& wanted : figure.targets) {
            all.push_back(figure.name + ' ' + text_of(wanted, figure.direction));
        }
    }
    return joined(all, ", ");
}

std::string peers_of(const row& subject) {
    std::vector<std::string> all;
    for (const peer whom : subject.peers) {
        all.emplace_back(to_string(whom));
    }
    return all.empty() ? "-" : joined(all, ",");
}

std::string of(std::size_t part, std::size_t whole) {
    return std::to_string(part) + " of " + std::to_string(whole);
}

} // namespace

std::string ratio_table(const comparison_run& source) {
    using enum text_table::align;
    text_table table;
    table.column("row", left)
        .column("figure", left)
        .column("muster", right)
        .column("peer", left)
        .column("theirs", right)
        .column("ratio", right)
        .column("min .. max", left)
        .column("target: reached", left);
    for (const auto& row : source.rows) {
        auto name = row.subject->name + (row.shrunk ? "*" : "");
        for (const auto& figure : figures_of(row)) {
            add_figure(table, figure, std::exchange(name, ""));
        }
    }
    return table.str();
}

std::string in_short(const comparison_run& source) {
    const auto leads = count_leads(source);
    const auto targets = count_targets(source);
    std::string text = std::to_string(source.rows.size()) +
                       (source.rows.size() == 1 ? " row" : " rows") + "; ratios: muster ahead in " +
                       std::to_string(leads.ahead) + ", undecided " +
                       std::to_string(leads.undecided) + ", behind in " +
                       std::to_string(leads.behind) + "; " + of(targets.reached, targets.judged) +
                       " targets reached; " + duration_text(source.run.duration) + '\n';
    if (std::any_of(source.rows.begin(), source.rows.end(),
                    [](const row_result& each) { return each.shrunk; })) {
        text += "*: quick, smaller than the row's name says; its targets are not judged\n";
    }
    for (const auto& each : source.peers) {
        if (!each.skipped.empty()) {
            text += "without " + program_of(each.who) + ": " + each.skipped + '\n';
        }
    }
    return text;
}

std::string failed_sides(const comparison_run& source) {
    std::string text;
    for (const auto& row : source.rows) {
        for (const auto& side : row.sides) {
            if (!side.failure.empty()) {
                text += row.subject->name + ", " + to_string(side.who) + ": " + side.failure + '\n';
            }
        }
    }
    return text;
}

target_count count_targets(const comparison_run& source) {
    target_count count;
    for (const auto& row : source.rows) {
        for (const auto& figure : figures_of(row)) {
            for (const auto& each : figure.targets) {
                count.judged += each.reached ? 1 : 0;
                count.reached += each.reached.value_or(false) ? 1 : 0;
            }
        }
    }
    return count;
}

std::string row_list() {
    using enum text_table::align;
    text_table table;
    table.column("row", left)
        .column("peers", left)
        .column("what it compares", left)
        .column("work", left)
        .column("targets", left);
    for (const auto& each : rows()) {
        table.row({each.name, peers_of(each), each.what,
                   joined(each.arguments(std::nullopt, false), " "), targets_of(each)});
    }
    return table.str();
}

} // namespace muster::perf
