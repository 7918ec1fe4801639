// Two calls that overlap, at every handler where the second can begin; and the end of everything
// after every handler.

#include "destroy_after.hpp"
#include "runtime_fixture.hpp"

#include <boost/asio/detached.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::runtime_fixture;

using call = std::function<asio::awaitable<void>(runtime_fixture&)>;

/// What became of two calls.
struct outcome {
    sys::error_code first;
    sys::error_code second;
};

sys::error_code code_of(runtime_fixture::pending<void>& done) {
    try {
        done.get();
        return {};
    } catch (const sys::system_error& e) {
        return e.code();
    }
}

/// Starts `second` after `first` has run for 0, 1, 2, … handlers, until it comes too late to
/// overlap; a fresh runtime each time. Returns how often that was.
std::size_t at_every_overlap(const script& every_session, const call& prepare, const call& first,
                             const call& second,
                             const std::function<void(runtime_fixture&, const outcome&)>& check) {
    for (std::size_t count = 0;; ++count) {
        runtime_fixture f{every_session};
        f.wait(prepare(f));
        auto one = f.start(first(f));
        for (std::size_t i = 0; i < count; ++i) {
            f.context.restart();
            f.context.poll_one();
        }
        const bool overlaps = !one.ready();
        auto two = f.start(second(f));
        f.settle();
        BOOST_REQUIRE(one.ready());
        BOOST_REQUIRE(two.ready());
        check(f, outcome{code_of(one), code_of(two)});
        if (!overlaps) {
            return count;
        }
    }
}

asio::awaitable<void> nothing(runtime_fixture&) {
    co_return;
}
asio::awaitable<void> spawn_a(runtime_fixture& f) {
    return f.subject->spawn(spawn_request{"a"});
}
asio::awaitable<void> kill_a(runtime_fixture& f) {
    return f.subject->kill("a");
}
asio::awaitable<void> end_a(runtime_fixture& f) {
    f.backend->push("a", done{"by itself"});
    co_return;
}
asio::awaitable<void> remove_a(runtime_fixture& f) {
    return f.subject->remove("a");
}
asio::awaitable<void> shut_down(runtime_fixture& f) {
    const auto report = co_await f.subject->shutdown(1s);
    BOOST_TEST(report.complete());
}
asio::awaitable<void> subscribe_to_a(runtime_fixture& f) {
    static_cast<void>(co_await f.subject->subscribe("a"));
}

bool is_gone(runtime_fixture& f) {
    for (const auto& each : f.wait(f.subject->list())) {
        if (each.id.view() == "a") {
            return false;
        }
    }
    return true;
}

session_status status_of_a(runtime_fixture& f) {
    return f.wait(f.subject->status("a")).status;
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(races)

BOOST_AUTO_TEST_CASE(a_kill_during_a_spawn_finds_it_missing_starting_or_running) {
    const auto overlaps = at_every_overlap(
        script{}.idle(), nothing, spawn_a, kill_a, [](runtime_fixture& f, const outcome& got) {
            BOOST_TEST(!got.first);
            const bool refused =
                got.second == errc::session_not_found || got.second == errc::session_starting;
            BOOST_TEST((refused || !got.second), got.second.message());
            const auto want = refused ? session_status::running : session_status::killed;
            BOOST_TEST((status_of_a(f) == want));
            BOOST_TEST(f.backend->alive() == (refused ? 1u : 0u));
        });
    BOOST_TEST(overlaps > 1u);
}

BOOST_AUTO_TEST_CASE(of_two_spawns_of_one_id_exactly_one_succeeds) {
    at_every_overlap(script{}.idle(), nothing, spawn_a, spawn_a,
                     [](runtime_fixture& f, const outcome& got) {
                         BOOST_TEST((bool{got.first.failed()} != got.second.failed()));
                         BOOST_TEST(f.backend->alive() == 1u);
                     });
}

BOOST_AUTO_TEST_CASE(kill_against_done_ends_in_exactly_one_terminal_event) {
    const call prepare = [](runtime_fixture& f) -> asio::awaitable<void> {
        co_await f.subject->spawn(spawn_request{"a"});
    };
    for (const bool kill_first : {true, false}) {
        at_every_overlap(script{}.idle(), prepare, kill_first ? kill_a : end_a,
                         kill_first ? end_a : kill_a, [](runtime_fixture& f, const outcome&) {
                             BOOST_TEST(is_terminal(status_of_a(f)));
                             BOOST_TEST(f.backend->alive() == 0u);
                             BOOST_TEST(f.total(counter::done_events_total) +
                                            f.total(counter::killed_events_total) ==
                                        1u);
                         });
    }
}

BOOST_AUTO_TEST_CASE(shutdown_against_spawn_leaves_no_worker) {
    for (const bool spawn_first : {true, false}) {
        at_every_overlap(script{}.idle(), nothing, spawn_first ? spawn_a : shut_down,
                         spawn_first ? shut_down : spawn_a, [](runtime_fixture& f, const outcome&) {
                             BOOST_TEST(f.backend->alive() == 0u);
                             BOOST_TEST((is_gone(f) || is_terminal(status_of_a(f))));
                         });
    }
}

BOOST_AUTO_TEST_CASE(remove_against_subscribe_gives_a_closed_stream_or_no_session) {
    const call prepare = [](runtime_fixture& f) -> asio::awaitable<void> {
        co_await f.subject->spawn(spawn_request{"a"});
        co_await f.subject->kill("a");
    };
    for (const bool remove_first : {true, false}) {
        at_every_overlap(script{}.idle(), prepare, remove_first ? remove_a : subscribe_to_a,
                         remove_first ? subscribe_to_a : remove_a,
                         [&](runtime_fixture& f, const outcome& got) {
                             BOOST_TEST(is_gone(f));
                             const auto subscribed = remove_first ? got.second : got.first;
                             BOOST_TEST((subscribed == errc::stream_closed ||
                                         subscribed == errc::session_not_found));
                         });
    }
}

BOOST_AUTO_TEST_CASE(a_subscription_made_while_the_session_speaks_misses_nothing_after_its_start) {
    runtime_fixture f{script{}.idle()};
    f.spawn("a");
    for (std::size_t count = 0; count < 12; ++count) {
        for (int i = 0; i < 5; ++i) {
            f.backend->push("a", output{std::to_string(i)});
        }
        for (std::size_t i = 0; i < count; ++i) {
            f.context.restart();
            f.context.poll_one();
        }
        auto reader = f.wait(f.subject->subscribe("a"));
        f.backend->push("a", output{"after"});
        f.settle();
        const auto got = f.drain(reader);
        BOOST_REQUIRE(!got.empty());
        BOOST_TEST(got.back().value.get_if<output>()->bytes == "after");
        for (std::size_t i = 1; i < got.size(); ++i) {
            BOOST_TEST(got[i].sequence == got[i - 1].sequence + 1);
        }
    }
}

BOOST_AUTO_TEST_CASE(focus_against_a_due_tick_skips_it_or_lets_it_through) {
    for (std::size_t count = 0; count < 12; ++count) {
        runtime_options options;
        options.checkpoint = checkpoint_policy{1s};
        runtime_fixture f{script{}.idle(), options};
        f.spawn("a");
        f.clock.advance(999ms);
        auto focusing = f.start(f.subject->focus(session_id{"a"}));
        for (std::size_t i = 0; i < count; ++i) {
            f.context.restart();
            f.context.poll_one();
        }
        f.clock.advance(1ms);
        BOOST_REQUIRE(focusing.ready());
        BOOST_TEST(f.total(counter::checkpoint_ticks_total) == 1u);
        BOOST_TEST(f.total(counter::checkpoint_send_attempts_total) +
                       f.total(counter::checkpoint_skips_focused_total) ==
                   1u);
        f.clock.advance(1s);
        BOOST_TEST(f.total(counter::checkpoint_skips_focused_total) >= 1u);
    }
}

/// Everything at once: sessions that speak, hang, crash and are started anew, readers that wait.
class everything {
public:
    explicit everything(asio::io_context& context) : clock_{context} {
        backend_ = std::make_shared<script_backend>([](const spawn_request& request) {
            return std::make_shared<const script>(of(request.id.view()));
        });
        runtime_options options;
        options.time = &clock_;
        subject_.emplace(context, backend_, options);
        all_ = subject_->subscribe_all();
        asio::co_spawn(context, listen(), asio::detached);
        for (const auto* id : {"talks", "hangs", "fails", "asks"}) {
            asio::co_spawn(context, live(session_id{id}), asio::detached);
        }
        asio::co_spawn(context, look(), asio::detached);
    }

private:
    static script of(std::string_view id) {
        if (id == "talks") {
            return script{}
                .burst(20, "line\n")
                .emit(turn_state{true})
                .emit(turn_state{false})
                .idle();
        }
        if (id == "hangs") {
            return script{}.input(script::input_mode::hang).idle();
        }
        if (id == "fails") {
            return script{}.emit(output{"about to"}).fail("on purpose");
        }
        return script{}.emit(needs_input{"p", "which?", {"x", "y"}}).idle();
    }

    // Calls may fail when the runtime goes; nothing else is expected of them here.
    asio::awaitable<void> live(session_id id) {
        try {
            spawn_options options;
            options.restart = restart_policy{restart_policy::mode::on_crash};
            options.silence = silence_policy{10s, silence_policy::action::observe};
            co_await subject_->spawn(spawn_request{id}, options);
            needs_input_response answer{"p", "x"};
            if (id.view() == "asks") {
                co_await subject_->respond_to_needs_input(id, std::move(answer));
            }
            static_cast<void>(co_await subject_->prompt_checkpoint(id, "now"));
            co_await subject_->kill(id);
            co_await subject_->remove(id);
        } catch (const sys::system_error&) {
        }
    }
    asio::awaitable<void> listen() {
        try {
            for (;;) {
                static_cast<void>(co_await all_.receive());
            }
        } catch (const sys::system_error&) {
        }
    }
    asio::awaitable<void> look() {
        try {
            static_cast<void>(co_await subject_->snapshot());
            co_await subject_->focus(session_id{"talks"});
            static_cast<void>(co_await subject_->list());
        } catch (const sys::system_error&) {
        }
    }

    test::virtual_clock clock_;
    std::shared_ptr<script_backend> backend_;
    global_subscription all_;
    std::optional<class muster::runtime> subject_;
};

BOOST_AUTO_TEST_CASE(everything_can_be_destroyed_after_every_handler) {
    const auto handlers = test::destroy_after_every_nth_handler(
        [](test::manual_loop& loop) { return std::make_unique<everything>(loop.context()); });
    BOOST_TEST(handlers > 20u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
