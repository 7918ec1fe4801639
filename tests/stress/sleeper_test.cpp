// A subscriber that sleeps through a million events still learns how every session ended.

#include "heap_bytes.hpp"
#include "runtime_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

namespace {

using namespace muster;
using test::runtime_fixture;

constexpr std::size_t sessions = 1'000;
constexpr std::size_t bursts_each = 10;
constexpr std::size_t events_each_burst = 100;

script talker() {
    script steps;
    for (std::size_t i = 0; i < bursts_each; ++i) {
        steps.burst(events_each_burst, "a line of output that is not kept for ever\n").idle();
    }
    return steps.emit(done{"over"});
}

void one_burst_each(runtime_fixture& f) {
    for (std::size_t i = 0; i < sessions; ++i) {
        f.backend->resume(session_id{"s" + std::to_string(i)});
    }
    f.settle();
}

BOOST_AUTO_TEST_SUITE(stress)
BOOST_AUTO_TEST_SUITE(sleeper)

BOOST_AUTO_TEST_CASE(a_subscriber_that_sleeps_through_a_million_events_gets_every_done_once) {
    runtime_fixture f{talker()};
    auto sleeper = f.subject->subscribe_all(subscribe_options{"sleeper", 256});
    for (std::size_t i = 0; i < sessions; ++i) {
        f.wait(f.subject->spawn(spawn_request{session_id{"s" + std::to_string(i)}}));
    }
    one_burst_each(f);
    const auto early = test::heap_bytes();
    for (std::size_t i = 2; i < bursts_each; ++i) {
        one_burst_each(f);
    }
    const auto late = test::heap_bytes();
    one_burst_each(f); // and out: every session is done
    BOOST_TEST(f.total(counter::events_received_total) ==
               sessions * (bursts_each * events_each_burst + 1));

    std::set<session_id> ended;
    std::uint64_t last = 0;
    std::uint64_t lost = 0;
    std::uint64_t given = 0;
    for (const auto& each : f.drain(sleeper)) {
        BOOST_TEST(each.sequence > last);
        last = each.sequence;
        lost += each.missing.events;
        ++given;
        if (each.value.kind() == event_kind::done) {
            BOOST_TEST(ended.insert(each.value.session()).second);
        }
    }
    BOOST_TEST(ended.size() == sessions);
    BOOST_TEST(given + lost == sessions * (bursts_each * events_each_burst + 1));
    BOOST_TEST(late < early + (std::size_t{1} << 20)); // 800,000 events later
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
