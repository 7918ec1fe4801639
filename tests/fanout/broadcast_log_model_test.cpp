#include "log_fixture.hpp"

#include <seeded_random.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <vector>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(broadcast_log_model)

namespace {

using muster::gap;
using muster::start_position;
using muster::unlimited;
using muster::test::counted;
using muster::test::seeded_random;

constexpr std::size_t slots = 4;
using fixture = muster::test::log_fixture<counted, slots>;

struct event {
    std::uint64_t sequence;
    std::uint64_t weight;
};

// The contract, written down naively: remembers everything for ever.
struct model {
    muster::retention keep;
    std::vector<event> events;
    std::map<std::uint64_t, std::size_t> latest; // key → index

    [[nodiscard]] std::uint64_t weight(std::size_t from, std::size_t to) const {
        std::uint64_t sum = 0;
        for (std::size_t i = from; i < to; ++i) {
            sum += events[i].weight;
        }
        return sum;
    }
    [[nodiscard]] std::size_t within(std::uint64_t count, std::uint64_t bytes) const {
        std::size_t from = events.size();
        std::uint64_t sum = 0;
        while (from > 0 && events.size() - from < count) {
            sum += events[from - 1].weight;
            if (sum > bytes) {
                break;
            }
            --from;
        }
        return from;
    }
    [[nodiscard]] std::size_t kept_from() const { return within(keep.events, keep.bytes); }
};

struct reader_model {
    std::size_t index = 0;
    std::uint64_t capacity = 1;
    std::uint64_t capacity_bytes = unlimited;
    bool disconnects = false;
    bool disconnected = false;
    std::deque<std::size_t> replay;
    std::uint64_t last_seen = 0;
    std::uint64_t delivered = 0;
    std::uint64_t lagged = 0;
    std::uint64_t lagged_bytes = 0;
    std::size_t start = 0;

    [[nodiscard]] std::size_t reach(const model& m) const {
        if (index == m.events.size()) {
            return index;
        }
        const std::size_t covered =
            std::min(m.within(capacity, capacity_bytes), m.events.size() - 1);
        return std::max(index, covered);
    }

    // What the next piece must be: its events (indices, in order) and the gap before them.
    std::vector<std::size_t> look(const model& m, gap& missing) {
        missing = {};
        if (replay.empty() && index != m.events.size() && reach(m) != index) {
            if (disconnects) {
                missing = run(m, index, m.events.size());
                lagged += missing.events;
                lagged_bytes += missing.bytes;
                disconnected = true;
                return {};
            }
            catch_up(m, missing);
        }
        if (!replay.empty()) {
            return {replay.begin(), replay.end()};
        }
        std::vector<std::size_t> rest;
        for (std::size_t i = index; i < m.events.size(); ++i) {
            rest.push_back(i);
        }
        return rest;
    }

    void hold_first() {
        if (replay.empty()) {
            replay.push_back(index++);
        }
    }

    void consume(std::size_t count) {
        for (; count > 0; --count, ++delivered) {
            if (!replay.empty()) {
                replay.pop_front();
            } else {
                ++index;
            }
        }
    }

private:
    static gap run(const model& m, std::size_t from, std::size_t to) {
        return {m.events[from].sequence, m.events[to - 1].sequence, to - from, m.weight(from, to)};
    }

    void catch_up(const model& m, gap& missing) {
        std::vector<std::size_t> latest;
        for (const auto& [key, at] : m.latest) {
            if (at >= index && at < reach(m)) {
                latest.push_back(at);
            }
        }
        std::sort(latest.begin(), latest.end());
        std::size_t stop = reach(m);
        if (!latest.empty() && latest.front() == index) { // nothing is lost before these
            std::size_t in_row = 1;
            while (in_row < std::min(latest.size(), slots) && latest[in_row] == index + in_row) {
                ++in_row;
            }
            latest.resize(in_row);
            stop = index + in_row;
        } else if (latest.size() > slots) {
            stop = latest[slots];
            latest.resize(slots);
        }
        replay.assign(latest.begin(), latest.end());
        for (std::size_t i = index; i < stop; ++i) {
            if (std::find(latest.begin(), latest.end(), i) == latest.end()) {
                missing.first_sequence = missing ? missing.first_sequence : m.events[i].sequence;
                missing.last_sequence = m.events[i].sequence;
                ++missing.events;
                missing.bytes += m.events[i].weight;
            }
        }
        lagged += missing.events;
        lagged_bytes += missing.bytes;
        index = stop;
    }
};

struct reader {
    fixture::cursor cursor;
    reader_model expected;
};

class contest {
public:
    contest(seeded_random& random, muster::retention keep) : random_{random}, real_{keep} {
        model_.keep = keep;
        keys_.resize(12);
        for (std::size_t i = 0; i < keys_.size(); ++i) {
            key_names_.push_back(next_key_++);
        }
    }
    ~contest() {
        for (auto& pinned : pins_) {
            unpin(pinned);
        }
        for (auto& one : readers_) {
            real_.unsubscribe(one.cursor);
        }
        keys_.clear();
    }

    void step() {
        const auto dice = random_.below(100);
        if (dice < 45) {
            publish();
        } else if (dice < 50) {
            retire();
        } else if (dice < 56 && readers_.size() < 6) {
            subscribe();
        } else if (dice < 59 && !readers_.empty()) {
            unsubscribe();
        } else if (dice < 62 && !pins_.empty()) {
            unpin(pins_.front());
            pins_.pop_front();
        } else if (!readers_.empty()) {
            poll(any_reader());
        }
        check();
    }

private:
    struct pinned_run {
        fixture::log_type::segment* source;
        std::uint32_t first;
        std::vector<std::uint64_t> sequences;
    };

    reader& any_reader() {
        auto it = readers_.begin();
        std::advance(it, static_cast<std::ptrdiff_t>(random_.below(readers_.size())));
        return *it;
    }

    void publish() {
        for (auto count = random_.below(random_.chance(1, 10) ? 40 : 4) + 1; count > 0; --count) {
            const auto sequence =
                real_.log.last_sequence() + 1 + (random_.chance(1, 3) ? random_.below(5) : 0);
            const auto weight = random_.below(4) == 0 ? 0 : random_.below(20);
            if (random_.chance(1, 4)) {
                const auto key = random_.below(keys_.size());
                model_.latest[key_names_[key]] = model_.events.size();
                real_.publish_at(sequence, counted{sequence}, weight, &keys_[key]);
            } else {
                real_.publish_at(sequence, counted{sequence}, weight);
            }
            model_.events.push_back({sequence, weight});
        }
    }

    void retire() {
        const auto key = random_.below(keys_.size());
        keys_[key].retire();
        key_names_[key] = next_key_++;
    }

    void subscribe() {
        auto& one = readers_.emplace_back();
        auto& expected = one.expected;
        expected.capacity = one.cursor.capacity = random_.below(random_.chance(1, 2) ? 6 : 40) + 1;
        if (random_.chance(1, 3)) {
            expected.capacity_bytes = one.cursor.capacity_bytes = random_.below(100) + 1;
        }
        if (random_.chance(1, 5)) {
            expected.disconnects = true;
            one.cursor.overflow = muster::overflow_policy::disconnect;
        }
        const auto start = choose_start();
        const auto failure = real_.log.subscribe(one.cursor, start);
        const auto index = expected_start(start);
        BOOST_REQUIRE_EQUAL(failure.code.failed(), !index.has_value());
        if (!index) {
            BOOST_REQUIRE(failure.code == muster::errc::stream_expired);
            const auto kept = model_.kept_from();
            BOOST_REQUIRE_EQUAL(failure.oldest_kept, kept == model_.events.size()
                                                         ? real_.log.last_sequence() + 1
                                                         : model_.events[kept].sequence);
            readers_.pop_back();
            return;
        }
        expected.index = expected.start = *index;
    }

    start_position choose_start() {
        switch (random_.below(3)) {
        case 0: return start_position::latest();
        case 1: return start_position::last(random_.below(30));
        default: {
            const auto last = real_.log.last_sequence() + 2;
            return start_position::from_sequence(last - std::min(last, random_.below(60)));
        }
        }
    }

    std::optional<std::size_t> expected_start(start_position start) const {
        const auto head = model_.events.size();
        const auto kept = model_.kept_from();
        if (start.which() == start_position::kind::latest) {
            return head;
        }
        if (start.which() == start_position::kind::last) {
            return std::max(kept, head - std::min<std::size_t>(head, start.value()));
        }
        std::size_t index = head;
        while (index > 0 && model_.events[index - 1].sequence >= start.value()) {
            --index;
        }
        return index < kept ? std::optional<std::size_t>{} : index;
    }

    void unsubscribe() {
        auto it = readers_.begin();
        std::advance(it, static_cast<std::ptrdiff_t>(random_.below(readers_.size())));
        real_.unsubscribe(it->cursor);
        readers_.erase(it);
    }

    void poll(reader& one) {
        if (one.expected.disconnected) {
            return;
        }
        gap lost;
        const auto expected = one.expected.look(model_, lost);
        fixture::piece piece;
        const auto result = real_.look(one.cursor, piece);
        if (one.expected.disconnected) {
            BOOST_REQUIRE(result == fixture::found::lagged);
            require_same(piece.missing, lost);
            return;
        }
        BOOST_REQUIRE(result ==
                      (expected.empty() ? fixture::found::nothing : fixture::found::events));
        if (expected.empty()) {
            return;
        }
        require_same(piece.missing, lost);
        BOOST_REQUIRE_GE(piece.count, 1U);
        BOOST_REQUIRE_LE(piece.count, expected.size());
        if (lost && random_.chance(1, 2)) {
            fixture::waste freed;
            real_.log.hold_first(one.cursor, piece, freed);
            one.expected.hold_first();
        } else {
            compare(one, piece, expected);
        }
    }

    void compare(reader& one, const fixture::piece& piece,
                 const std::vector<std::size_t>& expected) {
        const auto count = static_cast<std::uint32_t>(random_.below(piece.count) + 1);
        pinned_run run{piece.source, piece.first, {}};
        std::uint64_t bytes = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto& slot = piece.source->slots[piece.first + i];
            const auto& wanted = model_.events[expected[i]];
            BOOST_REQUIRE_EQUAL(slot.sequence, wanted.sequence);
            BOOST_REQUIRE_EQUAL(slot.value.number(), wanted.sequence);
            BOOST_REQUIRE_GT(slot.sequence, one.expected.last_seen);
            one.expected.last_seen = slot.sequence;
            bytes += wanted.weight;
            run.sequences.push_back(slot.sequence);
        }
        if (random_.chance(1, 8)) {
            real_.log.pin(*piece.source);
            pins_.push_back(run);
        }
        fixture::waste freed;
        BOOST_REQUIRE_EQUAL(real_.log.consume(one.cursor, piece, count, freed), bytes);
        one.expected.consume(count);
    }

    void unpin(const pinned_run& run) {
        for (std::size_t i = 0; i < run.sequences.size(); ++i) {
            const auto& slot = run.source->slots[run.first + i];
            BOOST_REQUIRE_EQUAL(slot.value.number(), run.sequences[i]);
        }
        fixture::waste freed;
        real_.log.unpin(*run.source, freed);
    }

    static void require_same(const gap& real, const gap& expected) {
        BOOST_REQUIRE_EQUAL(real.events, expected.events);
        BOOST_REQUIRE_EQUAL(real.bytes, expected.bytes);
        if (expected) {
            BOOST_REQUIRE_EQUAL(real.first_sequence, expected.first_sequence);
            BOOST_REQUIRE_EQUAL(real.last_sequence, expected.last_sequence);
        }
    }

    void check() {
        real_.log.check_invariants();
        std::uint64_t widest = model_.keep.events;
        for (const auto& one : readers_) {
            widest = std::max(widest, one.expected.disconnected ? 0 : one.expected.capacity);
            check(one);
        }
        // Whole segments: the one being filled, and the one that the bound cuts.
        BOOST_REQUIRE_LE(real_.log.segments_in_ring(), widest / slots + 2);
        BOOST_REQUIRE_LE(real_.log.segments_detached(), readers_.size() + pins_.size());
    }

    void check(const reader& one) {
        const auto info = real_.info(one.cursor);
        const auto& expected = one.expected;
        BOOST_REQUIRE_EQUAL(info.delivered_events, expected.delivered);
        BOOST_REQUIRE_EQUAL(info.lagged_events, expected.lagged);
        BOOST_REQUIRE_EQUAL(info.lagged_bytes, expected.lagged_bytes);
        if (expected.disconnected) {
            return;
        }
        const auto head = model_.events.size();
        BOOST_REQUIRE_EQUAL(info.delivered_events + info.lagged_events + info.unread_events,
                            head - expected.start);
        BOOST_REQUIRE_EQUAL(info.delivered_bytes + info.lagged_bytes + info.unread_bytes,
                            model_.weight(expected.start, head));
        BOOST_REQUIRE_EQUAL(info.overrun_events, expected.reach(model_) - expected.index);
        BOOST_REQUIRE_EQUAL(info.overrun_bytes,
                            model_.weight(expected.index, expected.reach(model_)));
        BOOST_REQUIRE_EQUAL(info.next_sequence, expected.index == head
                                                    ? real_.log.last_sequence() + 1
                                                    : model_.events[expected.index].sequence);
    }

    seeded_random& random_;
    fixture real_;
    model model_;
    std::vector<muster::conflation_slot<counted>> keys_;
    std::vector<std::uint64_t> key_names_;
    std::uint64_t next_key_ = 0;
    std::list<reader> readers_;
    std::deque<pinned_run> pins_;
};

} // namespace

BOOST_AUTO_TEST_CASE(random_operations_agree_with_a_log_that_remembers_everything) {
    seeded_random random;
    for (int round = 0; round < 60; ++round) {
        const muster::retention keep = [&] {
            switch (random.below(3)) {
            case 0: return muster::retention{};
            case 1: return muster::retention{random.below(30) + 1};
            default: return muster::retention{random.below(30) + 1, random.below(150) + 1};
            }
        }();
        contest game{random, keep};
        for (int i = 0; i < 400; ++i) {
            game.step();
        }
    }
    BOOST_TEST(counted::alive() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
