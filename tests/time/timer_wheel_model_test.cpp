#include "../support/seeded_random.hpp"

#include <muster/time/timer_wheel.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace {

using muster::tick;
using muster::timer_entry;
using muster::timer_wheel;

struct numbered_entry : timer_entry {
    std::size_t number = 0;
};

/// What a wheel promises, said with an ordered map: equal keys keep the order of insertion.
class naive_wheel {
public:
    explicit naive_wheel(std::size_t entries) : where_(entries, queue_.end()) {}

    void schedule(std::size_t entry, std::uint64_t due) {
        cancel(entry);
        where_[entry] = queue_.emplace(std::max(due, now_ + 1), entry);
    }
    bool cancel(std::size_t entry) {
        if (where_[entry] == queue_.end()) {
            return false;
        }
        queue_.erase(where_[entry]);
        where_[entry] = queue_.end();
        return true;
    }
    /// The next that is due at or before `now`, or nothing; then `now` is reached.
    std::optional<std::size_t> take_due(std::uint64_t now) {
        if (queue_.empty() || queue_.begin()->first > now) {
            now_ = std::max(now_, now);
            return std::nullopt;
        }
        const auto [due, entry] = *queue_.begin();
        now_ = due;
        cancel(entry);
        return entry;
    }
    void reach(std::uint64_t now) { now_ = std::max(now_, now); }
    std::uint64_t now() const { return now_; }
    std::size_t size() const { return queue_.size(); }
    std::uint64_t next() const { return queue_.begin()->first; }

private:
    std::multimap<std::uint64_t, std::size_t> queue_;
    std::vector<std::multimap<std::uint64_t, std::size_t>::iterator> where_;
    std::uint64_t now_ = 0;
};

/// Drives both with the same random operations and compares all that can be seen.
class duel {
public:
    duel(muster::test::seeded_random& random, std::size_t entries, std::uint64_t tick_range)
        : random_{random}, range_{tick_range}, entries_(entries), model_{entries} {
        for (std::size_t i = 0; i < entries; ++i) {
            entries_[i].number = i;
        }
    }

    void run(int steps) {
        for (int step = 0; step < steps; ++step) {
            operate();
            BOOST_TEST_REQUIRE(wheel_.size() == model_.size());
            if (step % 64 == 0) {
                wheel_.check_invariants();
            }
        }
        wheel_.release_all([](timer_entry&) {});
        BOOST_TEST(wheel_.empty());
        wheel_.check_invariants();
    }

private:
    void operate() {
        const auto choice = random_.below(10);
        if (choice < 5) {
            schedule_one();
        } else if (choice < 7) {
            cancel_one();
        } else {
            advance();
        }
    }

    numbered_entry& any() { return entries_[random_.below(entries_.size())]; }

    /// Distances over all magnitudes, in few distinct values so that many share a tick.
    std::uint64_t any_due() {
        if (!landmarks_.empty() && random_.chance(1, 2)) {
            return landmarks_[random_.below(landmarks_.size())];
        }
        const auto magnitude = std::uint64_t{1} << random_.below(range_ + 1);
        const auto due = model_.now() + random_.below(magnitude + 1);
        landmarks_.push_back(due);
        if (landmarks_.size() > 8) {
            landmarks_.erase(landmarks_.begin());
        }
        return due;
    }

    void schedule_one() {
        auto& entry = any();
        const auto due = any_due();
        wheel_.schedule(entry, tick{due});
        model_.schedule(entry.number, due);
    }

    void cancel_one() {
        auto& entry = any();
        BOOST_TEST_REQUIRE(wheel_.cancel(entry) == model_.cancel(entry.number));
    }

    void advance() {
        const auto magnitude = std::uint64_t{1} << random_.below(range_ + 1);
        const auto now = model_.now() + random_.below(magnitude);
        std::size_t budget = random_.chance(1, 3) ? 1 + random_.below(5) : timer_wheel::no_limit;
        if (model_.size() != 0) {
            BOOST_TEST_REQUIRE(wheel_.next_expiry().value() <= model_.next());
        }
        while (timer_entry* entry = wheel_.take_due(tick{now}, budget)) {
            require_same(static_cast<numbered_entry&>(*entry), now);
            meddle();
        }
        if (budget != 0) {
            BOOST_TEST_REQUIRE(!model_.take_due(now).has_value());
            BOOST_TEST_REQUIRE(wheel_.now().value() == model_.now());
        }
        // An interrupted wheel may have reached the next tick and not handed out its first entry.
        model_.reach(wheel_.now().value());
    }

    void require_same(const numbered_entry& entry, std::uint64_t now) {
        const auto expected = model_.take_due(now);
        BOOST_TEST_REQUIRE(expected.has_value());
        BOOST_TEST_REQUIRE(entry.number == *expected);
        BOOST_TEST_REQUIRE(wheel_.now().value() == model_.now());
        BOOST_TEST_REQUIRE(entry.due().value() == model_.now());
    }

    /// What a callback does.
    void meddle() {
        if (random_.chance(1, 4)) {
            schedule_one();
        }
        if (random_.chance(1, 4)) {
            cancel_one();
        }
    }

    muster::test::seeded_random& random_;
    std::uint64_t range_;
    std::deque<numbered_entry> entries_;
    timer_wheel wheel_;
    naive_wheel model_;
    std::vector<std::uint64_t> landmarks_;
};

} // namespace

// Inside a namespace of its own: the global one has a function `time`.
namespace muster::test {
BOOST_AUTO_TEST_SUITE(time)
BOOST_AUTO_TEST_SUITE(wheel_against_an_ordered_map)

BOOST_AUTO_TEST_CASE(random_operations_fire_the_same_entries_in_the_same_order) {
    muster::test::seeded_random random;
    // The ranges reach from "all within the exact level" to the coarsest.
    for (const std::uint64_t range : {4U, 9U, 12U, 15U, 18U, 21U, 24U, 27U, 30U, 36U, 45U, 55U}) {
        for (const std::size_t entries : {1U, 10U, 300U}) {
            BOOST_TEST_CONTEXT("range 2^" << range << ", " << entries << " entries") {
                duel{random, entries, range}.run(3000);
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
