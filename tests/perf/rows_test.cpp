#include "comparison/row.hpp"
#include "comparison/work_line.hpp"

#include <muster/error.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::perf;

namespace {

std::string line(const std::string& operations, const std::string& checksum) {
    return R"({"schema":"muster-peer","schema_version":1,"peer":"peer-tokio",)"
           R"("workload":"dispatch","params":{"sessions":30,"phase":"spread"},"operations":)" +
           operations + R"(,"checksum":)" + checksum +
           R"(,"wall_ns":20,"cpu_ns":10,"peak_rss_bytes":4096,)"
           R"("figures":{"dispatch_ns_per_event":1.5,"lost_ns":null}})";
}

void refuses(const std::string& output, const std::string& words) {
    BOOST_CHECK_EXCEPTION(static_cast<void>(parse_work_line(output, "dispatch")), error,
                          [&](const error& problem) {
                              const std::string said = problem.what();
                              BOOST_TEST_CONTEXT(said) {
                                  BOOST_TEST((said.find(words) != std::string::npos));
                                  BOOST_TEST((said.find('\n') == std::string::npos));
                              }
                              return true;
                          });
}

} // namespace

BOOST_AUTO_TEST_SUITE(perf)

BOOST_AUTO_TEST_SUITE(rows_of_the_comparison)

BOOST_AUTO_TEST_CASE(every_row_has_a_name_of_its_own_work_and_a_figure) {
    std::set<std::string> seen;
    for (const auto& each : rows()) {
        BOOST_TEST_CONTEXT(each.name) {
            BOOST_TEST(seen.insert(each.name).second);
            BOOST_TEST(!each.workload.empty());
            BOOST_TEST(!each.what.empty());
            BOOST_TEST(!each.figures.empty());
            BOOST_TEST((rows_named(each.name) == std::vector<const row*>{&each}));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_workloads_name_stands_for_all_of_its_rows) {
    const auto found = rows_named("channel_delivery");
    BOOST_TEST(found.size() > 10U);
    BOOST_TEST(rows_named("nonsense").empty());
}

BOOST_AUTO_TEST_CASE(sides_differ_only_in_what_is_permitted) {
    for (const auto& each : rows()) {
        for (const peer whom : each.peers) {
            const bool permitted =
                std::any_of(each.permitted.begin(), each.permitted.end(),
                            [&](const auto& other) { return other.first == whom; });
            BOOST_TEST_CONTEXT(each.name) {
                BOOST_TEST((each.arguments(whom, false) == each.arguments(std::nullopt, false)) ==
                           (!permitted && each.own.empty()));
            }
        }
        for (const auto& [whom, instead] : each.permitted) {
            BOOST_TEST((instead == work_parameters{{"session_capacity", "8"}}));
        }
        BOOST_TEST((each.own.empty() || each.own.front().first == "leeway_ms"));
    }
}

BOOST_AUTO_TEST_CASE(less_work_of_the_same_kind_does_not_shrink_a_row) {
    row subject{"x", "x"};
    subject.work("dispatch", {{"sessions", "30"}}, {{"sessions", "30"}, {"events", "8"}});
    BOOST_TEST(!subject.shrinks());
    subject.work("dispatch", {{"sessions", "30"}}, {{"sessions", "3"}});
    BOOST_TEST(subject.shrinks());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(lines)

BOOST_AUTO_TEST_CASE(a_line_is_read) {
    const auto read =
        parse_work_line(line("1310720", R"("18446744073709551615")") + '\n', "dispatch");
    BOOST_TEST(read.peer == "peer-tokio");
    BOOST_TEST(read.operations == 1'310'720U);
    BOOST_TEST(read.checksum == "18446744073709551615");
    BOOST_TEST(read.figure("dispatch_ns_per_event").value() == 1.5);
    BOOST_TEST(read.figure("cpu_ns").value() == 10);
    BOOST_TEST(read.figure("wall_ns").value() == 20);
    BOOST_TEST(read.figure("peak_rss_bytes").value() == 4096);
    BOOST_TEST(!read.figure("lost_ns").has_value());
    BOOST_TEST(!read.figure("nonsense").has_value());
    BOOST_TEST(read.parameters.front().first == "sessions");
}

BOOST_AUTO_TEST_CASE(what_is_no_line_is_refused_in_one_line) {
    refuses("", "nothing at all");
    refuses("hello\n", "not one JSON object");
    refuses(line("1", R"("1")") + '\n' + line("1", R"("1")"), "not one JSON object");
    refuses("[]", "schema");
    refuses(R"({"schema":"muster-peer","schema_version":2})", "schema");
    refuses(R"({"schema":"muster-peer","schema_version":1})", "peer");
    refuses(line("-1", R"("1")"), "operations");
    refuses(line("1.5", R"("1")"), "operations");
    refuses(line("1", R"("0x1")"), "checksum");
    refuses(line("1", R"("")"), "checksum");
    refuses(line("1", "1"), "type must be string");
    BOOST_CHECK_THROW(static_cast<void>(parse_work_line(line("1", R"("1")"), "memory")), error);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
