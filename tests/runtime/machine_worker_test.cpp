// Workers that are state machines: `try_run` in the place of `run`.

#include "runtime_fixture.hpp"

#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using namespace muster;

enum class way { try_run, neither, throws };

/// Keeps its sink, and says and ends what the test wants.
class machine final : public worker {
public:
    machine(session_id id, way running, std::size_t& alive)
        : id_{std::move(id)}, way_{running}, alive_{alive} {
        ++alive_;
    }
    ~machine() override { --alive_; }

    const session_id& id() const noexcept override { return id_; }
    bool try_run(event_sink& events) override {
        if (way_ == way::throws) {
            throw std::runtime_error{"it does not run"};
        }
        events_ = way_ == way::try_run ? &events : nullptr;
        return events_ != nullptr;
    }
    session_awaitable<> send_input(std::string) override { co_return; }
    session_awaitable<> kill() override {
        BOOST_TEST(!abandoned_);
        end();
        co_return;
    }
    void abandon() noexcept override {
        abandoned_ = true;
        end();
    }

    void say(event value) { events_->push(std::move(value)); }
    void end(std::exception_ptr failed = nullptr) {
        if (auto* const events = std::exchange(events_, nullptr)) {
            events->end(std::move(failed));
        }
    }

private:
    session_id id_;
    way way_;
    std::size_t& alive_;
    bool abandoned_ = false;
    event_sink* events_ = nullptr;
};

class machines final : public backend {
public:
    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor executor) override {
        if (keeps_strand) {
            strand.emplace(std::move(executor));
        }
        auto made = std::make_unique<machine>(request.id, running, alive);
        last = made.get();
        co_return made;
    }
    machine* last = nullptr;
    bool keeps_strand = false;
    std::optional<session_executor> strand; ///< of the last one; keeps its session
    way running = way::try_run;
    std::size_t alive = 0;
};

struct fixture : test::runtime_fixture {
    std::shared_ptr<machines> workers = std::make_shared<machines>();

    fixture() {
        runtime_options options;
        options.time = &clock;
        options.checkpoint = checkpoint_policy{std::chrono::seconds{1}};
        subject.emplace(context, workers, options);
    }
    session_info info() { return wait(subject->status("a")); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_FIXTURE_TEST_SUITE(machine_worker, fixture)

BOOST_AUTO_TEST_CASE(its_events_reach_subscribers) {
    spawn("a");
    auto reader = wait(subject->subscribe("a"));
    workers->last->say(event{output{"hello"}});
    const auto all = drain(reader);
    BOOST_REQUIRE(all.size() == 1U);
    BOOST_TEST(all.front().value.get_if<output>()->bytes == "hello");
}

BOOST_AUTO_TEST_CASE(its_end_is_done_and_comes_by_post) {
    spawn("a");
    workers->last->end();
    BOOST_TEST(workers->last != nullptr); // not destroyed within its own call
    BOOST_TEST((info().status == session_status::done));
}

BOOST_AUTO_TEST_CASE(an_end_with_an_error_is_a_crash_that_says_why) {
    spawn("a");
    workers->last->end(std::make_exception_ptr(std::runtime_error{"the pipe burst"}));
    const auto ended = info();
    BOOST_TEST((ended.status == session_status::crashed));
    BOOST_TEST(ended.end.get_if<crashed>()->reason ==
               "worker output stream failed: the pipe burst");
}

BOOST_AUTO_TEST_CASE(a_kill_returns_when_it_has_ended) {
    spawn("a");
    wait(subject->kill("a"));
    BOOST_TEST((info().status == session_status::killed));
    wait(subject->remove("a"));
}

BOOST_AUTO_TEST_CASE(it_is_started_anew_like_any_other) {
    spawn_options options;
    options.restart = restart_policy{restart_policy::mode::on_crash};
    spawn("a", options);
    auto* const first = workers->last;
    first->end(std::make_exception_ptr(std::runtime_error{"x"}));
    clock.advance(std::chrono::seconds{1});
    BOOST_TEST((info().status == session_status::running));
    BOOST_TEST(info().restarts == 1U);
    workers->last->end();
    BOOST_TEST((info().status == session_status::done));
}

BOOST_AUTO_TEST_CASE(one_that_throws_instead_of_running_fails_the_spawn_and_is_gone) {
    workers->running = way::throws;
    BOOST_CHECK_THROW(spawn("a"), std::runtime_error);
    BOOST_TEST(workers->alive == 0U);
    BOOST_TEST(wait(subject->list()).empty());
    BOOST_TEST(!clock.next_alarm().has_value());
}

BOOST_AUTO_TEST_CASE(one_that_throws_when_started_anew_is_one_more_end) {
    spawn_options options;
    options.restart = restart_policy{restart_policy::mode::on_crash};
    options.restart.max_restarts = 2;
    spawn("a", options);
    workers->running = way::throws;
    workers->last->end(std::make_exception_ptr(std::runtime_error{"x"}));
    clock.advance(std::chrono::minutes{1});
    BOOST_TEST((info().status == session_status::crashed));
    BOOST_TEST(workers->alive == 0U);
    BOOST_TEST(!clock.next_alarm().has_value());
}

BOOST_AUTO_TEST_CASE(nobody_kills_one_that_has_been_abandoned) {
    workers->keeps_strand = true;
    spawn("a");
    // It says that it is done, and stays; it would be killed for that.
    asio::post(*workers->strand, [last = workers->last] { last->say(event{done{}}); });
    workers->strand.reset();
    subject.reset();
    settle();
    BOOST_TEST(workers->alive == 0U);
}

BOOST_AUTO_TEST_CASE(the_runtime_can_be_destroyed_while_it_runs) {
    spawn("a");
    subject.reset();
    settle();
}

BOOST_AUTO_TEST_CASE(the_context_can_die_with_it) {
    spawn("a");
    subject.reset(); // what it has posted will never run
}

BOOST_AUTO_TEST_CASE(a_worker_that_has_neither_way_crashes_and_says_so) {
    workers->running = way::neither;
    spawn("a");
    const auto ended = info();
    BOOST_TEST((ended.status == session_status::crashed));
    BOOST_TEST(ended.end.get_if<crashed>()->reason.find("neither run nor try_run") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
