#include "comparison/pairs.hpp"

#include "fake_peers.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::perf;
using namespace muster::test;

namespace {

using names = std::vector<std::string>;

template <typename T>
void check_equal(const T& found, const T& expected) {
    BOOST_CHECK_EQUAL_COLLECTIONS(found.begin(), found.end(), expected.begin(), expected.end());
}

} // namespace

BOOST_AUTO_TEST_SUITE(perf)

BOOST_AUTO_TEST_SUITE(pairs)

BOOST_AUTO_TEST_CASE(who_runs_first_changes_from_pair_to_pair) {
    fake_peers fake;
    const auto subject = small_row({peer::tokio});
    const auto result = fake.compare(subject, {3, false});
    check_equal(fake.order, names{"muster", "peer-tokio",   // warm-up
                                  "muster", "peer-tokio",   //
                                  "peer-tokio", "muster",   //
                                  "muster", "peer-tokio"}); //
    BOOST_TEST(result.passed());
    BOOST_TEST(result.ours().samples.size() == 3U);
}

BOOST_AUTO_TEST_CASE(several_peers_share_a_run_of_muster_and_take_turns) {
    fake_peers fake;
    const auto subject = small_row({peer::reference, peer::tokio});
    static_cast<void>(fake.compare(subject, {2, false}));
    check_equal(fake.order, names{"muster", "peer-reference", "peer-tokio", // warm-up
                                  "muster", "peer-reference", "peer-tokio", //
                                  "peer-tokio", "peer-reference", "muster"});
}

BOOST_AUTO_TEST_CASE(the_warm_up_is_the_quick_work_and_is_thrown_away) {
    fake_peers fake;
    const auto subject = small_row({peer::tokio});
    fake.answers(std::nullopt, [](std::size_t run) {
        auto line = fake_peers::equal(run == 0 ? 1'000 : 10);
        line.checksum = run == 0 ? "1" : line.checksum;
        return run_result{line};
    });
    const auto result = fake.compare(subject, {1, false});
    check_equal(fake.commands[0], names{"dispatch", "--sessions", "3", "--events", "8"});
    check_equal(fake.commands[2], names{"dispatch", "--sessions", "30"});
    BOOST_TEST(result.passed());
    BOOST_TEST(result.ours().samples.front().cpu_ns == 10);
}

BOOST_AUTO_TEST_CASE(peers_that_are_not_there_are_left_out) {
    fake_peers fake;
    const auto subject = small_row({peer::reference, peer::tokio});
    const auto result = fake.compare(subject, {1, false}, {peer::tokio});
    BOOST_TEST(result.sides.size() == 2U);
    BOOST_TEST((result.sides[1].who == peer::tokio));
}

BOOST_AUTO_TEST_CASE(a_row_without_a_peer_is_muster_alone) {
    fake_peers fake;
    const auto subject = small_row({});
    const auto result = fake.compare(subject, {2, false});
    BOOST_TEST(fake.order.size() == 3U);
    BOOST_TEST(figures_of(result).front().ours.median == 10);
}

BOOST_AUTO_TEST_CASE(a_row_bounds_its_pairs) {
    fake_peers fake;
    auto subject = small_row({peer::tokio});
    subject.at_most(2);
    BOOST_TEST(fake.compare(subject, {5, false}).pairs == 2U);
    BOOST_TEST(fake.compare(subject, {1, false}).pairs == 1U);
}

BOOST_AUTO_TEST_CASE(ratios_are_made_pair_by_pair) {
    fake_peers fake;
    const auto subject = small_row({peer::tokio});
    fake.answers(std::nullopt,
                 [](std::size_t run) { return run_result{fake_peers::equal(run == 1 ? 10 : 20)}; });
    fake.answers(peer::tokio,
                 [](std::size_t run) { return run_result{fake_peers::equal(run == 1 ? 40 : 20)}; });
    const auto result = fake.compare(subject, {3, false});
    const auto figures = figures_of(result);
    BOOST_REQUIRE(figures.size() == 1U);
    BOOST_TEST(figures[0].ours.median == 20);
    const auto& against = figures[0].peers.at(0);
    check_equal(against.ratios, std::vector<double>{4, 1, 1});
    BOOST_TEST(against.ratio.median == 1);
    BOOST_TEST(against.ratio.max == 4);
    BOOST_TEST(against.theirs.median == 20);
}

BOOST_AUTO_TEST_CASE(above_one_is_ahead_also_where_higher_is_better) {
    fake_peers fake;
    auto subject = small_row({peer::tokio});
    subject.figures.front().direction = better::higher;
    fake.answers(std::nullopt, [](std::size_t) { return run_result{fake_peers::equal(50)}; });
    const auto result = fake.compare(subject, {1, false});
    BOOST_TEST(figures_of(result).front().peers.at(0).ratio.median == 5);
}

BOOST_AUTO_TEST_CASE(a_ratio_to_nothing_is_undefined) {
    fake_peers fake;
    const auto subject = small_row({peer::tokio});
    fake.answers(std::nullopt, [](std::size_t) { return run_result{fake_peers::equal(0)}; });
    const auto result = fake.compare(subject, {1, false});
    const auto figures = figures_of(result);
    BOOST_TEST(std::isnan(figures[0].peers.at(0).ratios.at(0)));
    BOOST_TEST(figures[0].peers.at(0).ratio.n == 0U);
}

BOOST_AUTO_TEST_CASE(a_peer_without_the_figure_has_no_ratio) {
    fake_peers fake;
    const auto subject = small_row({peer::tokio});
    fake.answers(peer::tokio, [](std::size_t) {
        auto line = fake_peers::equal(10);
        line.figures.front().second = std::nan("");
        return run_result{line};
    });
    const auto result = fake.compare(subject, {1, false});
    BOOST_TEST(result.passed());
    BOOST_TEST(figures_of(result).front().peers.empty());
}

BOOST_AUTO_TEST_CASE(unequal_work_fails_that_peer_and_leaves_the_others) {
    fake_peers fake;
    const auto subject = small_row({peer::reference, peer::tokio});
    fake.answers(peer::tokio, [](std::size_t) {
        auto line = fake_peers::equal(10);
        line.checksum = "4951";
        return run_result{line};
    });
    const auto result = fake.compare(subject, {3, false});
    BOOST_TEST(!result.passed());
    BOOST_TEST(result.sides[1].samples.size() == 3U);
    BOOST_TEST(result.sides[2].samples.size() == 1U);
    BOOST_TEST(result.sides[2].failure ==
               "unequal work: 100 operations with checksum 4951, but muster did 100 operations "
               "with checksum 4950");
    BOOST_TEST(figures_of(result).front().peers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(muster_must_do_the_same_work_every_time) {
    fake_peers fake;
    const auto subject = small_row({peer::tokio});
    fake.answers(std::nullopt, [](std::size_t run) {
        auto line = fake_peers::equal(10);
        line.operations += run;
        return run_result{line};
    });
    const auto result = fake.compare(subject, {3, false});
    BOOST_TEST(!result.ours().failure.empty());
    BOOST_TEST(figures_of(result).empty());
}

BOOST_AUTO_TEST_CASE(a_row_is_over_when_muster_fails) {
    fake_peers fake;
    const auto subject = small_row({peer::tokio});
    fake.answers(std::nullopt, [](std::size_t run) {
        return run == 1 ? run_result{std::string{"it crashed"}} : run_result{fake_peers::equal(10)};
    });
    const auto result = fake.compare(subject, {3, false});
    BOOST_TEST(result.ours().failure == "it crashed");
    check_equal(fake.order, names{"muster", "peer-tokio", "muster"});
    BOOST_TEST(figures_of(result).empty());
}

BOOST_AUTO_TEST_CASE(a_peer_that_fails_to_warm_up_does_not_run) {
    fake_peers fake;
    const auto subject = small_row({peer::tokio});
    fake.answers(peer::tokio, [](std::size_t) { return run_result{std::string{"exit code 1"}}; });
    const auto result = fake.compare(subject, {2, false});
    check_equal(fake.order, names{"muster", "peer-tokio", "muster", "muster"});
    BOOST_TEST(result.sides[1].failure == "exit code 1");
    BOOST_TEST(!result.passed());
}

BOOST_AUTO_TEST_CASE(targets_are_judged_by_medians_and_by_ratios) {
    fake_peers fake;
    auto subject = small_row({peer::tokio});
    subject.figures.front().targets = {target{std::nullopt, 10}, target{std::nullopt, 9},
                                       target{peer::tokio, 3}, target{peer::tokio, 3.5},
                                       target{peer::reference, 1}};
    fake.answers(peer::tokio, [](std::size_t) { return run_result{fake_peers::equal(30)}; });
    const auto result = fake.compare(subject, {1, false});
    const auto figures = figures_of(result);
    std::vector<std::optional<bool>> reached;
    for (const auto& each : figures.front().targets) {
        reached.push_back(each.reached);
    }
    BOOST_TEST(
        (reached == std::vector<std::optional<bool>>{true, false, true, false, std::nullopt}));
}

BOOST_AUTO_TEST_CASE(targets_of_shrunk_work_are_not_judged) {
    fake_peers fake;
    auto subject = small_row({peer::tokio});
    subject.figures.front().targets = {target{std::nullopt, 10}};
    const auto result = fake.compare(subject, {1, true});
    BOOST_TEST(result.shrunk);
    BOOST_TEST(!figures_of(result).front().targets.front().reached.has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
