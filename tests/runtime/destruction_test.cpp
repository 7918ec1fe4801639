// Each call of the facade, cut off after every handler: the runtime goes, and then either its
// context as well, or the context runs on and everybody who waits must hear of it.

#include "destroy_after.hpp"
#include "runtime_fixture.hpp"

#include <boost/asio/detached.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace muster;
using namespace std::chrono_literals;

using maybe_runtime = std::optional<muster::runtime>;

/// The call under test; what it throws is its own affair.
using call = std::function<asio::awaitable<void>(maybe_runtime&)>;

/// The runtime, if it still exists: no call may be begun without it.
muster::runtime& at(maybe_runtime& subject) {
    if (!subject) {
        throw error{errc::shutting_down, "the runtime has gone"};
    }
    return *subject;
}

/// A runtime with the sessions "a", "asks" and "over", and one call that is under way.
class one_call {
public:
    one_call(asio::io_context& context, call under_test)
        : clock_{context}, under_test_{std::move(under_test)} {
        runtime_options options;
        options.time = &clock_;
        options.checkpoint = checkpoint_policy{1s};
        options.terminal.max_age = 1h; // so that the runtime waits, too
        subject_.emplace(context, backend_, options);
        asio::co_spawn(context, run(), asio::detached);
    }

    void end_runtime() { subject_.reset(); }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] std::size_t workers() const { return backend_->alive(); }

private:
    static script of(std::string_view id) {
        if (id == "asks") {
            return script{}.emit(needs_input{"q", "?"}).input(script::input_mode::hang).idle();
        }
        return id == "over" ? script{}.burst(5, "x") : script{}.burst(5, "x").idle();
    }

    asio::awaitable<void> run() {
        try {
            for (const auto* id : {"a", "asks", "over"}) {
                spawn_request request{id};
                co_await at(subject_).spawn(std::move(request));
            }
            auto work = under_test_(subject_);
            co_await std::move(work);
        } catch (const sys::system_error&) {
        }
        ended_ = true;
    }

    bool ended_ = false;
    test::virtual_clock clock_;
    std::shared_ptr<script_backend> backend_ =
        std::make_shared<script_backend>([](const spawn_request& request) {
            return std::make_shared<const script>(of(request.id.view()));
        });
    call under_test_;
    maybe_runtime subject_;
};

/// The runtime goes after 0, 1, 2, … handlers, the rest of them run.
void end_runtime_everywhere(const call& under_test, std::size_t handlers) {
    for (std::size_t count = 0; count <= handlers; ++count) {
        test::manual_loop loop;
        one_call scenario{loop.context(), under_test};
        loop.run(count);
        scenario.end_runtime();
        loop.run_until_idle();
        BOOST_TEST(scenario.ended(), "the call still waits after handler " << count);
        BOOST_TEST(scenario.workers() == 0u);
    }
}

void cut_off_everywhere(const call& under_test) {
    const auto handlers = test::destroy_after_every_nth_handler([&](test::manual_loop& loop) {
        return std::make_unique<one_call>(loop.context(), under_test);
    });
    BOOST_TEST(handlers > 3u);
    end_runtime_everywhere(under_test, handlers);
    const test::single_steps all_of_them;
    end_runtime_everywhere(under_test, handlers);
}

asio::awaitable<void> spawn_with_prelude(maybe_runtime& subject) {
    spawn_request request{"new"};
    request.instruction_prelude = "hello\n";
    co_await at(subject).spawn(std::move(request));
}
asio::awaitable<void> spawn_and_hang(maybe_runtime& subject) {
    co_await at(subject).remove("over");
    co_await at(subject).kill("asks");
    co_await at(subject).remove("asks");
    spawn_request request{"asks"};
    request.instruction_prelude = "nobody takes this\n";
    co_await at(subject).spawn(std::move(request));
}
asio::awaitable<void> answer(maybe_runtime& subject) {
    needs_input_response response{"q", "yes"};
    co_await at(subject).respond_to_needs_input("asks", std::move(response));
}
asio::awaitable<void> prompt(maybe_runtime& subject, const char* id) {
    static_cast<void>(co_await at(subject).prompt_checkpoint(id, "now"));
}
asio::awaitable<void> focus(maybe_runtime& subject) {
    co_await at(subject).focus(session_id{"a"});
    co_await at(subject).set_visibility("asks", visibility::focused);
    co_await at(subject).focus(std::nullopt);
}
asio::awaitable<void> look(maybe_runtime& subject) {
    static_cast<void>(co_await at(subject).status("a"));
    static_cast<void>(co_await at(subject).list());
    static_cast<void>(co_await at(subject).snapshot());
}
asio::awaitable<void> listen(maybe_runtime& subject) {
    auto one =
        co_await at(subject).subscribe("a", subscribe_options{"one", 2, start_position::last(9)});
    auto all = at(subject).subscribe_all();
    for (int i = 0; i < 3; ++i) {
        static_cast<void>(co_await one.receive()); // a marker, and what is left
    }
    static_cast<void>(co_await all.receive_batch()); // waits for ever
}
asio::awaitable<void> shut_down(maybe_runtime& subject) {
    static_cast<void>(co_await at(subject).shutdown(1s));
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(destruction)

BOOST_AUTO_TEST_CASE(a_spawn_can_be_cut_off_anywhere) {
    cut_off_everywhere(spawn_with_prelude);
    cut_off_everywhere(spawn_and_hang);
}
BOOST_AUTO_TEST_CASE(a_kill_can_be_cut_off_anywhere) {
    cut_off_everywhere([](auto& subject) { return at(subject).kill("a"); });
    cut_off_everywhere([](auto& subject) { return at(subject).kill("asks"); });
}
BOOST_AUTO_TEST_CASE(an_input_can_be_cut_off_anywhere) {
    cut_off_everywhere([](auto& subject) { return at(subject).send_input("a", "x"); });
    cut_off_everywhere([](auto& subject) { return at(subject).send_input("asks", "x"); });
}
BOOST_AUTO_TEST_CASE(a_resize_can_be_cut_off_anywhere) {
    cut_off_everywhere([](auto& subject) {
        return at(subject).resize("a", terminal_size{80, 25});
    });
}
BOOST_AUTO_TEST_CASE(an_answer_can_be_cut_off_anywhere) {
    cut_off_everywhere(answer);
}
BOOST_AUTO_TEST_CASE(a_prompt_can_be_cut_off_anywhere) {
    cut_off_everywhere([](auto& subject) { return prompt(subject, "a"); });
    cut_off_everywhere([](auto& subject) { return prompt(subject, "asks"); });
}
BOOST_AUTO_TEST_CASE(a_change_of_focus_can_be_cut_off_anywhere) {
    cut_off_everywhere(focus);
}
BOOST_AUTO_TEST_CASE(a_look_can_be_cut_off_anywhere) {
    cut_off_everywhere(look);
}
BOOST_AUTO_TEST_CASE(a_subscription_can_be_cut_off_anywhere) {
    cut_off_everywhere(listen);
}
BOOST_AUTO_TEST_CASE(a_removal_can_be_cut_off_anywhere) {
    cut_off_everywhere([](auto& subject) { return at(subject).remove("over"); });
}
BOOST_AUTO_TEST_CASE(a_shutdown_can_be_cut_off_anywhere) {
    cut_off_everywhere(shut_down);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
