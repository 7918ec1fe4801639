// The runtime's own waits, when they have expired and the runtime goes before they complete: on
// another thread, while the wheel is still busy with the wake-up.

#include "runtime_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <thread>
#include <utility>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::runtime_fixture;

/// Virtual time that can be interrupted where a wake-up arms the next one: what has expired is
/// taken by then, and not yet completed.
class interrupted_clock final : public time_source {
public:
    explicit interrupted_clock(time_source& inner) : inner_{inner} {}

    [[nodiscard]] time_point now() const noexcept override { return inner_.now(); }
    [[nodiscard]] asio::any_io_executor get_executor() const override {
        return inner_.get_executor();
    }
    [[nodiscard]] std::unique_ptr<muster::alarm> make_alarm() override {
        return std::make_unique<interrupted_alarm>(*this, inner_.make_alarm());
    }

    std::function<void()> at_next_arm;

private:
    class interrupted_alarm final : public muster::alarm {
    public:
        interrupted_alarm(interrupted_clock& clock, std::unique_ptr<muster::alarm> inner)
            : clock_{clock}, inner_{std::move(inner)} {}

        void arm(time_point at, boost::intrusive_ptr<alarm_listener> listener) override {
            inner_->arm(at, std::move(listener));
            if (const auto interrupt = std::exchange(clock_.at_next_arm, nullptr)) {
                interrupt();
            }
        }
        void disarm() noexcept override { inner_->disarm(); }
        void close() noexcept override { inner_->close(); }

    private:
        interrupted_clock& clock_;
        std::unique_ptr<muster::alarm> inner_;
    };

    time_source& inner_;
};

class late_fixture : public runtime_fixture {
public:
    explicit late_fixture(runtime_options options) {
        options.time = &interrupted;
        subject.emplace(context, backend, options);
    }
    ~late_fixture() { subject.reset(); } // before its clock

    /// Runtime and sessions end on another thread, within the wake-up in 10 ms.
    void end_within_next_wake_up() {
        bool ended = false;
        interrupted.at_next_arm = [&] {
            std::thread{[&] {
                subject.reset();
                context.poll();
                ended = true;
            }}.join();
        };
        clock.advance(10ms);
        BOOST_TEST(ended);
        BOOST_TEST(backend->alive() == 0u);
    }

    interrupted_clock interrupted{clock};
};

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(late_waits)

BOOST_AUTO_TEST_CASE(a_look_at_terminal_sessions_may_come_after_the_runtimes_end) {
    runtime_options options;
    options.terminal.max_age = 10ms;
    late_fixture f{options};
    f.spawn("a");
    f.spawn("b"); // its checkpoint is what the wake-up arms for
    f.wait(f.subject->kill("a"));
    f.end_within_next_wake_up();
}

BOOST_AUTO_TEST_CASE(a_look_at_waiting_spawns_may_come_after_the_runtimes_end) {
    runtime_options options;
    options.admission.max_spawns_per_second = 100;
    late_fixture f{options};
    f.spawn("a");
    auto waiting = f.start(f.subject->spawn(spawn_request{"b"}));
    f.settle();
    f.end_within_next_wake_up();
    BOOST_CHECK_THROW(waiting.get(), error);
}

/// The leak checker sees to the rest.
BOOST_AUTO_TEST_CASE(waits_do_not_keep_a_runtime_whose_context_runs_no_more) {
    runtime_options options;
    options.terminal.max_age = 1h;
    options.admission.max_spawns_per_second = 1;
    late_fixture f{options};
    f.spawn("a");
    auto waiting = f.start(f.subject->spawn(spawn_request{"b"}));
    f.wait(f.subject->kill("a"));
    f.subject.reset();
    BOOST_TEST(!waiting.ready());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
