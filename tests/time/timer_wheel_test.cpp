#include <muster/time/timer_wheel.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace {

using muster::tick;
using muster::timer_entry;
using muster::timer_wheel;

struct named_entry : timer_entry {
    explicit named_entry(int number = 0) : name{number} {}
    int name;
};

using firing = std::pair<std::uint64_t, int>;
using firings = std::vector<firing>;

int name_of(const timer_entry& entry) {
    return static_cast<const named_entry&>(entry).name;
}

/// Everything that fires up to `until`: at which tick, and who.
firings advance(timer_wheel& wheel, std::uint64_t until) {
    firings fired;
    const bool complete = wheel.advance(tick{until}, [&](timer_entry& entry) {
        fired.emplace_back(wheel.now().value(), name_of(entry));
    });
    BOOST_TEST(complete);
    BOOST_TEST(wheel.now().value() == until);
    wheel.check_invariants();
    return fired;
}

void require_equal(const firings& found, const firings& expected) {
    BOOST_TEST_REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        BOOST_TEST_CONTEXT("firing " << i) {
            BOOST_TEST(found[i].first == expected[i].first);
            BOOST_TEST(found[i].second == expected[i].second);
        }
    }
}

} // namespace

// Inside a namespace of its own: the global one has a function `time`.
namespace muster::test {
BOOST_AUTO_TEST_SUITE(time)
BOOST_AUTO_TEST_SUITE(wheel)

BOOST_AUTO_TEST_CASE(a_new_wheel_is_empty_and_expects_nothing) {
    timer_wheel wheel;
    BOOST_TEST(wheel.empty());
    BOOST_TEST((wheel.next_expiry() == tick::never()));
    BOOST_TEST(advance(wheel, 1'000'000).empty());
}

BOOST_AUTO_TEST_CASE(an_entry_fires_at_exactly_its_tick_from_every_distance_and_phase) {
    const std::array<std::uint64_t, 5> starts{0, 1, 1023, 524'287, (1ULL << 40) + 12'345};
    for (const std::uint64_t start : starts) {
        for (unsigned power = 0; power < 50; ++power) {
            for (const std::int64_t nudge : {-1, 0, 1}) {
                const std::uint64_t distance = (1ULL << power) + static_cast<std::uint64_t>(nudge);
                if (distance == 0) {
                    continue;
                }
                timer_wheel wheel{tick{start}};
                named_entry entry;
                const std::uint64_t due = start + distance;
                wheel.schedule(entry, tick{due});
                BOOST_TEST(wheel.next_expiry().value() <= due);
                BOOST_TEST(wheel.next_expiry().value() > start);
                BOOST_TEST(advance(wheel, due - 1).empty());
                require_equal(advance(wheel, due), {{due, 0}});
                BOOST_TEST(!entry.scheduled());
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(every_distance_around_the_level_borders_is_exact) {
    for (const std::uint64_t border : {1024ULL, 8192ULL, 65'536ULL, 524'288ULL, 4'194'304ULL}) {
        for (std::uint64_t start = 0; start < 10; ++start) {
            for (std::uint64_t due = start + border - 10; due < start + border + 10; ++due) {
                timer_wheel wheel{tick{start}};
                named_entry entry;
                wheel.schedule(entry, tick{due});
                BOOST_TEST(wheel.next_expiry().value() == due);
                require_equal(advance(wheel, due), {{due, 0}});
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_deadline_almost_a_round_ahead_does_not_come_down_with_the_slot_of_this_one) {
    timer_wheel wheel;
    named_entry near{1};
    named_entry far{2};
    wheel.schedule(near, tick{1030}); // among the slots of 8 ticks: in that of 1024 to 1031
    BOOST_TEST(advance(wheel, 1029).empty());
    wheel.schedule(far, tick{1029 + 8191});
    wheel.check_invariants();
    require_equal(advance(wheel, 10'000), {{1030, 1}, {9220, 2}});
}

BOOST_AUTO_TEST_CASE(the_next_expiry_is_the_earliest_deadline_over_all_distances) {
    timer_wheel wheel;
    std::deque<named_entry> entries(60);
    for (unsigned power = 60; power-- > 0;) {
        wheel.schedule(entries[power], tick{(1ULL << power) + 1});
        BOOST_TEST(wheel.next_expiry().value() == (1ULL << power) + 1);
    }
    for (unsigned power = 0; power < 60; ++power) {
        BOOST_TEST(wheel.next_expiry().value() == (1ULL << power) + 1);
        BOOST_TEST(advance(wheel, (1ULL << power) + 1).size() == 1U);
    }
}

BOOST_AUTO_TEST_CASE(a_cancelled_entry_does_not_fire_and_leaves_nothing_to_expect) {
    timer_wheel wheel;
    named_entry entry;
    for (const std::uint64_t due : {1ULL, 1000ULL, 120'000ULL, 1ULL << 30}) {
        wheel.schedule(entry, wheel.now() + due);
        BOOST_TEST(entry.scheduled());
        BOOST_TEST(wheel.cancel(entry));
        BOOST_TEST(!wheel.cancel(entry));
        BOOST_TEST(wheel.empty());
        BOOST_TEST((wheel.next_expiry() == tick::never()));
        wheel.check_invariants();
    }
    BOOST_TEST(advance(wheel, 1ULL << 31).empty());
}

BOOST_AUTO_TEST_CASE(the_end_of_time_can_be_scheduled) {
    timer_wheel wheel{tick{12'345}};
    named_entry entry;
    wheel.schedule(entry, tick::never());
    BOOST_TEST(advance(wheel, ~0ULL - 1).empty());
    require_equal(advance(wheel, ~0ULL), {{~0ULL, 0}});
}

BOOST_AUTO_TEST_CASE(a_rescheduled_entry_fires_once_at_its_last_deadline) {
    timer_wheel wheel;
    named_entry entry;
    wheel.schedule(entry, tick{10});
    wheel.schedule(entry, tick{5000});
    wheel.schedule(entry, tick{7});
    BOOST_TEST(wheel.size() == 1U);
    require_equal(advance(wheel, 10'000), {{7, 0}});
}

BOOST_AUTO_TEST_CASE(a_deadline_in_the_past_counts_as_the_next_tick) {
    timer_wheel wheel{tick{100}};
    named_entry past{1};
    named_entry present{2};
    named_entry next{3};
    wheel.schedule(next, tick{101});
    wheel.schedule(past, tick{3});
    wheel.schedule(present, tick{100});
    BOOST_TEST(past.due().value() == 101U);
    require_equal(advance(wheel, 101), {{101, 3}, {101, 1}, {101, 2}});
}

BOOST_AUTO_TEST_CASE(entries_of_one_tick_fire_in_the_order_of_scheduling) {
    timer_wheel wheel;
    std::deque<named_entry> entries;
    firings expected;
    for (int i = 0; i < 100; ++i) {
        wheel.schedule(entries.emplace_back(i), tick{50});
        expected.emplace_back(50, i);
    }
    require_equal(advance(wheel, 50), expected);
}

BOOST_AUTO_TEST_CASE(cancelling_some_keeps_the_order_of_the_others) {
    timer_wheel wheel;
    std::deque<named_entry> entries;
    for (int i = 0; i < 100; ++i) {
        wheel.schedule(entries.emplace_back(i), tick{50});
    }
    firings expected;
    for (int i = 0; i < 100; ++i) {
        if (i % 7 < 4) {
            wheel.cancel(entries[static_cast<std::size_t>(i)]);
        } else {
            expected.emplace_back(50, i);
        }
    }
    require_equal(advance(wheel, 50), expected);
}

BOOST_AUTO_TEST_CASE(whoever_was_scheduled_for_a_tick_from_further_away_fires_first) {
    constexpr std::uint64_t due = 40'000'003;
    const std::array<std::uint64_t, 12> starts{0,           7'000'000,   36'500'000,   39'400'000,
                                               39'500'000,  39'999'000,  due - 66'000, due - 60'000,
                                               due - 8'000, due - 1'100, due - 100,    due - 1};
    std::vector<std::uint64_t> sorted{starts.begin(), starts.end()};
    std::sort(sorted.begin(), sorted.end());
    timer_wheel wheel;
    std::deque<named_entry> entries;
    firings expected;
    for (const std::uint64_t start : sorted) {
        BOOST_TEST(advance(wheel, start).empty());
        for (int i = 0; i < 3; ++i) {
            const int name = static_cast<int>(entries.size());
            wheel.schedule(entries.emplace_back(name), tick{due});
            expected.emplace_back(due, name);
        }
    }
    require_equal(advance(wheel, due), expected);
}

BOOST_AUTO_TEST_CASE(a_neighbour_that_empties_a_coarse_slot_early_does_not_change_the_order) {
    timer_wheel wheel;
    named_entry far{1};
    named_entry near{2};
    named_entry neighbour{3};
    wheel.schedule(far, tick{70'000});
    BOOST_TEST(advance(wheel, 65'000).empty());
    wheel.schedule(near, tick{70'000});
    wheel.schedule(neighbour, tick{69'999});
    require_equal(advance(wheel, 70'000), {{69'999, 3}, {70'000, 1}, {70'000, 2}});
}

BOOST_AUTO_TEST_CASE(a_long_jump_fires_everything_in_the_order_of_deadlines) {
    timer_wheel wheel;
    std::deque<named_entry> entries;
    firings expected;
    for (int i = 1; i < 2000; ++i) {
        expected.emplace_back(static_cast<std::uint64_t>(i) * 997, i);
    }
    for (int i = 1999; i > 0; --i) {
        wheel.schedule(entries.emplace_back(i), tick{static_cast<std::uint64_t>(i) * 997});
    }
    expected.resize(1999);
    require_equal(advance(wheel, 1ULL << 40), expected);
}

BOOST_AUTO_TEST_CASE(an_entry_may_schedule_itself_again_and_fires_within_the_same_advance) {
    timer_wheel wheel;
    named_entry entry;
    wheel.schedule(entry, tick{10});
    firings fired;
    wheel.advance(tick{100}, [&](timer_entry& due) {
        fired.emplace_back(wheel.now().value(), name_of(due));
        wheel.schedule(due, due.due() + 30);
    });
    require_equal(fired, {{10, 0}, {40, 0}, {70, 0}, {100, 0}});
    wheel.cancel(entry);
}

BOOST_AUTO_TEST_CASE(an_entry_that_schedules_itself_for_now_does_not_hold_the_tick) {
    timer_wheel wheel;
    named_entry entry;
    wheel.schedule(entry, tick{1});
    int fired = 0;
    wheel.advance(tick{5}, [&](timer_entry& due) {
        ++fired;
        wheel.schedule(due, wheel.now());
    });
    BOOST_TEST(fired == 5);
    wheel.cancel(entry);
}

BOOST_AUTO_TEST_CASE(a_callback_may_cancel_schedule_and_destroy_others_due_in_the_same_tick) {
    timer_wheel wheel;
    std::vector<std::unique_ptr<named_entry>> entries;
    for (int i = 0; i < 40; ++i) {
        entries.push_back(std::make_unique<named_entry>(i));
        wheel.schedule(*entries.back(), tick{9});
    }
    firings fired;
    wheel.advance(tick{20}, [&](timer_entry& entry) {
        fired.emplace_back(wheel.now().value(), name_of(entry));
        if (name_of(entry) == 0) {
            for (std::size_t i = 1; i < 20; ++i) {
                wheel.cancel(*entries[i]);
                entries[i].reset();
            }
            wheel.schedule(*entries[39], tick{12});
            wheel.schedule(*entries[38], tick{9});
        }
        entries[static_cast<std::size_t>(name_of(entry))].reset();
    });
    firings expected{{9, 0}};
    for (int i = 20; i < 38; ++i) {
        expected.emplace_back(9, i);
    }
    expected.emplace_back(10, 38);
    expected.emplace_back(12, 39);
    require_equal(fired, expected);
}

BOOST_AUTO_TEST_CASE(a_budget_interrupts_between_entries_and_the_next_call_goes_on) {
    timer_wheel wheel;
    std::deque<named_entry> entries;
    firings expected;
    for (int i = 0; i < 60; ++i) {
        const std::uint64_t due = i < 30 ? 100'000 : 100'001;
        wheel.schedule(entries.emplace_back(i), tick{due});
        expected.emplace_back(due, i);
    }
    firings fired;
    int calls = 0;
    bool complete = false;
    while (!complete) {
        std::size_t before = fired.size();
        complete = wheel.advance(
            tick{200'000},
            [&](timer_entry& entry) { fired.emplace_back(wheel.now().value(), name_of(entry)); },
            7);
        BOOST_TEST(fired.size() - before <= 7U);
        wheel.check_invariants();
        ++calls;
    }
    require_equal(fired, expected);
    BOOST_TEST(calls == 120 / 7 + 1); // each entry is moved once and handed out once
    BOOST_TEST(wheel.now().value() == 200'000U);
}

BOOST_AUTO_TEST_CASE(an_interrupted_tick_takes_no_newcomers_and_allows_cancelling) {
    timer_wheel wheel;
    std::deque<named_entry> entries;
    for (int i = 0; i < 10; ++i) {
        wheel.schedule(entries.emplace_back(i), tick{5});
    }
    std::size_t budget = 3;
    while (wheel.take_due(tick{8}, budget) != nullptr) {
    }
    BOOST_TEST(wheel.now().value() == 5U);
    BOOST_TEST(wheel.next_expiry().value() == 5U);
    wheel.cancel(entries[4]);
    wheel.schedule(entries[0], tick{5});
    require_equal(advance(wheel, 8), {{5, 3}, {5, 5}, {5, 6}, {5, 7}, {5, 8}, {5, 9}, {6, 0}});
}

BOOST_AUTO_TEST_CASE(time_never_runs_backwards) {
    timer_wheel wheel{tick{100}};
    named_entry entry;
    wheel.schedule(entry, tick{150});
    wheel.advance(tick{120}, [](timer_entry&) { BOOST_ERROR("too early"); });
    wheel.advance(tick{50}, [](timer_entry&) { BOOST_ERROR("too early"); });
    BOOST_TEST(wheel.now().value() == 120U);
    require_equal(advance(wheel, 150), {{150, 0}});
}

BOOST_AUTO_TEST_CASE(relocating_keeps_deadline_and_order) {
    timer_wheel wheel;
    named_entry first{1};
    named_entry second{2};
    named_entry third{3};
    named_entry stand_in{4};
    named_entry idle{5};
    for (named_entry* entry : {&first, &second, &third}) {
        wheel.schedule(*entry, tick{3});
    }
    wheel.relocate(second, stand_in);
    wheel.relocate(second, idle);
    BOOST_TEST(!second.scheduled());
    BOOST_TEST(!idle.scheduled());
    wheel.check_invariants();
    require_equal(advance(wheel, 3), {{3, 1}, {3, 4}, {3, 3}});
}

BOOST_AUTO_TEST_CASE(a_destroyed_wheel_releases_its_entries) {
    named_entry near;
    named_entry far;
    {
        timer_wheel wheel;
        wheel.schedule(near, tick{3});
        wheel.schedule(far, tick{3'000'000});
    }
    BOOST_TEST(!near.scheduled());
    BOOST_TEST(!far.scheduled());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
