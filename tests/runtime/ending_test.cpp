// Ends that come at once, or while something else is under way: nothing is left behind.

#include "hand_backend.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <utility>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::hand_fixture;
using test::runtime_fixture;

/// Workers that are done as soon as they run.
class brief_backend final : public backend {
public:
    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor executor) override {
        co_return std::make_unique<brief_worker>(*this, request.id, executor);
    }

    bool stays = false;                ///< its stream goes on after the words
    std::size_t kills = 0;             ///< calls of `kill`
    std::size_t kills_within_push = 0; ///< of these, before `push` had returned

private:
    class brief_worker final : public worker {
    public:
        brief_worker(brief_backend& owner, session_id id, session_executor executor)
            : owner_{owner}, id_{std::move(id)}, executor_{std::move(executor)} {}

        const session_id& id() const noexcept override { return id_; }
        session_awaitable<> run(event_sink& events) override {
            pushing_ = true;
            events.push(event{done{}});
            pushing_ = false;
            while (owner_.stays && !ended_) {
                auto change = changed_.async_wait(executor_, asio::as_tuple(asio::deferred));
                co_await std::move(change);
            }
        }
        session_awaitable<> send_input(std::string) override { co_return; }
        session_awaitable<> kill() override {
            ++owner_.kills;
            owner_.kills_within_push += pushing_ ? 1 : 0;
            end();
            co_return;
        }
        void abandon() noexcept override { end(); }

    private:
        void end() noexcept {
            ended_ = true;
            changed_.wake_all();
        }

        brief_backend& owner_;
        session_id id_;
        session_executor executor_;
        detail::wake_list changed_;
        bool pushing_ = false;
        bool ended_ = false;
    };
};

class brief_fixture : public runtime_fixture {
public:
    brief_fixture() {
        runtime_options options;
        options.time = &clock;
        options.checkpoint = checkpoint_policy{1s};
        subject.emplace(context, workers, options);
    }

    /// Nobody waits for anything, and nothing will ever happen.
    void require_quiet() {
        subject.reset();
        settle();
        BOOST_TEST(!clock.next_alarm().has_value());
    }

    std::shared_ptr<brief_backend> workers = std::make_shared<brief_backend>();
};

spawn_options killed_when_silent() {
    spawn_options options;
    options.silence = silence_policy{5s, silence_policy::action::kill};
    return options;
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(ending)

BOOST_AUTO_TEST_CASE(a_worker_that_is_done_before_spawn_returns_is_never_prompted) {
    brief_fixture f;
    f.spawn("a", killed_when_silent());
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::done));
    f.clock.advance(10s);
    BOOST_TEST(f.total(counter::checkpoint_ticks_total) == 0u);
    f.wait(f.subject->remove("a"));
    f.require_quiet();
}

BOOST_AUTO_TEST_CASE(a_worker_is_not_killed_while_it_says_its_last_words) {
    brief_fixture f;
    f.workers->stays = true;
    f.spawn("a");
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::done));
    BOOST_TEST(f.workers->kills == 1u);
    BOOST_TEST(f.workers->kills_within_push == 0u);
    f.require_quiet();
}

BOOST_AUTO_TEST_CASE(nobody_watches_a_session_that_was_killed_for_its_silence) {
    runtime_fixture f;
    f.spawn("a", killed_when_silent());
    f.clock.advance(5s);
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::killed));
    BOOST_TEST(!f.clock.next_alarm().has_value());
}

BOOST_AUTO_TEST_CASE(silence_during_a_kill_is_no_failure) {
    hand_fixture f;
    auto told = f.subject->subscribe_diagnostics();
    f.workers->killing.is_open = false;
    f.spawn("a", killed_when_silent());
    auto killing = f.start(f.subject->kill("a"));
    f.clock.advance(5s);
    f.workers->open(f.workers->killing);
    f.settle();
    BOOST_CHECK_NO_THROW(killing.get());
    BOOST_TEST(
        (told.try_receive(f.last_error).value->kind == checkpoint_diagnostic::kind_type::silent));
    static_cast<void>(told.try_receive(f.last_error));
    BOOST_TEST((f.last_error == asio::error::would_block));
}

BOOST_AUTO_TEST_CASE(shutdown_counts_a_session_as_ended_that_somebody_else_is_killing) {
    hand_fixture f;
    f.workers->killing.is_open = false;
    f.spawn("a");
    auto killing = f.start(f.subject->kill("a"));
    f.settle();
    auto ending = f.start(f.subject->shutdown(1s));
    f.settle();
    f.workers->open(f.workers->killing);
    f.settle();
    const auto report = ending.get();
    BOOST_REQUIRE(report.sessions.size() == 1u);
    BOOST_TEST(report.sessions.front().ended);
    BOOST_TEST(report.sessions.front().problem == "");
    BOOST_TEST(report.complete());
}

BOOST_AUTO_TEST_CASE(subscriptions_end_with_the_runtime_also_between_two_workers) {
    runtime_fixture f;
    spawn_options restarting;
    restarting.restart = restart_policy{restart_policy::mode::always};
    f.spawn("a", restarting);
    auto listening = f.wait(f.subject->subscribe("a"));
    f.backend->push("a", event{crashed{"boom"}});
    f.settle();
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::starting));
    f.subject.reset();
    f.settle();
    f.drain(listening);
    BOOST_TEST((f.last_error == errc::stream_closed));
}

BOOST_AUTO_TEST_CASE(the_runtime_may_go_while_the_last_session_is_being_removed) {
    for (std::size_t steps = 0; steps < 12; ++steps) {
        runtime_options options;
        options.terminal.max_age = 10s;
        runtime_fixture f{script{}.idle(), options};
        f.spawn("a");
        f.wait(f.subject->kill("a"));
        f.clock.lapse(10s);
        f.context.restart();
        for (std::size_t i = 0; i < steps; ++i) {
            f.context.poll_one();
        }
        f.subject.reset();
        f.settle();
        BOOST_TEST(f.backend->alive() == 0u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
