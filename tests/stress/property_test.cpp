// Random operations against the contract: every delivery of every subscription is checked against
// the full history, which one subscriber that never lags has written down.

#include "property_world.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <string>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::channel_view;
using test::checked_reader;
using test::runtime_fixture;
using test::seeded_random;

class player : public test::property_world {
public:
    using property_world::property_world;

    void step() {
        switch (random_.below(16)) {
        case 0: spawn(); break;
        case 1: try_call(runtime_.subject->kill(any_name())); break;
        case 2: try_call(runtime_.subject->remove(any_name())); break;
        case 3: subscribe_to_all(); break;
        case 4: subscribe_to_one(); break;
        case 5: drop_one(); break;
        case 6: try_call(runtime_.subject->focus(session_id{any_name()})); break;
        case 7: runtime_.clock.advance(std::chrono::milliseconds{random_.below(50)}); break;
        case 8: end_one(); break;
        case 9:
        case 10: read_some(); break;
        case 11: answer_one(); break;
        case 12: change_input(); break;
        default: talk(); break;
        }
        write_down();
    }

    /// Ends everything and checks every subscription to its last event.
    void finish() {
        check_accounts();
        check_totals();
        BOOST_TEST(runtime_.wait(runtime_.subject->shutdown(1s)).complete());
        write_down();
        BOOST_TEST(runtime_.backend->alive() == 0u);
        check_totals();
        runtime_.subject.reset();
        runtime_.settle();
        for (auto& each : readers_) {
            each.read(history_, 1'000'000, random_.chance(1, 2));
            each.check_end(history_, end_of(each));
        }
    }

    [[nodiscard]] std::size_t refused_starts() const { return refused_starts_; }

private:
    void spawn() {
        const session_id id{any_name()};
        spawn_options options;
        if (random_.chance(1, 3)) {
            options.restart = restart_policy{restart_policy::mode::on_crash};
            options.restart.initial_delay = 10ms;
        }
        const auto before = last_sequence();
        if (try_call(runtime_.subject->spawn(spawn_request{id}, options))) {
            born_after_.insert_or_assign(id, before);
            sends_ended_.erase(id);
        }
    }

    void talk() {
        const session_id id{any_name()};
        for (auto left = random_.below(30); left != 0; --left) {
            runtime_.backend->push(id, something());
        }
        runtime_.settle();
    }
    event something() {
        switch (random_.below(10)) {
        case 0: return event{turn_state{random_.chance(1, 2)}};
        case 1: return event{muster::checkpoint{"so far"}};
        case 2:
            return random_.chance(1, 3) ? event{needs_input{"q", "?"}} : event{blocked{"by it"}};
        default: return event{output{std::string(random_.below(40), 'x')}};
        }
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

    void answer_one() {
        try_call(
            runtime_.subject->respond_to_needs_input(any_name(), needs_input_response{"q", "yes"}));
    }

    void change_input() {
        using mode = script::input_mode;
        constexpr std::array modes{mode::accept, mode::accept, mode::refuse, mode::hang};
        const session_id id{any_name()};
        release_input(id, modes[random_.below(modes.size())]);
    }

    // ---- subscriptions

    subscribe_options some_subscription() {
        subscribe_options options{1 + random_.below(40)};
        if (random_.chance(1, 4)) {
            options.capacity_bytes = 1 + random_.below(400);
        }
        if (random_.chance(1, 6)) {
            options.overflow = overflow_policy::disconnect;
        }
        switch (random_.below(3)) {
        case 0: options.start = start_position::last(random_.below(50)); break;
        case 1: {
            const auto back = std::min(last_sequence(), random_.below(80));
            options.start = start_position::from_sequence(last_sequence() - back + 1);
            break;
        }
        default: break;
        }
        return options;
    }

    void subscribe_to_all() {
        const auto wanted = some_subscription();
        subscribe(std::nullopt, channel_view{history_, std::nullopt, 0}, options_.global_retention,
                  wanted, [&] { return runtime_.subject->subscribe_all(wanted); });
    }

    void subscribe_to_one() {
        const session_id id{any_name()};
        const auto wanted = some_subscription();
        const auto born = born_after_.find(id);
        const channel_view life{history_, id, born == born_after_.end() ? 0 : born->second};
        subscribe(id, life, options_.session_retention, wanted,
                  [&] { return runtime_.wait(runtime_.subject->subscribe(id, wanted)); });
    }

    /// A start that is kept is given, and from its first event on; another is refused.
    template <typename Subscribe>
    void subscribe(const std::optional<session_id>& session, const channel_view& channel,
                   const retention& keep, const subscribe_options& wanted, Subscribe subscribe) {
        const auto first = channel.start(wanted.start, keep);
        try {
            auto made = subscribe();
            BOOST_REQUIRE(first.has_value());
            readers_.emplace_back(std::move(made), session, *first,
                                  wanted.overflow == overflow_policy::disconnect);
        } catch (const expired& refused) {
            BOOST_TEST(!first.has_value());
            BOOST_TEST(refused.oldest_kept() == channel.oldest_kept(keep));
            ++refused_starts_;
        } catch (const error&) { // there is no such session now
            BOOST_TEST(session.has_value());
        }
    }

    void drop_one() {
        if (!readers_.empty()) {
            readers_.erase(readers_.begin() +
                           static_cast<std::ptrdiff_t>(random_.below(readers_.size())));
        }
    }

    void read_some() {
        if (!readers_.empty()) {
            auto& by = readers_[random_.below(readers_.size())];
            by.read(history_, random_.below(60), random_.chance(1, 3));
        }
    }

    void check_accounts() {
        for (const auto& each : readers_) {
            each.check_account(history_, end_of(each));
        }
    }

    std::deque<checked_reader> readers_;
    std::size_t refused_starts_ = 0;
};

BOOST_AUTO_TEST_SUITE(stress)
BOOST_AUTO_TEST_SUITE(property)

BOOST_AUTO_TEST_CASE(every_delivery_of_random_operations_keeps_the_contract) {
    seeded_random seeds;
    std::size_t events = 0;
    std::size_t refused_starts = 0;
    for (int round = 0; round < 12; ++round) {
        player subject{seeds()};
        for (int i = 0; i < 400; ++i) {
            subject.step();
        }
        subject.finish();
        events += subject.events();
        refused_starts += subject.refused_starts();
    }
    BOOST_TEST(events > 1'000u); // some rounds are quiet, not all
    BOOST_TEST(refused_starts > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
