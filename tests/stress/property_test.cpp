// Random operations against the contract: every delivery of every subscription is checked against
// the full history, which one subscriber that never lags has written down.

#include "runtime_fixture.hpp"
#include "seeded_random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <variant>

namespace {

using namespace muster;
using test::runtime_fixture;
using test::seeded_random;

struct published {
    session_id session;
    event_kind kind;
    std::uint64_t bytes;
};
using history = std::map<std::uint64_t, published>;

/// One subscription under test and what it was given.
struct reader {
    std::variant<global_subscription, session_subscription> subscription;
    std::optional<session_id> session; ///< nothing: listens to all
    std::uint64_t after = 0;           ///< listens to what is published after this sequence
    std::uint64_t read = 0;            ///< the last sequence that it was given
    std::uint64_t lost_events = 0;
    std::uint64_t lost_bytes = 0;
    std::set<std::uint64_t> given;
    bool closed = false;
};

constexpr std::array names{"s0", "s1", "s2", "s3", "s4", "s5"};

class world {
public:
    explicit world(std::uint64_t seed) : random_{seed} {
        oracle_ = runtime_.subject->subscribe_all(subscribe_options{"oracle", 1'000'000});
    }

    void step() {
        switch (random_.below(12)) {
        case 0: try_call(runtime_.subject->spawn(spawn_request{any_name()})); break;
        case 1: try_call(runtime_.subject->kill(any_name())); break;
        case 2: try_call(runtime_.subject->remove(any_name())); break;
        case 3: subscribe_to_all(); break;
        case 4: subscribe_to_one(); break;
        case 5: drop_one(); break;
        case 6: try_call(runtime_.subject->focus(session_id{any_name()})); break;
        case 7: runtime_.clock.advance(std::chrono::milliseconds{random_.below(50)}); break;
        case 8: end_one(); break;
        case 9: read_some(); break;
        default: talk(); break;
        }
        write_down();
    }

    /// Ends everything and checks every subscription to its last event.
    void finish() {
        runtime_.wait(runtime_.subject->shutdown(std::chrono::seconds{1}));
        write_down();
        for (auto& each : readers_) {
            read(each, 1'000'000);
            check_end(each);
        }
        const auto totals = runtime_.wait(runtime_.subject->snapshot()).totals;
        BOOST_TEST(totals.get(counter::events_received_total).value() == history_.size());
        BOOST_TEST(totals.get(counter::event_clone_ops_total).value_or(0) == 0u);
    }

    [[nodiscard]] std::size_t events() const { return history_.size(); }

private:
    const char* any_name() { return names[random_.below(names.size())]; }

    template <typename T>
    void try_call(asio::awaitable<T> call) {
        auto started = runtime_.start(std::move(call));
        runtime_.settle();
        try {
            started.get();
        } catch (const error&) { // refused by the session's state: part of the game
        }
    }

    void talk() {
        const session_id id{any_name()};
        for (auto left = random_.below(30); left != 0; --left) {
            if (random_.chance(5, 6)) {
                runtime_.backend->push(id, output{std::string(random_.below(40), 'x')});
            } else if (random_.chance(1, 2)) {
                runtime_.backend->push(id, turn_state{random_.chance(1, 2)});
            } else {
                runtime_.backend->push(id, checkpoint{"at " + std::to_string(left)});
            }
        }
        runtime_.settle();
    }

    void end_one() {
        const session_id id{any_name()};
        if (random_.chance(1, 2)) {
            runtime_.backend->push(id, crashed{"at random"});
        } else {
            runtime_.backend->resume(id);
        }
        runtime_.settle();
    }

    subscribe_options some_options() {
        subscribe_options options{1 + random_.below(40)};
        if (random_.chance(1, 4)) {
            options.capacity_bytes = 1 + random_.below(400);
        }
        return options;
    }

    void subscribe_to_all() {
        write_down();
        reader made;
        made.after = history_.empty() ? 0 : history_.rbegin()->first;
        made.subscription = runtime_.subject->subscribe_all(some_options());
        keep(std::move(made));
    }

    void subscribe_to_one() {
        write_down();
        const session_id id{any_name()};
        auto started = runtime_.start(runtime_.subject->subscribe(id, some_options()));
        runtime_.settle();
        try {
            reader made;
            made.subscription = started.get();
            made.session = id;
            made.after = history_.empty() ? 0 : history_.rbegin()->first;
            keep(std::move(made));
        } catch (const error&) {
        }
    }

    void keep(reader made) {
        made.read = made.after;
        readers_.push_back(std::move(made));
    }

    void drop_one() {
        if (!readers_.empty()) {
            readers_.erase(readers_.begin() +
                           static_cast<std::ptrdiff_t>(random_.below(readers_.size())));
        }
    }

    void read_some() {
        if (!readers_.empty()) {
            read(readers_[random_.below(readers_.size())], random_.below(60));
        }
    }

    void write_down() {
        for (const auto& each : runtime_.drain(oracle_)) {
            BOOST_REQUIRE(!each.missing);
            BOOST_REQUIRE((history_.empty() || each.sequence > history_.rbegin()->first));
            history_.emplace(each.sequence,
                             published{each.value.session(), each.value.kind(), each.bytes});
        }
    }

    void read(reader& by, std::uint64_t most) {
        write_down();
        std::visit(
            [&](auto& subscription) {
                sys::error_code ec;
                for (; most != 0 && !by.closed; --most) {
                    const auto got = subscription.try_receive(ec);
                    if (ec == asio::error::would_block) {
                        return;
                    }
                    by.closed = ec == errc::stream_closed;
                    if (!by.closed) {
                        BOOST_REQUIRE(!ec);
                        check_delivery(by, got);
                    }
                }
            },
            by.subscription);
    }

    void check_delivery(reader& by, const event_delivery& got) {
        by.lost_events += got.missing.events;
        by.lost_bytes += got.missing.bytes;
        if (by.session && got.missing) { // the marker stands for the gap and is nobody's event
            const auto* text = got.value.get_if<output>();
            BOOST_REQUIRE(text != nullptr);
            BOOST_TEST(text->bytes == "[muster] output truncated: dropped " +
                                          std::to_string(got.missing.events) +
                                          " events due to stream pressure\n");
            return;
        }
        const auto known = history_.find(got.sequence);
        BOOST_REQUIRE((known != history_.end()));
        BOOST_TEST(got.sequence > by.read);
        BOOST_TEST((known->second.kind == got.value.kind()));
        BOOST_TEST((known->second.session == got.value.session()));
        BOOST_TEST((!by.session || *by.session == got.value.session()));
        by.read = got.sequence;
        by.given.insert(got.sequence);
    }

    /// After its end: what it was not given is exactly what its gaps said, and no status event is
    /// missing that was not replaced by a later one of its kind.
    void check_end(const reader& by) const {
        std::uint64_t missing_events = 0;
        std::uint64_t missing_bytes = 0;
        const auto end_of_session = by.session ? last_of(by) : history_.rbegin()->first;
        for (auto each = history_.upper_bound(by.after);
             each != history_.end() && each->first <= end_of_session; ++each) {
            if ((by.session && !(each->second.session == *by.session)) ||
                by.given.count(each->first) != 0) {
                continue;
            }
            ++missing_events;
            missing_bytes += each->second.bytes;
            BOOST_TEST((each->second.kind == event_kind::output || replaced(each, end_of_session)),
                       "status event " << each->first << " of kind " << to_string(each->second.kind)
                                       << " was lost");
        }
        BOOST_TEST(by.lost_events == missing_events);
        BOOST_TEST(by.lost_bytes == missing_bytes);
    }

    /// The session's terminal event after the subscription began: ids are used again.
    std::uint64_t last_of(const reader& by) const {
        for (auto each = history_.upper_bound(by.after); each != history_.end(); ++each) {
            if (each->second.session == *by.session && is_terminal(each->second.kind)) {
                return each->first;
            }
        }
        return history_.rbegin()->first;
    }

    bool replaced(history::const_iterator lost, std::uint64_t until) const {
        return std::any_of(std::next(lost), history_.upper_bound(until), [&](const auto& later) {
            return later.second.session == lost->second.session &&
                   later.second.kind == lost->second.kind;
        });
    }

    seeded_random random_;
    runtime_fixture runtime_{script{}.idle()};
    global_subscription oracle_;
    history history_;
    std::deque<reader> readers_;
};

BOOST_AUTO_TEST_SUITE(stress)
BOOST_AUTO_TEST_SUITE(property)

BOOST_AUTO_TEST_CASE(every_delivery_of_random_operations_keeps_the_contract) {
    seeded_random seeds;
    std::size_t events = 0;
    for (int round = 0; round < 12; ++round) {
        world subject{seeds()};
        for (int i = 0; i < 400; ++i) {
            subject.step();
        }
        subject.finish();
        events += subject.events();
    }
    BOOST_TEST(events > 1'000u); // some rounds are quiet, not all
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
