#include <muster/error.hpp>
#include <muster/session/envelope.hpp>
#include <muster/session/spawn_request.hpp>
#include <muster/session/status.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <string>
#include <unordered_set>

namespace {

using muster::session_id;

bool is_configuration(const muster::error& e) {
    return e.code() == muster::condition::configuration;
}

} // namespace

BOOST_AUTO_TEST_SUITE(session)
BOOST_AUTO_TEST_SUITE(values)

BOOST_AUTO_TEST_CASE(an_id_is_1_to_256_bytes_without_nul) {
    BOOST_TEST(session_id{"a"}.view() == "a");
    BOOST_TEST(session_id{std::string(256, 'x')}.view().size() == 256u);
    BOOST_CHECK_EXCEPTION(session_id{""}, muster::error, is_configuration);
    BOOST_CHECK_EXCEPTION(session_id{std::string(257, 'x')}, muster::error, is_configuration);
    BOOST_CHECK_EXCEPTION(session_id{(std::string{"a\0b", 3})}, muster::error, is_configuration);
}

BOOST_AUTO_TEST_CASE(ids_compare_by_text_whoever_made_them) {
    const session_id a{"one"}, b{"one"}, c{"two"};
    BOOST_TEST((a == b));
    BOOST_TEST((a != c));
    BOOST_TEST((a < c));
    BOOST_TEST(std::unordered_set<session_id>({a, b, c}).size() == 2u);
}

/// Ids are compared word by word: what their memory held before must not count.
BOOST_AUTO_TEST_CASE(ids_of_any_length_compare_by_their_text_alone) {
    for (std::size_t length = 1; length <= 40; ++length) {
        { const session_id former{std::string(40, '#')}; }
        const session_id one{std::string(length, 'x')};
        const std::string other_use_of_the_heap(60, '!');
        const session_id same{std::string(length, 'x')};
        const session_id longer{std::string(length + 1, 'x')};
        const session_id last_differs{std::string(length - 1, 'x') + 'y'};
        BOOST_TEST((one == same));
        BOOST_TEST((one != longer));
        BOOST_TEST((one != last_differs));
    }
}

BOOST_AUTO_TEST_CASE(an_event_knows_its_kind_and_shares_its_payload) {
    const muster::event first{muster::checkpoint{"half way", "details", {"a.cpp"}}};
    const muster::event second = first;
    BOOST_TEST((first.kind() == muster::event_kind::checkpoint));
    BOOST_TEST(first.get_if<muster::checkpoint>() == second.get_if<muster::checkpoint>());
    BOOST_TEST(first.get_if<muster::output>() == nullptr);
    BOOST_TEST(first.output_bytes() == 0u);
    BOOST_TEST(muster::event{muster::output{"four"}}.output_bytes() == 4u);
}

BOOST_AUTO_TEST_CASE(visit_sees_the_payloads_own_type) {
    const muster::event turn{muster::turn_state{true}};
    const bool active = turn.visit([](const auto& payload) {
        if constexpr (requires { payload.active; }) {
            return payload.active;
        } else {
            return false;
        }
    });
    BOOST_TEST(active);
}

BOOST_AUTO_TEST_CASE(only_a_sole_unpublished_event_can_be_published_as_it_is) {
    muster::event fresh{muster::done{"finished"}};
    BOOST_TEST(muster::envelope::is_publishable(fresh));
    {
        const auto shared = fresh;
        BOOST_TEST(!muster::envelope::is_publishable(fresh));
    }
    const muster::envelope published{std::move(fresh), "s", 7, std::chrono::nanoseconds{11}};
    const auto again = published.shared_event();
    BOOST_TEST(!muster::envelope::is_publishable(again));
    const auto copy = muster::envelope::clone(again);
    BOOST_TEST(muster::envelope::is_publishable(copy));
    BOOST_TEST(copy.get_if<muster::done>()->summary.value() == "finished");
}

BOOST_AUTO_TEST_CASE(an_envelope_says_who_when_and_in_which_order) {
    const muster::envelope published{muster::output{"x"}, "worker-1", 3,
                                     std::chrono::nanoseconds{42}};
    BOOST_TEST(published.session().view() == "worker-1");
    BOOST_TEST(published.sequence() == 3u);
    BOOST_TEST(published.received().count() == 42);
    BOOST_TEST(published.get_if<muster::output>()->bytes == "x");
    BOOST_TEST(!muster::envelope{});
}

BOOST_AUTO_TEST_CASE(terminal_statuses_and_kinds_are_the_last_three) {
    BOOST_TEST(!muster::is_terminal(muster::session_status::running));
    BOOST_TEST(muster::is_terminal(muster::session_status::done));
    BOOST_TEST(muster::is_terminal(muster::session_status::killed));
    BOOST_TEST(!muster::is_terminal(muster::event_kind::turn_state));
    BOOST_TEST(muster::is_terminal(muster::event_kind::crashed));
}

BOOST_AUTO_TEST_CASE(a_request_with_a_nul_byte_or_a_bad_variable_is_refused) {
    muster::spawn_request request{"a", {"true"}};
    BOOST_CHECK_NO_THROW(request.validate());
    request.command = {""};
    BOOST_CHECK_EXCEPTION(request.validate(), muster::error, is_configuration);
    request.command = {"true", std::string{"x\0y", 3}};
    BOOST_CHECK_EXCEPTION(request.validate(), muster::error, is_configuration);
    request.command = {"true"};
    request.environment.emplace_back("A=B", "c");
    BOOST_CHECK_EXCEPTION(request.validate(), muster::error, is_configuration);
    request.environment.clear();
    request.workdir = std::string{"/\0", 2};
    BOOST_CHECK_EXCEPTION(request.validate(), muster::error, is_configuration);
}

BOOST_AUTO_TEST_CASE(codes_answer_to_the_kinds_of_the_reference) {
    using muster::condition;
    using muster::errc;
    const auto code = [](errc value) {
        return muster::make_error_code(value);
    };
    BOOST_TEST((code(errc::session_exists) == condition::configuration));
    BOOST_TEST((code(errc::session_not_found) == condition::session_not_found));
    BOOST_TEST((code(errc::send_timed_out) == condition::process));
    BOOST_TEST((code(errc::unsupported) == condition::unsupported));
    BOOST_TEST((code(errc::internal) != condition::configuration));
    BOOST_TEST(code(errc::stream_expired).message() == "the requested start is no longer kept");
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
