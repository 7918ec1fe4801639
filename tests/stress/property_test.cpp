// Random operations against the contract: every delivery of every subscription is checked against
// the full history, which one subscriber that never lags has written down.

#include "property_reader.hpp"
#include "runtime_fixture.hpp"
#include "seeded_random.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <string>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::channel_view;
using test::checked_reader;
using test::runtime_fixture;
using test::seeded_random;

constexpr std::array names{"s0", "s1", "s2", "s3", "s4", "s5"};

class world {
public:
    explicit world(std::uint64_t seed)
        : random_{seed}, options_{some_options()}, runtime_{script{}.idle(), options_} {
        oracle_ = runtime_.subject->subscribe_all(subscribe_options{"oracle", 1'000'000});
        receipts_ = runtime_.subject->subscribe_receipts(subscribe_options{1'000'000});
    }

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

    [[nodiscard]] std::size_t events() const { return history_.size(); }
    [[nodiscard]] std::size_t refused_starts() const { return refused_starts_; }

private:
    runtime_options some_options() {
        runtime_options options;
        options.session_retention = retention{random_.below(30), random_.below(600) + 1};
        options.global_retention = retention{random_.below(100), random_.below(2'000) + 1};
        options.checkpoint = checkpoint_policy{20ms};
        options.checkpoint.send_deadline = 30ms;
        options.checkpoint.on_failure = failure_policy::retry();
        return options;
    }

    const char* any_name() { return names[random_.below(names.size())]; }
    std::uint64_t last_sequence() const { return history_.empty() ? 0 : history_.rbegin()->first; }

    /// False if the session's state refused it: part of the game.
    template <typename T>
    bool try_call(asio::awaitable<T> call) {
        auto started = runtime_.start(std::move(call));
        runtime_.settle();
        if (!started.ready()) {
            return false; // its backend hangs
        }
        try {
            started.get();
            return true;
        } catch (const error&) {
            return false;
        }
    }

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
        runtime_.backend->set_input(any_name(), modes[random_.below(modes.size())]);
        runtime_.settle();
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

    // ---- checks

    void write_down() {
        for (const auto& each : runtime_.drain(oracle_)) {
            BOOST_REQUIRE(!each.missing);
            BOOST_REQUIRE(each.sequence == last_sequence() + 1);
            history_.emplace(each.sequence,
                             test::published{each.value.session(), each.value.kind(), each.bytes});
        }
        sys::error_code ec;
        for (auto next = receipts_.try_receive(ec); !ec; next = receipts_.try_receive(ec)) {
            BOOST_REQUIRE(!next.missing);
            ++outcomes_[next.value->outcome];
        }
    }

    /// The last event that concerns a reader: ids are used again.
    std::uint64_t end_of(const checked_reader& by) const {
        return by.session() ? by.end_of_life(history_) : last_sequence();
    }

    void check_accounts() {
        for (const auto& each : readers_) {
            each.check_account(history_, end_of(each));
        }
    }

    void check_totals() {
        const auto shot = runtime_.wait(runtime_.subject->snapshot());
        write_down();
        const auto total = [&](counter which) {
            return shot.totals.get(which).value();
        };
        BOOST_TEST(total(counter::events_received_total) == history_.size());
        BOOST_TEST(total(counter::event_clone_ops_total) == 0u);
        BOOST_TEST(total(counter::checkpoint_skips_focused_total) ==
                   outcomes_[prompt_outcome::skipped_focused]);
        BOOST_TEST(total(counter::checkpoint_coalesced_total) ==
                   outcomes_[prompt_outcome::coalesced]);
        BOOST_TEST(total(counter::checkpoint_deferred_busy_total) ==
                   outcomes_[prompt_outcome::deferred_busy]);
        BOOST_TEST(total(counter::checkpoint_send_timeouts_total) ==
                   outcomes_[prompt_outcome::timed_out]);
        BOOST_TEST(total(counter::checkpoint_send_failures_total) ==
                   outcomes_[prompt_outcome::failed]);
        const auto settled = outcomes_[prompt_outcome::sent] + outcomes_[prompt_outcome::failed] +
                             outcomes_[prompt_outcome::timed_out];
        const auto attempts = total(counter::checkpoint_send_attempts_total);
        BOOST_TEST(attempts >= settled);
        BOOST_TEST(attempts <= settled + names.size()); // one in flight for each session
    }

    seeded_random random_;
    runtime_options options_;
    runtime_fixture runtime_;
    global_subscription oracle_;
    receipt_subscription receipts_;
    std::map<prompt_outcome, std::uint64_t> outcomes_;
    test::history history_;
    std::map<session_id, std::uint64_t> born_after_; ///< the last sequence before the last spawn
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
        world subject{seeds()};
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
