// What the log does with the latest values of keys when a reader has fallen behind: the cases that
// random operations rarely meet.

#include "log_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <vector>

namespace {

using muster::conflation_slot;
using muster::gap;
using muster::start_position;

using fixture = muster::test::log_fixture<std::uint64_t>;
using numbers = std::vector<std::uint64_t>;
using boost::test_tools::per_element;

numbers sequences(const std::vector<fixture::received>& taken) {
    numbers all;
    for (const auto& each : taken) {
        all.push_back(each.sequence);
    }
    return all;
}

/// A log with one reader that keeps two events.
class behind : public fixture {
public:
    explicit behind(std::uint64_t retired_limit = muster::unlimited)
        : fixture{{}, retired_limit}, keys(2'000) {
        BOOST_REQUIRE(!subscribe(reader, 2));
    }
    ~behind() { unsubscribe(reader); }

    void plain(int count) {
        for (int i = 0; i < count; ++i) {
            publish(0, 1);
        }
    }
    void keyed(std::size_t key) { publish(0, 1, &keys[key]); }
    /// One piece: what is in one segment, and what was lost before it.
    numbers next(gap& missing) { return sequences(take(reader, 100, missing)); }
    numbers rest(gap& missing) { return sequences(drain(reader, missing)); }

    cursor reader;
    std::vector<conflation_slot<std::uint64_t>> keys;
};

void require_gap(const gap& real, std::uint64_t first, std::uint64_t last, std::uint64_t events) {
    BOOST_TEST(real.first_sequence == first);
    BOOST_TEST(real.last_sequence == last);
    BOOST_TEST(real.events == events);
    BOOST_TEST(real.bytes == events);
}

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(broadcast_log)

BOOST_AUTO_TEST_CASE(survivors_in_front_of_the_first_lost_event_come_before_the_gap) {
    behind f;
    f.keyed(0);
    f.keyed(1);
    f.plain(10);
    gap missing;
    BOOST_TEST(f.next(missing) == (numbers{1, 2}), per_element());
    BOOST_TEST(!missing);
    BOOST_TEST(f.next(missing) == (numbers{11, 12}), per_element());
    require_gap(missing, 3, 10, 8);
}

BOOST_AUTO_TEST_CASE(a_gap_ends_with_the_last_event_that_is_lost) {
    behind f;
    f.plain(5);
    f.keyed(0);
    f.plain(3);
    f.keyed(1);
    f.keyed(2);
    f.plain(2);
    gap missing;
    BOOST_TEST(f.next(missing) == (numbers{6, 10, 11}), per_element());
    require_gap(missing, 1, 9, 8);
    BOOST_TEST(f.rest(missing) == (numbers{12, 13}), per_element());
    BOOST_TEST(!missing);
}

BOOST_AUTO_TEST_CASE(where_everything_survives_nothing_is_missing) {
    behind f;
    for (std::size_t key = 0; key < 11; ++key) { // more than two segments
        f.keyed(key);
    }
    f.plain(2);
    gap missing;
    numbers all;
    for (numbers part = f.next(missing); !part.empty(); part = f.next(missing)) {
        BOOST_TEST(!missing);
        all.insert(all.end(), part.begin(), part.end());
    }
    BOOST_TEST(all.size() == 13u);
    BOOST_TEST(f.info(f.reader).lagged_events == 0u);
    BOOST_TEST(f.info(f.reader).gaps == 0u);
}

BOOST_AUTO_TEST_CASE(a_survivor_that_is_superseded_before_its_turn_is_lost_and_counted) {
    behind f;
    for (std::size_t key = 0; key < 6; ++key) {
        f.keyed(key);
    }
    f.plain(2);
    gap missing;
    BOOST_TEST(f.next(missing) == (numbers{1, 2, 3, 4}), per_element());
    f.keyed(4); // 5 is no longer the latest of its key
    f.plain(2);
    BOOST_TEST(f.next(missing) == (numbers{6, 9}), per_element());
    require_gap(missing, 5, 8, 3);
    BOOST_TEST(f.rest(missing) == (numbers{10, 11}), per_element());
}

BOOST_AUTO_TEST_CASE(an_event_that_is_held_comes_next_whatever_is_published) {
    behind f;
    f.plain(5);
    fixture::piece read;
    BOOST_REQUIRE((f.look(f.reader, read) == fixture::found::events));
    require_gap(read.missing, 1, 3, 3);
    fixture::waste freed;
    f.log.hold_first(f.reader, read, freed);
    BOOST_TEST(f.info(f.reader).unread_events == 2u);
    BOOST_TEST(f.info(f.reader).delivered_events == 0u);
    f.plain(20);
    gap missing;
    BOOST_TEST(f.next(missing) == numbers{4}, per_element());
    BOOST_TEST(!missing);
    BOOST_TEST(f.rest(missing) == (numbers{24, 25}), per_element());
    require_gap(missing, 5, 23, 19);
}

BOOST_AUTO_TEST_CASE(beyond_the_limit_the_longest_retired_value_gives_way_and_is_counted) {
    behind f{2};
    for (std::size_t key = 0; key < 4; ++key) {
        f.keyed(key);
        f.keys[key].retire();
    }
    f.plain(4);
    gap missing;
    BOOST_TEST(f.next(missing) == (numbers{3, 4}), per_element());
    require_gap(missing, 1, 6, 4);
    BOOST_TEST(f.rest(missing) == (numbers{7, 8}), per_element());
}

BOOST_AUTO_TEST_CASE(retired_values_that_everybody_has_passed_do_not_count_against_the_limit) {
    behind f{2};
    gap missing;
    for (std::size_t key = 0; key < 3; ++key) {
        f.keyed(key);
        f.keys[key].retire();
        BOOST_TEST(f.next(missing).size() == 1u);
    }
    f.keyed(3);
    f.keyed(4);
    f.keys[3].retire();
    f.keys[4].retire();
    f.plain(4);
    BOOST_TEST(f.next(missing) == (numbers{4, 5}), per_element());
    BOOST_TEST(!missing);
}

BOOST_AUTO_TEST_CASE(a_long_search_lets_go_of_the_lock_and_finds_all_the_same) {
    constexpr std::size_t count = 4 * decltype(fixture::log)::search_budget;
    behind f;
    f.plain(4); // so that the reader has something to lose, and a bookmark to place
    for (std::size_t key = 0; key < count; ++key) {
        f.keyed(key);
    }
    f.plain(2);
    fixture::piece read;
    fixture::waste freed;
    std::size_t interruptions = 0;
    while (f.log.look(f.reader, read, freed) == fixture::found::unfinished) {
        f.plain(1); // a publisher that was let in
        ++interruptions;
    }
    BOOST_TEST(interruptions == 4u);
    std::uint64_t last = 0;
    gap missing;
    gap first;
    std::size_t survivors = 0;
    for (numbers part = f.next(missing); !part.empty(); part = f.next(missing)) {
        first = last == 0 ? read.missing : first;
        for (const auto sequence : part) {
            BOOST_TEST(sequence > last);
            last = sequence;
            survivors += sequence > 4 && sequence <= 4 + count ? 1 : 0;
        }
    }
    BOOST_TEST(survivors == count);
    require_gap(first, 1, 4, 4);
    const auto info = f.info(f.reader);
    BOOST_TEST(info.delivered_events + info.lagged_events == f.log.head());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
