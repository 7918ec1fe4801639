// Workers that are state machines: `try_run` in the place of `run`.

#include "runtime_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using namespace muster;

/// Keeps its sink, and says and ends what the test wants.
class machine final : public worker {
public:
    explicit machine(session_id id, bool runs) : id_{std::move(id)}, runs_{runs} {}

    const session_id& id() const noexcept override { return id_; }
    bool try_run(event_sink& events) override {
        events_ = runs_ ? &events : nullptr;
        return runs_;
    }
    session_awaitable<> send_input(std::string) override { co_return; }
    session_awaitable<> kill() override {
        end();
        co_return;
    }
    void abandon() noexcept override { end(); }

    void say(event value) { events_->push(std::move(value)); }
    void end(std::exception_ptr failed = nullptr) {
        if (auto* const events = std::exchange(events_, nullptr)) {
            events->end(std::move(failed));
        }
    }

private:
    session_id id_;
    bool runs_;
    event_sink* events_ = nullptr;
};

class machines final : public backend {
public:
    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor) override {
        auto made = std::make_unique<machine>(request.id, run);
        last = made.get();
        co_return made;
    }
    machine* last = nullptr;
    bool run = true;
};

struct fixture : test::runtime_fixture {
    std::shared_ptr<machines> workers = std::make_shared<machines>();

    fixture() {
        runtime_options options;
        options.time = &clock;
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
    workers->run = false;
    spawn("a");
    const auto ended = info();
    BOOST_TEST((ended.status == session_status::crashed));
    BOOST_TEST(ended.end.get_if<crashed>()->reason.find("neither run nor try_run") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
