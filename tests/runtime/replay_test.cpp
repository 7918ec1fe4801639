// Subscriptions that start in the past: what is kept, and what is said about what is not.

#include "listening_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace muster::test;

using numbers = std::vector<std::uint64_t>;
using boost::test_tools::per_element;

numbers sequences(const deliveries& got) {
    numbers all;
    for (const auto& each : got) {
        all.push_back(each.sequence);
    }
    return all;
}

/// What `subscribe` says is the oldest, when it refuses.
template <typename Subscribe>
std::uint64_t oldest_kept_of(Subscribe subscribe) {
    try {
        subscribe();
    } catch (const expired& e) {
        BOOST_TEST((e.code() == errc::stream_expired));
        return e.oldest_kept();
    }
    BOOST_ERROR("the start was not refused");
    return 0;
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(replay)

BOOST_AUTO_TEST_CASE(what_was_said_before_the_first_subscription_is_there) {
    runtime_fixture f{script{}.burst(3, "early\n").emit(turn_state{true}).idle()};
    f.spawn("a");
    auto one = f.wait(f.subject->subscribe("a", from(start_position::last(100))));
    auto all = f.subject->subscribe_all(from(start_position::last(100)));
    BOOST_TEST(kinds(f.drain(one)) == "output output output turn_state ");
    BOOST_TEST(kinds(f.drain(all)) == "output output output turn_state ");
}

BOOST_AUTO_TEST_CASE(latest_starts_with_the_next_event) {
    listening_fixture f;
    f.spawn("a");
    f.print("a", 3);
    auto one = f.listen("a");
    auto all = f.subject->subscribe_all();
    f.print("a", 1);
    BOOST_TEST(sequences(f.drain(one)) == numbers{4}, per_element());
    BOOST_TEST(sequences(f.drain(all)) == numbers{4}, per_element());
}

BOOST_AUTO_TEST_CASE(the_last_n_are_followed_by_the_next_without_a_hole) {
    listening_fixture f;
    f.spawn("a");
    f.print("a", 5);
    auto one = f.listen("a", from(start_position::last(2)));
    auto all = f.subject->subscribe_all(from(start_position::last(2)));
    f.print("a", 1);
    BOOST_TEST(sequences(f.drain(one)) == (numbers{4, 5, 6}), per_element());
    BOOST_TEST(sequences(f.drain(all)) == (numbers{4, 5, 6}), per_element());
}

BOOST_AUTO_TEST_CASE(a_reader_goes_on_where_it_was_cut_off) {
    listening_fixture f;
    f.spawn("a");
    f.spawn("b");
    std::uint64_t last = 0;
    {
        auto all = f.subject->subscribe_all();
        f.print("a", 3);
        last = f.drain(all).back().sequence;
    }
    f.print("b", 2);
    f.print("a", 1);
    auto again = f.subject->subscribe_all(from(start_position::from_sequence(last + 1)));
    auto of_a = f.listen("a", from(start_position::from_sequence(last + 1)));
    f.print("a", 1);
    BOOST_TEST(sequences(f.drain(again)) == (numbers{4, 5, 6, 7}), per_element());
    BOOST_TEST(sequences(f.drain(of_a)) == (numbers{6, 7}), per_element());
}

BOOST_AUTO_TEST_CASE(a_start_in_the_future_is_the_next_event) {
    listening_fixture f;
    f.spawn("a");
    f.print("a", 2);
    auto one = f.listen("a", from(start_position::from_sequence(100)));
    f.print("a", 1);
    BOOST_TEST(sequences(f.drain(one)) == numbers{3}, per_element());
}

BOOST_AUTO_TEST_CASE(a_start_that_is_no_longer_kept_is_refused_with_the_oldest_that_is) {
    listening_fixture f{keeping(4)};
    f.spawn("a");
    f.print("a", 10);
    const auto too_early = from(start_position::from_sequence(6));
    BOOST_TEST(oldest_kept_of([&] { f.listen("a", too_early); }) == 7u);
    BOOST_TEST(oldest_kept_of([&] { static_cast<void>(f.subject->subscribe_all(too_early)); }) ==
               7u);
    auto one = f.listen("a", from(start_position::from_sequence(7)));
    BOOST_TEST(sequences(f.drain(one)) == (numbers{7, 8, 9, 10}), per_element());
    auto all = f.subject->subscribe_all(from(start_position::from_sequence(7)));
    BOOST_TEST(f.drain(all).size() == 4u);
}

BOOST_AUTO_TEST_CASE(a_refused_start_names_the_session_and_the_oldest) {
    listening_fixture f{keeping(2)};
    f.spawn("a");
    f.print("a", 5);
    BOOST_TEST((f.failure_of(f.subject->subscribe("a", from(start_position::from_sequence(1)))) ==
                errc::stream_expired));
    BOOST_TEST(f.last_message.find("'a'") != std::string::npos);
    BOOST_TEST(f.last_message.find('4') != std::string::npos);
    BOOST_TEST(f.total(counter::subscribe_session_failures_total) == 1u);
}

BOOST_AUTO_TEST_CASE(what_one_session_says_does_not_push_out_what_another_said) {
    listening_fixture f{keeping(4)};
    f.spawn("quiet");
    f.spawn("loud");
    f.print("quiet", 2);
    f.print("loud", 100);
    auto one = f.listen("quiet", from(start_position::from_sequence(1)));
    BOOST_TEST(sequences(f.drain(one)) == (numbers{1, 2}), per_element());
}

BOOST_AUTO_TEST_CASE(retention_is_by_bytes_too) {
    runtime_options options;
    options.session_retention = retention{100, 7}; // outputs are two bytes each
    options.global_retention = retention{100, 5};
    listening_fixture f{options};
    f.spawn("a");
    f.print("a", 10);
    auto one = f.listen("a", from(start_position::last(100)));
    auto all = f.subject->subscribe_all(from(start_position::last(100)));
    BOOST_TEST(sequences(f.drain(one)) == (numbers{8, 9, 10}), per_element());
    BOOST_TEST(sequences(f.drain(all)) == (numbers{9, 10}), per_element());
}

BOOST_AUTO_TEST_CASE(without_retention_every_subscription_starts_with_the_next_event) {
    listening_fixture f{keeping(0)};
    f.spawn("a");
    f.print("a", 5);
    auto one = f.listen("a", from(start_position::last(5)));
    BOOST_TEST(f.drain(one).empty());
    BOOST_TEST(oldest_kept_of([&] { f.listen("a", from(start_position::from_sequence(5))); }) ==
               6u);
    f.print("a", 1);
    BOOST_TEST(f.drain(one).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_start_in_the_past_does_not_widen_the_capacity) {
    listening_fixture f;
    f.spawn("a");
    f.print("a", 10);
    auto one = f.listen("a", subscribe_options{"reader", 3, start_position::last(10)});
    const auto got = f.drain(one);
    BOOST_REQUIRE(got.size() == 4u);
    BOOST_TEST(got.front().missing.events == 7u);
    BOOST_TEST(got.back().sequence == 10u);
}

BOOST_AUTO_TEST_CASE(a_restarted_session_keeps_what_its_former_worker_said) {
    auto lives = std::make_shared<int>(0);
    runtime_fixture f{script_backend::script_source{[lives](const spawn_request&) {
        auto first = script{}.burst(2, "last words\n").fail("boom");
        return std::make_shared<const script>((*lives)++ == 0 ? first : script{}.idle());
    }}};
    spawn_options options;
    options.restart = restart_policy{restart_policy::mode::on_crash};
    f.spawn("a", options);
    f.clock.advance(std::chrono::seconds{1});
    auto one = f.wait(f.subject->subscribe("a", from(start_position::last(10))));
    BOOST_TEST(kinds(f.drain(one)) == "output output restarted ");
}

BOOST_AUTO_TEST_CASE(the_ends_of_removed_sessions_are_still_in_the_runtimes_past) {
    listening_fixture f;
    f.spawn("a");
    f.print("a", 1);
    f.wait(f.subject->kill("a"));
    f.wait(f.subject->remove("a"));
    auto all = f.subject->subscribe_all(from(start_position::last(10)));
    BOOST_TEST(kinds(f.drain(all)) == "output killed ");
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
