// Records of events: their memory is used again, on any thread.

#include <muster/session/event.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>

namespace {

using muster::event;
using muster::output;
using muster::detail::allocate_record;
using muster::detail::common_record_size;
using muster::detail::deallocate_record;
using muster::detail::records_in_arena;
using muster::detail::records_in_batch;

/// Made first on its thread, it is destroyed after everything that the memory keeps there.
struct outliving {
    std::vector<event> kept;
};
thread_local outliving last_of_the_thread;

} // namespace

BOOST_AUTO_TEST_SUITE(session)
BOOST_AUTO_TEST_SUITE(record_memory)

BOOST_AUTO_TEST_CASE(records_in_use_never_share_memory) {
    constexpr std::size_t more_than_there_are = records_in_arena + 300;
    std::vector<void*> used;
    std::set<void*> distinct;
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < more_than_there_are; ++i) {
            void* const place = allocate_record(i % 2 == 0 ? common_record_size : 1);
            static_cast<char*>(place)[0] = 'x';
            BOOST_REQUIRE(distinct.insert(place).second);
            used.push_back(place);
        }
        for (std::size_t i = 0; i < used.size(); ++i) {
            deallocate_record(used[i], i % 2 == 0 ? common_record_size : 1);
        }
        used.clear();
        distinct.clear();
    }
}

/// What is beyond the arena is malloc's, and goes back to it: kept, it would lie between other
/// people's blocks for ever. (Sanitizers have a malloc of their own, which says 0 both times.)
BOOST_AUTO_TEST_CASE(what_malloc_gave_is_given_back) {
    constexpr std::size_t beyond = 5'000;
    std::vector<void*> used(records_in_arena + beyond);
    const auto before = ::mallinfo2().uordblks;
    for (void*& place : used) {
        place = allocate_record(common_record_size);
    }
    for (void* const place : used) {
        deallocate_record(place, common_record_size);
    }
    BOOST_TEST(::mallinfo2().uordblks <= before + beyond / 10 * common_record_size);
    const auto empty = ::mallinfo2().uordblks;
    for (std::size_t i = 0; i < records_in_arena / 2; ++i) { // of the arena, which has some again
        used[i] = allocate_record(common_record_size);
    }
    BOOST_TEST(::mallinfo2().uordblks <= empty + beyond / 10 * common_record_size);
    for (std::size_t i = 0; i < records_in_arena / 2; ++i) {
        deallocate_record(used[i], common_record_size);
    }
}

/// Each record that a thread holds has its mark; another one's mark would show that both hold it.
BOOST_AUTO_TEST_CASE(threads_that_hand_records_to_each_other_never_share_one) {
    constexpr int threads = 4;
    constexpr int rounds = 200;
    std::mutex mutex;
    std::vector<void*> passing; // made by some thread, to be freed by any
    std::atomic<int> shared = 0;
    const auto make_and_free = [&](char mark) {
        for (int round = 0; round < rounds; ++round) {
            std::vector<void*> made;
            for (std::size_t i = 0; i < records_in_batch + 17; ++i) {
                made.push_back(allocate_record(common_record_size));
                std::memset(made.back(), mark, common_record_size);
            }
            for (const void* const place : made) {
                const auto* const bytes = static_cast<const char*>(place);
                shared += std::count(bytes, bytes + common_record_size, mark) != common_record_size;
            }
            {
                const std::lock_guard lock{mutex};
                std::swap(passing, made);
            }
            for (void* const place : made) {
                deallocate_record(place, common_record_size);
            }
        }
    };
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) {
        all.emplace_back(make_and_free, static_cast<char>('a' + i));
    }
    for (auto& each : all) {
        each.join();
    }
    for (void* const place : passing) {
        deallocate_record(place, common_record_size);
    }
    BOOST_TEST(shared.load() == 0);
}

BOOST_AUTO_TEST_CASE(an_event_may_end_on_another_thread_than_it_began_on) {
    std::vector<event> made;
    for (std::size_t i = 0; i < records_in_arena + 600; ++i) {
        made.emplace_back(output{std::string(40, 'm')});
    }
    std::thread{[moved = std::move(made)]() mutable {
        moved.clear(); // more than the arena has
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
