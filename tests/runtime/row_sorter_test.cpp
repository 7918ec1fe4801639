#include "../../lib/runtime/row_sorter.hpp"

#include "../support/seeded_random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace muster::test {
namespace {

session_row row(const std::string& id, std::int64_t mark) {
    session_row made{session_id{id}};
    made.age = std::chrono::nanoseconds{mark};
    return made;
}

std::vector<session_row> rows_of(const std::vector<std::string>& ids) {
    std::vector<session_row> rows;
    for (const auto& id : ids) {
        rows.push_back(row(id, static_cast<std::int64_t>(rows.size())));
    }
    return rows;
}

/// Sorts rows with these ids; each row's age says where it stood. Returns the steps that it took.
std::size_t sort_and_check(std::vector<std::string> ids) {
    auto rows = rows_of(ids);
    detail::row_sorter sorter{rows};
    std::size_t steps = 1;
    while (!sorter.step()) {
        ++steps;
    }
    BOOST_TEST_REQUIRE(rows.size() == ids.size());
    auto sorted = ids;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        BOOST_TEST_REQUIRE(rows[i].id.view() == sorted[i]);
        BOOST_TEST_REQUIRE(ids[static_cast<std::size_t>(rows[i].age.count())] == sorted[i]);
    }
    return steps;
}

std::vector<std::string> shuffled(std::size_t count, const std::string& prefix,
                                  seeded_random& random) {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < count; ++i) {
        ids.push_back(prefix + std::to_string(i));
    }
    std::shuffle(ids.begin(), ids.end(), random);
    return ids;
}

} // namespace

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(row_sorter)

BOOST_AUTO_TEST_CASE(few_rows_are_sorted) {
    sort_and_check({});
    sort_and_check({"only"});
    sort_and_check({"b", "a"});
    sort_and_check({"a", "b"});
    sort_and_check({"c", "a", "b"});
}

BOOST_AUTO_TEST_CASE(an_id_comes_before_those_that_it_begins) {
    sort_and_check({"session-10", "session-1", "session-100", "session", "s"});
    sort_and_check({"ab", "a", "abc"});
}

BOOST_AUTO_TEST_CASE(bytes_are_compared_as_unsigned) {
    sort_and_check({"\xc3\xa9t\xc3\xa9", "zebra", "\x01", "~"});
}

BOOST_AUTO_TEST_CASE(ids_that_differ_late_are_told_apart) {
    const std::string same(40, 'x');
    sort_and_check({"a" + same + "2", "b" + same + "1", "a" + same + "1", "b", "a" + same});
}

BOOST_AUTO_TEST_CASE(sizes_around_the_slices_are_sorted) {
    seeded_random random;
    for (const std::size_t count : {511U, 512U, 513U, 1023U, 1024U, 1025U, 1536U, 4096U, 5000U}) {
        sort_and_check(shuffled(count, "session-", random));
    }
}

BOOST_AUTO_TEST_CASE(random_ids_are_sorted) {
    seeded_random random;
    for (int round = 0; round < 50; ++round) {
        std::vector<std::string> ids;
        const auto count = random() % 3000;
        for (std::size_t i = 0; i < count; ++i) {
            std::string id(1 + random() % 12, 'a');
            for (char& c : id) {
                c = static_cast<char>('a' + random() % 3);
            }
            ids.push_back(std::move(id));
        }
        std::sort(ids.begin(), ids.end());
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
        std::shuffle(ids.begin(), ids.end(), random);
        sort_and_check(std::move(ids));
    }
}

BOOST_AUTO_TEST_CASE(many_rows_take_many_small_steps) {
    seeded_random random;
    const auto steps = sort_and_check(shuffled(20'000, "s", random));
    BOOST_TEST(steps > 20'000U / 128U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
