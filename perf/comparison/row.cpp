#include "comparison/row.hpp"

#include <algorithm>

namespace muster::perf {
namespace {

void replace(work_parameters& all, const work_parameters& instead) {
    for (const auto& [name, value] : instead) {
        const auto found = std::find_if(all.begin(), all.end(),
                                        [&](const auto& each) { return each.first == name; });
        if (found != all.end()) {
            found->second = value;
        } else {
            all.emplace_back(name, value);
        }
    }
}

} // namespace

row& row::work(std::string name_of_it, work_parameters load, work_parameters small) {
    workload = std::move(name_of_it);
    parameters = std::move(load);
    quick = std::move(small);
    return *this;
}

row& row::against(std::vector<peer> whom) {
    peers = std::move(whom);
    return *this;
}

row& row::compare(std::string figure, better direction, std::vector<target> targets) {
    figures.emplace_back(std::move(figure), direction, std::move(targets));
    return *this;
}

row& row::permit(peer whom, work_parameters instead) {
    permitted.emplace_back(whom, std::move(instead));
    return *this;
}

row& row::only_muster(work_parameters instead) {
    own = std::move(instead);
    return *this;
}

row& row::at_most(std::size_t pairs) {
    most_pairs = pairs;
    return *this;
}

bool row::shrinks() const noexcept {
    return std::any_of(quick.begin(), quick.end(), [&](const auto& each) {
        const bool extent = each.first == "sessions" || each.first == "timers" ||
                            each.first == "children" || each.first == "interval_ms";
        return extent && std::find(parameters.begin(), parameters.end(), each) == parameters.end();
    });
}

std::vector<std::string> row::arguments(std::optional<peer> side, bool small) const {
    auto all = parameters;
    if (small) {
        replace(all, quick);
    }
    if (!side) {
        replace(all, own);
    }
    for (const auto& [whom, instead] : permitted) {
        if (whom == side) {
            replace(all, instead);
        }
    }
    std::vector<std::string> words{workload};
    for (const auto& [option, value] : all) {
        words.push_back("--" + option);
        words.push_back(value);
    }
    return words;
}

std::vector<const row*> rows_named(std::string_view name) {
    std::vector<const row*> found;
    for (const auto& each : rows()) {
        if (each.name == name) {
            return {&each};
        }
        if (each.workload == name) {
            found.push_back(&each);
        }
    }
    return found;
}

} // namespace muster::perf
