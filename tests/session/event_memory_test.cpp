// Records of events: whose memory is used again, on which thread.

#include <muster/session/event.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using muster::event;
using muster::output;
using muster::detail::allocate_event;
using muster::detail::common_event_size;
using muster::detail::deallocate_event;

/// Made first on its thread, it is destroyed after everything that the memory keeps there.
struct outliving {
    std::vector<event> kept;
};
thread_local outliving last_of_the_thread;

} // namespace

BOOST_AUTO_TEST_SUITE(session)
BOOST_AUTO_TEST_SUITE(event_memory)

BOOST_AUTO_TEST_CASE(records_in_use_never_share_memory) {
    std::vector<void*> used;
    std::set<void*> distinct;
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < muster::detail::spare_events + 100; ++i) {
            void* const place = allocate_event(i % 2 == 0 ? common_event_size : 1);
            static_cast<char*>(place)[0] = 'x';
            BOOST_REQUIRE(distinct.insert(place).second);
            used.push_back(place);
        }
        for (std::size_t i = 0; i < used.size(); ++i) {
            deallocate_event(used[i], i % 2 == 0 ? common_event_size : 1);
        }
        used.clear();
        distinct.clear();
    }
}

BOOST_AUTO_TEST_CASE(an_event_may_end_on_another_thread_than_it_began_on) {
    std::vector<event> made;
    for (int i = 0; i < 5'000; ++i) {
        made.emplace_back(output{std::string(40, 'm')});
    }
    std::thread{[moved = std::move(made)]() mutable {
        moved.clear(); // more than a thread keeps
        for (int i = 0; i < 100; ++i) {
            moved.emplace_back(output{"again"});
        }
    }}.join();
    const event here{output{"here"}};
    BOOST_TEST(here.get_if<output>()->bytes == "here");
}

BOOST_AUTO_TEST_CASE(events_may_end_after_the_threads_memory) {
    std::thread{[] {
        last_of_the_thread.kept.reserve(2);
        const event first{output{"first"}};
        last_of_the_thread.kept.push_back(first);
        last_of_the_thread.kept.emplace_back(muster::checkpoint{"a big one", "", {}});
        { const event freed{output{"opens the thread's memory"}}; }
    }}.join();
    BOOST_TEST(last_of_the_thread.kept.empty()); // this thread's own
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
