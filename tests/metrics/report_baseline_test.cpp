#include <muster/error.hpp>
#include <muster/metrics/report.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace muster;

namespace {

report small_report() {
    report result;
    result.run.build_type = "release";
    result.run.sanitizers = "address";
    result.environment.cpu_model = "AMD EPYC";
    result.environment.cpus = 2;
    result.scenario = report_scenario{"stream_pressure", 5, {}};
    result.scenario->config = {{"interval_ms", 2.5}, {"backend", std::string{"script"}}};
    result.metrics.emplace_back("wall_ms", better::lower).samples = {2.5, 2.25};
    result.state = runtime_snapshot{};
    return result;
}

baseline_result compared(const report& now, const report& earlier) {
    return compare_with_baseline(now, parse_report(to_json(earlier), "x.json"), "x.json");
}

} // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_SUITE(baselines)

BOOST_AUTO_TEST_CASE(what_is_as_it_was_does_not_differ) {
    auto later = small_report();
    later.run.id = "another";
    later.run.git_commit = "0123456789abcdef0123456789abcdef01234567";
    later.environment.host = "another";
    BOOST_TEST(compared(later, small_report()).differences.empty());
}

BOOST_AUTO_TEST_CASE(another_build_or_machine_is_listed) {
    auto now = small_report();
    now.run.build_type = "debug";
    now.run.sanitizers = "";
    now.environment.cpus = 4;
    now.environment.cpu_model = "";
    now.state->metrics_enabled = false;
    const auto found = compared(now, small_report());
    BOOST_TEST(found.metrics.size() == 1U);
    std::string text;
    for (const auto& [field, current, earlier] : found.differences) {
        text += field + ' ' + current + ' ' + earlier + '\n';
    }
    BOOST_TEST(text == "run/build_type debug release\n"
                       "run/sanitizers [] [\"address\"]\n"
                       "environment/cpu_model unknown AMD EPYC\n"
                       "environment/cpus 4 2\n"
                       "totals/metrics_enabled false true\n");
}

BOOST_AUTO_TEST_CASE(the_report_of_another_config_is_no_baseline) {
    auto changed = small_report();
    changed.scenario->config.front().second = std::uint64_t{5};
    auto fewer = small_report();
    fewer.scenario->config.pop_back();
    for (const auto& other : {changed, fewer}) {
        for (const auto& [now, earlier] :
             {std::pair{other, small_report()}, std::pair{small_report(), other}}) {
            BOOST_CHECK_EXCEPTION(static_cast<void>(compared(now, earlier)), error,
                                  [](const error& problem) {
                                      const std::string message = problem.what();
                                      return problem.code() == errc::configuration &&
                                             message.starts_with("x.json is about another load: ");
                                  });
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
