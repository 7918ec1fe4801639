#include "harness/table.hpp"

#include <muster/metrics/statistics.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace muster::perf {
namespace {

std::string formatted(const char* format, double value) {
    std::array<char, 48> text{};
    const int length = std::snprintf(text.data(), text.size(), format, value);
    return {text.data(), static_cast<std::size_t>(std::max(length, 0))};
}

std::string with_thousands(std::string digits) {
    const std::size_t first = digits.starts_with('-') ? 1 : 0;
    for (std::size_t i = digits.size(); i > first + 3;) {
        i -= 3;
        digits.insert(i, 1, ' ');
    }
    return digits;
}

std::string name_of(verdict value) {
    switch (value) {
    case verdict::improved: return "improved";
    case verdict::same: return "same";
    case verdict::regressed: return "REGRESSED";
    case verdict::inconclusive: break;
    }
    return "inconclusive";
}

std::string baseline_text(const report& source, const std::string& metric) {
    if (!source.baseline) {
        return {};
    }
    for (const auto& [name, result] : source.baseline->metrics) {
        if (name == metric) {
            return (result.delta_pct ? formatted("%+.1f %% ", *result.delta_pct) : std::string{}) +
                   name_of(result.verdict);
        }
    }
    return "no baseline";
}

std::string checks_text(const report& source) {
    const auto held = std::count_if(source.thresholds.begin(), source.thresholds.end(),
                                    [](const threshold& check) { return check.pass; });
    return std::to_string(held) + '/' + std::to_string(source.thresholds.size()) +
           (source.passed() ? " ok" : " FAILED");
}

std::string joined(const std::vector<double>& values) {
    std::string text;
    for (const double value : values) {
        text += text.empty() ? "" : ", ";
        text += to_text(value);
    }
    return text;
}

/// "channel batch_40 with 64 subscribers".
std::string load_of(const report_scenario& load) {
    const auto& subject = *find_scenario(load.name, load.variant);
    return subject.title() + " with " + std::to_string(load.sessions) + ' ' + subject.counted;
}

bool was_published(const report& source) {
    return !find_scenario(source.scenario->name, source.scenario->variant)->published.empty();
}

/// "published" and what ours is to it.
std::vector<std::string> published_cells(const scenario& subject, std::size_t sessions,
                                         const std::string& metric,
                                         const sample_statistics& found) {
    const auto published = subject.published_for(sessions, metric);
    const bool comparable = !published.empty() && published.back() > 0 && found.n != 0;
    return {joined(published),
            comparable ? formatted("%.3g", found.median / published.back()) : ""};
}

std::vector<std::string> figure_row(const scenario& subject, const report& source,
                                    const report_metric& metric, bool published, bool first) {
    const auto found = describe(metric.samples);
    const auto sessions = static_cast<std::size_t>(source.scenario->sessions);
    std::vector<std::string> cells{
        first ? subject.title() : "", first ? std::to_string(sessions) : "", metric.name,
        found.n != 0 ? to_text(found.median) : "-",
        found.n > 1 ? to_text(found.min) + " .. " + to_text(found.max) : ""};
    if (published) {
        for (auto& cell : published_cells(subject, sessions, metric.name, found)) {
            cells.push_back(std::move(cell));
        }
    }
    cells.push_back(first ? checks_text(source) : "");
    cells.push_back(baseline_text(source, metric.name));
    return cells;
}

void add_rows(text_table& table, const report& source, bool published) {
    const auto* subject = find_scenario(source.scenario->name, source.scenario->variant);
    bool first = true;
    for (const auto& headline : subject->headlines) {
        const auto metric = std::find_if(source.metrics.begin(), source.metrics.end(),
                                         [&](const auto& each) { return each.name == headline; });
        if (metric != source.metrics.end()) {
            table.row(
                figure_row(*subject, source, *metric, published, std::exchange(first, false)));
        }
    }
}

} // namespace

text_table& text_table::column(std::string heading, align side) {
    headings_.push_back(std::move(heading));
    sides_.push_back(side);
    return *this;
}

void text_table::row(std::vector<std::string> cells) {
    cells.resize(headings_.size());
    rows_.push_back(std::move(cells));
}

std::vector<std::size_t> text_table::widths() const {
    std::vector<std::size_t> result(headings_.size());
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = headings_[i].size();
        for (const auto& cells : rows_) {
            result[i] = std::max(result[i], cells[i].size());
        }
    }
    return result;
}

std::string text_table::line(const std::vector<std::string>& cells,
                             const std::vector<std::size_t>& widths) const {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string padding(widths[i] - cells[i].size(), ' ');
        text += i == 0 ? "" : "  ";
        text += sides_[i] == align::left ? cells[i] + padding : padding + cells[i];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + '\n';
}

std::string text_table::str() const {
    const auto columns = widths();
    std::vector<std::string> rule;
    for (const std::size_t width : columns) {
        rule.emplace_back(width, '-');
    }
    std::string text = line(headings_, columns) + line(rule, columns);
    for (const auto& cells : rows_) {
        text += line(cells, columns);
    }
    return text;
}

std::string to_text(double value) {
    if (!std::isfinite(value)) {
        return "-";
    }
    if (std::abs(value) >= 1'000 || std::trunc(value) == value) {
        return with_thousands(formatted("%.0f", value));
    }
    return formatted("%.3g", value);
}

std::string figures_table(const std::vector<report>& reports) {
    using enum text_table::align;
    const bool compared = std::any_of(reports.begin(), reports.end(),
                                      [](const report& each) { return each.baseline.has_value(); });
    const bool published = std::any_of(reports.begin(), reports.end(), was_published);
    text_table table;
    table.column("scenario", left)
        .column("sessions", right)
        .column("figure", left)
        .column("median", right)
        .column("min .. max", right);
    if (published) {
        table.column("published", right).column("ours/published", right);
    }
    table.column("checks", left).column(compared ? "against the baseline" : "", left);
    for (const auto& each : reports) {
        add_rows(table, each, published);
    }
    return table.str();
}

std::string failed_checks(const std::vector<report>& reports) {
    std::string text;
    for (const auto& each : reports) {
        for (const auto& check : each.thresholds) {
            if (!check.pass) {
                text += load_of(*each.scenario) + ": " + check.metric + " should be " + check.op +
                        ' ' + to_text(check.limit) + ", but was " + to_text(check.observed) + '\n';
            }
        }
    }
    return text;
}

std::string regressions(const std::vector<report>& reports) {
    std::string text;
    for (const auto& each : reports) {
        const auto compared =
            each.baseline ? each.baseline->metrics : std::vector<baseline_metric>{};
        for (const auto& [name, result] : compared) {
            if (result.verdict == verdict::regressed) {
                text += load_of(*each.scenario) + ": " + name + ' ' +
                        formatted("%+.1f %% ", result.delta_pct.value_or(0)) +
                        name_of(result.verdict) + '\n';
            }
        }
    }
    return text;
}

std::string to_text(const std::vector<baseline_difference>& differences) {
    std::string text;
    for (const auto& each : differences) {
        text += (text.empty() ? "" : "; ") + each.field + " was " + each.baseline + " and is " +
                each.now;
    }
    return text;
}

namespace {

std::string list_of(scenario_group group) {
    using enum text_table::align;
    text_table table;
    table.column("scenario", left)
        .column("sessions", left)
        .column("at most", right)
        .column("what it measures", left);
    for (const auto& each : scenarios()) {
        if (each.group != group) {
            continue;
        }
        std::string counts;
        for (const std::size_t count : each.session_counts) {
            counts += counts.empty() ? "" : ",";
            counts += std::to_string(count);
        }
        counts += each.counted == "sessions" ? "" : ' ' + each.counted;
        table.row({each.title(), counts, std::to_string(each.max_sessions), each.purpose});
    }
    return table.str();
}

} // namespace

std::string scenario_list() {
    return "Run unless told otherwise:\n" + list_of(scenario_group::seed) +
           "\nAt scale, by name or with --scale; the second word is a --variant:\n" +
           list_of(scenario_group::scale);
}

} // namespace muster::perf
