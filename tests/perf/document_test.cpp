#include "comparison/document.hpp"

#include "fake_peers.hpp"
#include "perf/peers_sample.hpp"

#include <muster/metrics/write_file.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <string>

using namespace muster;
using namespace muster::perf;
using namespace muster::test;

namespace {

/// What the schema is checked with: a row that passed, one that failed, a peer that was skipped.
comparison_run sample_run(const row& good, const row& bad) {
    comparison_run source;
    source.run.id = "20260131T120000Z-0badcafe";
    source.run.started_at = std::chrono::sys_days{std::chrono::year{2026} / 1 / 31};
    source.run.duration = std::chrono::milliseconds{1'500};
    source.environment.cpus = 2;
    source.environment.clock_source = "tsc";
    source.pairs = 2;
    source.peers = {{peer::reference, "/build/peer-reference", ""}, {peer::tokio, "", "no cargo"}};
    fake_peers fake;
    fake.answers(peer::reference, [](std::size_t) { return run_result{fake_peers::equal(45)}; });
    source.rows.push_back(fake.compare(good, {2, false}, {peer::reference}));
    fake.answers(peer::reference,
                 [](std::size_t) { return run_result{std::string{"it crashed"}}; });
    source.rows.push_back(fake.compare(bad, {2, true}, {peer::reference}));
    for (auto& each : source.rows) {
        each.elapsed = std::chrono::microseconds{12'500};
    }
    return source;
}

} // namespace

BOOST_AUTO_TEST_SUITE(perf)

BOOST_AUTO_TEST_SUITE(documents)

BOOST_AUTO_TEST_CASE(the_document_is_the_sample_that_the_schema_is_checked_with) {
    auto good = small_row({peer::reference});
    good.figures.front().targets = {target{std::nullopt, 10}, target{peer::reference, 5}};
    auto bad = small_row({peer::reference});
    bad.name = "failing";
    bad.figures.front().targets = {target{peer::reference, 5}};
    const auto document = to_json(sample_run(good, bad));
    BOOST_TEST(document == read_file(peers_sample_file));
}

BOOST_AUTO_TEST_CASE(the_document_keeps_both_sides_samples) {
    const auto subject = small_row({peer::reference});
    const auto document = nlohmann::json::parse(to_json(sample_run(subject, subject)));
    const auto& sides = document.at("rows").at(0).at("sides");
    BOOST_TEST(sides.at(0).at("peer") == "muster");
    BOOST_TEST(sides.at(0).at("samples").size() == 2U);
    BOOST_TEST(sides.at(1).at("samples").at(1).at("figures").at("figure_ns") == 45);
    BOOST_TEST(document.at("peers").at(1).at("skipped") == "no cargo");
    BOOST_TEST(document.at("rows").at(1).at("passed") == false);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
