#pragma once

#include "comparison/pairs.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace muster::test {

/// Sides that answer with made-up figures, and remember who ran with what.
class fake_peers {
public:
    using answer = std::function<perf::run_result(std::size_t run)>; ///< 0 is the warm-up

    /// What that side answers; without it, `equal(10)`.
    void answers(const perf::contestant& who, answer with) {
        answers_[to_string(who)] = std::move(with);
    }

    /// The same work as everybody, at that speed.
    static perf::work_line equal(double cpu_ns) {
        perf::work_line line;
        line.workload = "dispatch";
        line.operations = 100;
        line.checksum = "4950";
        line.wall_ns = cpu_ns;
        line.cpu_ns = cpu_ns;
        line.peak_rss_bytes = 4096;
        line.parameters.emplace_back("sessions", std::uint64_t{30});
        line.figures.emplace_back("figure_ns", cpu_ns);
        return line;
    }

    perf::run_result run(const perf::contestant& who, const std::vector<std::string>& arguments) {
        const auto name = to_string(who);
        order.push_back(name);
        commands.push_back(arguments);
        const auto found = answers_.find(name);
        const std::size_t number = runs_[name]++;
        return found != answers_.end() ? found->second(number) : equal(10);
    }

    perf::row_result compare(const perf::row& subject, const perf::pairing& how,
                             const std::vector<perf::peer>& there = {perf::all_peers.begin(),
                                                                     perf::all_peers.end()}) {
        return perf::compare_row(
            subject, there, how,
            [this](const perf::contestant& who, const std::vector<std::string>& arguments) {
                return run(who, arguments);
            },
            [](std::size_t, std::size_t, const perf::contestant&) {});
    }

    std::vector<std::string> order;
    std::vector<std::vector<std::string>> commands;

private:
    std::map<std::string, answer> answers_;
    std::map<std::string, std::size_t> runs_;
};

/// A row of that work against these peers, with one figure.
inline perf::row small_row(const std::vector<perf::peer>& peers) {
    perf::row subject{"small", "a small row"};
    subject.work("dispatch", {{"sessions", "30"}}, {{"sessions", "3"}, {"events", "8"}})
        .against(peers)
        .compare("figure_ns", better::lower);
    return subject;
}

} // namespace muster::test
