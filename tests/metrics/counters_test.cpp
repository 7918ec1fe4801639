#include <muster/metrics/counters.hpp>
#include <muster/metrics/snapshot.hpp>

#include "seeded_random.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <limits>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

using namespace muster;

namespace {

const tick_clock& nanosecond_clock() {
    static const tick_clock clock = tick_clock::steady();
    return clock;
}

/// Adds `amount` to the per-session counter with a run-time index.
template <std::size_t... Index>
void add_at(session_counters& cells, std::size_t index, std::uint64_t amount,
            std::index_sequence<Index...>) {
    const auto add = [&]<std::size_t I>() {
        if constexpr (counter_table[I].kind != counter_kind::gauge) {
            if (I == index) {
                cells.add<static_cast<counter>(I)>(amount);
            }
        }
    };
    (add.template operator()<Index>(), ...);
}

void add_at(session_counters& cells, std::size_t index, std::uint64_t amount) {
    add_at(cells, index, amount, std::make_index_sequence<session_counter_count>{});
}

bool is_gauge(std::size_t index) {
    return counter_table[index].kind == counter_kind::gauge;
}

} // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_SUITE(counter_names)

BOOST_AUTO_TEST_CASE(every_counter_has_its_own_name_and_is_found_by_it) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < counter_count; ++i) {
        names.insert(counter_table[i].name);
        BOOST_TEST((find_counter(counter_table[i].name) == static_cast<counter>(i)));
    }
    BOOST_TEST(names.size() == counter_count);
    BOOST_TEST(!find_counter("no_such_counter"));
    BOOST_TEST(to_string(counter::event_clone_ops_total) == "event_clone_ops_total");
}

BOOST_AUTO_TEST_CASE(a_name_tells_the_unit) {
    for (const auto& row : counter_table) {
        const bool nanos = row.name.ends_with("_nanos_total");
        BOOST_TEST(nanos == (row.kind == counter_kind::nanos), row.name);
        BOOST_TEST(row.name.ends_with("_last") == (row.kind == counter_kind::gauge), row.name);
        BOOST_TEST(row.name.ends_with("bytes_total") == (row.kind == counter_kind::bytes),
                   row.name);
    }
}

BOOST_AUTO_TEST_CASE(calls_and_subscriptions_exist_in_total_only) {
    BOOST_TEST(!is_per_session(counter::spawn_requests_total));
    BOOST_TEST(!is_per_session(counter::subscribe_session_calls_total));
    BOOST_TEST(is_per_session(counter::events_received_total));
    BOOST_TEST(is_per_session(counter::checkpoint_disables_total));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(counter_values)

BOOST_AUTO_TEST_CASE(what_was_not_measured_is_not_zero) {
    total_counter_values values;
    BOOST_TEST(!values.get(counter::events_received_total));
    values.set(counter::events_received_total, 0);
    BOOST_TEST((values.get(counter::events_received_total) == 0U));
    values.reset(counter::events_received_total);
    BOOST_TEST(!values.get(counter::events_received_total));
}

BOOST_AUTO_TEST_CASE(session_values_do_not_have_the_counters_that_exist_in_total_only) {
    session_counter_values values;
    BOOST_TEST(!values.get(counter::spawn_requests_total));
    BOOST_TEST(values.value_or_zero(counter::spawn_requests_total) == 0U);
}

BOOST_AUTO_TEST_CASE(sums_take_over_only_what_was_measured) {
    session_counter_values session;
    session.set(counter::events_received_total, 3);
    total_counter_values total;
    total.set(counter::events_received_total, 4);
    total.add(session);
    BOOST_TEST((total.get(counter::events_received_total) == 7U));
    BOOST_TEST(!total.get(counter::output_bytes_total));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(session_cells)

BOOST_AUTO_TEST_CASE(a_new_session_has_measured_zero_of_everything) {
    const session_counters cells;
    const auto values = cells.read(nanosecond_clock());
    for (std::size_t i = 0; i < session_counter_count; ++i) {
        BOOST_TEST((values.get(static_cast<counter>(i)) == 0U), counter_table[i].name);
    }
}

BOOST_AUTO_TEST_CASE(each_counter_has_a_cell_of_its_own) {
    for (std::size_t i = 0; i < session_counter_count; ++i) {
        session_counters cells;
        add_at(cells, i, 5);
        const auto values = cells.read(nanosecond_clock());
        for (std::size_t k = 0; k < session_counter_count; ++k) {
            const std::uint64_t expected = k == i && !is_gauge(i) ? 5 : 0;
            BOOST_TEST((values.get(static_cast<counter>(k)) == expected), counter_table[k].name);
        }
    }
}

BOOST_AUTO_TEST_CASE(receiver_counts_are_the_last_ones_set) {
    session_counters cells;
    cells.set_receivers(3, 4);
    cells.set_receivers(1, 2);
    const auto values = cells.read(nanosecond_clock());
    BOOST_TEST((values.get(counter::session_receiver_count_last) == 1U));
    BOOST_TEST((values.get(counter::global_receiver_count_last) == 2U));
}

BOOST_AUTO_TEST_CASE(durations_are_converted_from_the_ticks_of_their_clock) {
    const tick_clock clock;
    session_counters cells;
    cells.add_elapsed<counter::event_dispatch_nanos_total>(1'000, 3'001'000);
    cells.add_elapsed<counter::event_dispatch_nanos_total>(2'000, 1'000); // went back: nothing
    BOOST_TEST(
        (cells.read(clock).get(counter::event_dispatch_nanos_total) == clock.to_nanos(3'000'000)));
}

BOOST_AUTO_TEST_CASE(shared_counters_lose_nothing_when_threads_write_at_once) {
    constexpr std::uint64_t times = 20'000;
    session_counters cells;
    const auto write = [&] {
        for (std::uint64_t i = 0; i < times; ++i) {
            cells.add_shared<counter::queue_pressure_dropped_events_total>();
        }
    };
    std::thread other{write};
    write();
    other.join();
    BOOST_TEST((cells.read(nanosecond_clock()).get(counter::queue_pressure_dropped_events_total) ==
                2 * times));
}

BOOST_AUTO_TEST_CASE(a_reader_on_another_thread_sees_counters_that_only_grow) {
    session_counters cells;
    std::atomic<bool> finished{false};
    std::uint64_t last = 0;
    std::uint64_t backward = 0;
    std::thread reader{[&] {
        while (!finished.load(std::memory_order_relaxed)) {
            const auto seen =
                cells.read(nanosecond_clock()).value_or_zero(counter::events_received_total);
            backward += seen < last ? 1 : 0;
            last = seen;
        }
    }};
    for (int i = 0; i < 100'000; ++i) {
        cells.add<counter::events_received_total>();
        if (i % 1'000 == 0) {
            cells.add<counter::checkpoint_deferred_busy_total>();
        }
    }
    finished.store(true, std::memory_order_relaxed);
    reader.join();
    BOOST_TEST(backward == 0U);
    BOOST_TEST(cells.read(nanosecond_clock()).value_or_zero(counter::events_received_total) ==
               100'000U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(totals)

BOOST_AUTO_TEST_CASE(totals_never_go_back_when_sessions_are_removed) {
    test::seeded_random random;
    std::vector<std::unique_ptr<session_counters>> living;
    total_counters retired;
    std::array<std::uint64_t, session_counter_count> expected{};
    for (int step = 0; step < 2'000; ++step) {
        if (living.empty() || random.chance(1, 10)) {
            living.push_back(std::make_unique<session_counters>());
        } else if (random.chance(1, 12)) {
            const auto victim =
                living.begin() + static_cast<std::ptrdiff_t>(random.below(living.size()));
            retired.fold((*victim)->read(nanosecond_clock()));
            living.erase(victim);
        } else {
            const auto index = random.below(session_counter_count);
            const auto amount = random.below(100);
            add_at(*living[random.below(living.size())], index, amount);
            expected[index] += is_gauge(index) ? 0 : amount;
        }
        if (step % 50 == 0) {
            auto totals = retired.read();
            for (const auto& cells : living) {
                totals.add(cells->read(nanosecond_clock()));
            }
            for (std::size_t i = 0; i < session_counter_count; ++i) {
                BOOST_REQUIRE(totals.get(static_cast<counter>(i)) == expected[i]);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(the_last_receiver_counts_leave_with_their_session) {
    session_counters cells;
    cells.set_receivers(7, 9);
    total_counters retired;
    retired.fold(cells.read(nanosecond_clock()));
    BOOST_TEST((retired.read().get(counter::session_receiver_count_last) == 0U));
}

BOOST_AUTO_TEST_CASE(total_only_counters_add_up) {
    total_counters totals;
    totals.add<counter::spawn_requests_total>();
    totals.add<counter::subscriber_lagged_events_global_total>(40);
    BOOST_TEST((totals.read().get(counter::spawn_requests_total) == 1U));
    BOOST_TEST((totals.read().get(counter::subscriber_lagged_events_global_total) == 40U));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(snapshot)

BOOST_AUTO_TEST_CASE(rates_are_by_the_sessions_own_age) {
    BOOST_TEST(rate_per_sec_x1000(30, std::chrono::seconds{2}) == 15'000U);
    BOOST_TEST(rate_per_sec_x1000(1, std::chrono::seconds{3}) == 333U);
    BOOST_TEST(rate_per_sec_x1000(5, std::chrono::seconds{0}) == 0U);
    BOOST_TEST(rate_per_sec_x1000(UINT64_MAX, std::chrono::nanoseconds{1}) == UINT64_MAX);

    session_row row{session_id{"a"}};
    BOOST_TEST(!row.events_received_rate_per_sec_x1000());
    row.counters.set(counter::events_received_total, 50);
    row.age = std::chrono::seconds{10};
    BOOST_TEST((row.events_received_rate_per_sec_x1000() == 5'000U));
}

BOOST_AUTO_TEST_CASE(adding_a_session_counts_its_status_and_its_counters) {
    runtime_snapshot all;
    for (const auto status :
         {session_status::running, session_status::running, session_status::killed}) {
        session_row row{session_id{"s"}};
        row.status = status;
        row.counters.set(counter::events_received_total, 10);
        all.add(std::move(row));
    }
    BOOST_TEST(all.session_count() == 3U);
    BOOST_TEST(all.session_count(session_status::running) == 2U);
    BOOST_TEST(all.session_count(session_status::killed) == 1U);
    BOOST_TEST((all.totals.get(counter::events_received_total) == 30U));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
