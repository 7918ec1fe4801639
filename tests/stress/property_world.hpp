#pragma once

#include "property_reader.hpp"
#include "runtime_fixture.hpp"
#include "seeded_random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace muster::test {

/// A runtime under random operations, and all that is known of it: the full history, as one
/// subscriber that never lags has written it down, and every receipt.
class property_world {
public:
    explicit property_world(std::uint64_t seed)
        : random_{seed}, options_{some_options()}, runtime_{[this](const spawn_request& request) {
                                                                return worker_of(request.id);
                                                            },
                                                            options_} {
        oracle_ = runtime_.subject->subscribe_all(subscribe_options{"oracle", 1'000'000});
        receipts_ = runtime_.subject->subscribe_receipts(subscribe_options{1'000'000});
    }

    [[nodiscard]] std::size_t events() const { return history_.size(); }

protected:
    static constexpr std::array names{"s0", "s1", "s2", "s3", "s4", "s5"};

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

    void write_down() {
        for (const auto& each : runtime_.drain(oracle_)) {
            BOOST_REQUIRE(!each.missing);
            BOOST_REQUIRE(each.sequence == last_sequence() + 1);
            history_.emplace(each.sequence, published{each});
        }
        sys::error_code ec;
        for (auto next = receipts_.try_receive(ec); !ec; next = receipts_.try_receive(ec)) {
            BOOST_REQUIRE(!next.missing);
            ++outcomes_[next.value->outcome];
            if (is_end_of_send(next.value->outcome)) {
                ++sends_ended_[next.value->session];
            }
        }
    }

    /// Lets inputs that hang go on. A prompt among them was sent before whatever was said since, so
    /// that it is no news about turns and questions when the worker takes it; the next one is.
    void release_input(const session_id& id, script::input_mode mode) {
        write_down();
        const auto shot = runtime_.wait(runtime_.subject->snapshot());
        const auto row = std::find_if(shot.sessions.begin(), shot.sessions.end(),
                                      [&](const session_row& each) { return each.id == id; });
        if (row != shot.sessions.end() &&
            row->counters.value_or_zero(counter::checkpoint_send_attempts_total) >
                sends_ended_[id]) {
            under_way_ = id;
        }
        runtime_.backend->set_input(id, mode);
        runtime_.settle();
        under_way_.reset();
    }

    /// The last event that concerns a reader: ids are used again.
    std::uint64_t end_of(const checked_reader& by) const {
        return by.session() ? by.end_of_life(history_) : last_sequence();
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
    history history_;
    std::map<session_id, std::uint64_t> sends_ended_; ///< since the last spawn
    std::map<session_id, std::uint64_t> born_after_;  ///< the last sequence before the last spawn

private:
    static bool is_end_of_send(prompt_outcome outcome) {
        return outcome == prompt_outcome::sent || outcome == prompt_outcome::failed ||
               outcome == prompt_outcome::timed_out;
    }

    runtime_options some_options() {
        runtime_options options;
        options.session_retention = retention{random_.below(30), random_.below(600) + 1};
        options.global_retention = retention{random_.below(100), random_.below(2'000) + 1};
        options.checkpoint = checkpoint_policy{20ms};
        options.checkpoint.send_deadline = 30ms;
        options.checkpoint.on_failure = failure_policy::retry();
        return options;
    }

    /// A worker that has every prompt checked at the moment when it takes it.
    std::shared_ptr<const script> worker_of(const session_id& id) {
        auto steps = script{}.idle();
        steps.on_input([this, id](std::string_view) {
            write_down();
            check_prompt(id);
            return std::optional<event>{};
        });
        return std::make_shared<const script>(std::move(steps));
    }

    /// Nobody is prompted in a turn, or while it waits for an answer.
    void check_prompt(const session_id& id) {
        if (under_way_ == id) {
            under_way_.reset();
            return;
        }
        const auto born = born_after_.find(id);
        const auto now = turn_of(history_, id, born == born_after_.end() ? 0 : born->second);
        BOOST_TEST(!now.active);
        BOOST_TEST((!now.asked || !runtime_.backend->responses(id).empty()));
    }

    std::optional<session_id> under_way_; ///< whose prompt hangs, while that is released
};

} // namespace muster::test
