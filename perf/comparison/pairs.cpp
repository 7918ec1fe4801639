#include "comparison/pairs.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace muster::perf {
namespace {

/// Indices of the sides that still run, in the order of one pair.
std::vector<std::size_t> order_of(const row_result& result, std::size_t pair) {
    std::vector<std::size_t> order;
    for (std::size_t i = 1; i < result.sides.size(); ++i) {
        if (result.sides[i].failure.empty()) {
            order.push_back(i);
        }
    }
    if (!order.empty()) {
        const auto turn = static_cast<std::ptrdiff_t>(pair % order.size());
        std::rotate(order.begin(), order.begin() + turn, order.end());
    }
    order.insert(pair % 2 == 0 ? order.begin() : order.end(), 0);
    return order;
}

std::string work_of(const work_line& line) {
    return std::to_string(line.operations) + " operations with checksum " + line.checksum;
}

/// Muster's first run is what everybody's work is measured by.
void check_equal_work(row_result& result) {
    const auto& first = result.ours().samples.front();
    for (auto& side : result.sides) {
        if (side.failure.empty() && !side.samples.back().equal_work(first)) {
            side.failure = "unequal work: " + work_of(side.samples.back()) + ", but muster " +
                           (side.who ? "did " : "first did ") + work_of(first);
        }
    }
}

/// One run of one side; false if it failed.
bool run_side(row_side& side, const std::vector<std::string>& arguments, const run_work& run,
              std::vector<work_line>& to) {
    auto result = run(side.who, arguments);
    if (auto* problem = std::get_if<std::string>(&result)) {
        side.failure = std::move(*problem);
        return false;
    }
    to.push_back(std::move(std::get<work_line>(result)));
    return true;
}

void warm_up(row_result& result, std::size_t pairs, const run_work& run,
             const run_observer& observe) {
    std::vector<work_line> discarded;
    for (auto& side : result.sides) {
        if (!result.ours().failure.empty()) {
            return;
        }
        observe(0, pairs, side.who);
        run_side(side, result.subject->arguments(side.who, true), run, discarded);
    }
}

void run_pair(row_result& result, std::size_t pair, std::size_t of, const run_work& run,
              const run_observer& observe) {
    for (const std::size_t index : order_of(result, pair)) {
        auto& side = result.sides[index];
        observe(pair + 1, of, side.who);
        if (!run_side(side, side.arguments, run, side.samples) && index == 0) {
            return;
        }
    }
    check_equal_work(result);
}

double advantage(better direction, double ours, double theirs) {
    const auto [above, below] =
        direction == better::higher ? std::pair{ours, theirs} : std::pair{theirs, ours};
    return below > 0 ? above / below : std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> values_of(const row_side& side, const std::string& figure) {
    std::vector<double> values;
    for (const auto& sample : side.samples) {
        values.push_back(sample.figure(figure).value_or(std::numeric_limits<double>::quiet_NaN()));
    }
    return values;
}

std::optional<figure_ratio> ratio_to(const row_side& side, const compared_figure& figure,
                                     const std::vector<double>& ours) {
    const auto theirs = values_of(side, figure.name);
    auto found = describe(theirs);
    if (!side.failure.empty() || found.n == 0) {
        return std::nullopt;
    }
    std::vector<double> ratios;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
        ratios.push_back(advantage(figure.direction, ours[i], theirs[i]));
    }
    auto ratio = describe(ratios);
    return figure_ratio{*side.who, found, std::move(ratios), ratio};
}

judged_target judge(const target& wanted, const figure_result& result, bool shrunk) {
    std::optional<double> observed;
    if (!wanted.against && result.ours.n != 0) {
        observed = result.ours.median;
    }
    for (const auto& each : result.peers) {
        if (each.whom == wanted.against && each.ratio.n != 0) {
            observed = each.ratio.median;
        }
    }
    if (!observed || shrunk) {
        return {wanted, observed, std::nullopt};
    }
    const bool upwards = wanted.against || result.subject->direction == better::higher;
    return {wanted, observed, upwards ? *observed >= wanted.limit : *observed <= wanted.limit};
}

figure_result figure_of(const row_result& result, const compared_figure& figure) {
    const auto ours = values_of(result.ours(), figure.name);
    figure_result found{&figure, describe(ours), {}, {}};
    for (std::size_t i = 1; i < result.sides.size(); ++i) {
        if (auto ratio = ratio_to(result.sides[i], figure, ours)) {
            found.peers.push_back(std::move(*ratio));
        }
    }
    for (const auto& wanted : figure.targets) {
        found.targets.push_back(judge(wanted, found, result.shrunk));
    }
    return found;
}

} // namespace

std::string to_string(const contestant& who) {
    return who ? program_of(*who) : "muster";
}

bool row_result::passed() const noexcept {
    return std::all_of(sides.begin(), sides.end(),
                       [](const row_side& side) { return side.failure.empty(); });
}

row_result compare_row(const row& subject, const std::vector<peer>& peers, const pairing& how,
                       const run_work& run, const run_observer& observe) {
    const auto start = std::chrono::steady_clock::now();
    row_result result{subject};
    result.pairs = std::min(how.pairs, subject.most_pairs);
    result.shrunk = how.quick && subject.shrinks();
    result.sides.emplace_back(std::nullopt, subject.arguments(std::nullopt, how.quick));
    for (const peer each : subject.peers) {
        if (std::find(peers.begin(), peers.end(), each) != peers.end()) {
            result.sides.emplace_back(each, subject.arguments(each, how.quick));
        }
    }
    warm_up(result, result.pairs, run, observe);
    for (std::size_t pair = 0; pair < result.pairs && result.ours().failure.empty(); ++pair) {
        run_pair(result, pair, result.pairs, run, observe);
    }
    result.elapsed = std::chrono::steady_clock::now() - start;
    return result;
}

std::vector<figure_result> figures_of(const row_result& result) {
    std::vector<figure_result> found;
    if (result.ours().failure.empty()) {
        for (const auto& figure : result.subject->figures) {
            found.push_back(figure_of(result, figure));
        }
    }
    return found;
}

} // namespace muster::perf
