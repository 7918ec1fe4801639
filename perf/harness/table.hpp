#pragma once

#include "harness/scenario.hpp"

#include <muster/metrics/report.hpp>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace muster::perf {

/// Rows of text in aligned columns.
class text_table {
public:
    enum class align { left, right };

    /// A column with its heading.
    text_table& column(std::string heading, align side);
    /// A row; missing cells at its end are empty.
    void row(std::vector<std::string> cells);
    /// All lines, each with a newline and without trailing spaces; a rule below the headings.
    [[nodiscard]] std::string str() const;

private:
    [[nodiscard]] std::vector<std::size_t> widths() const;
    [[nodiscard]] std::string line(const std::vector<std::string>& cells,
                                   const std::vector<std::size_t>& widths) const;

    std::vector<std::string> headings_;
    std::vector<align> sides_;
    std::vector<std::vector<std::string>> rows_;
};

/// A figure in at most about nine characters, with thousands separated: 295 745, 0.0123.
[[nodiscard]] std::string to_text(double value);

/// The outcome of a run: each scenario's headline metrics beside the published figures, and whether
/// the checks hold. The reports are of scenarios that are enlisted.
[[nodiscard]] std::string figures_table(const std::vector<report>& reports);

/// One line for each check that does not hold.
[[nodiscard]] std::string failed_checks(const std::vector<report>& reports);

/// One line for each metric that is worse than in its baseline.
[[nodiscard]] std::string regressions(const std::vector<report>& reports);

/// "run/build_type was release and is debug; ...".
[[nodiscard]] std::string to_text(const std::vector<baseline_difference>& differences);

/// What can be run, in its two groups: name and variant, session counts, limit, purpose.
[[nodiscard]] std::string scenario_list();

} // namespace muster::perf
