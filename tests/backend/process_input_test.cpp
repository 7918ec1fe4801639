#include "process_world.hpp"

#include <muster/backend/protocol.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(backend)
BOOST_AUTO_TEST_SUITE(process_input)

namespace {

process_options with_mode(process_mode mode) {
    process_options options = process_world::quick();
    options.defaults.mode = mode;
    return options;
}

/// A send that is under way.
struct pending_send {
    bool done = false;
    std::exception_ptr failure;
    asio::cancellation_signal cancel;
};

std::shared_ptr<pending_send> send(const std::shared_ptr<supervised>& session, std::string bytes) {
    auto pending = std::make_shared<pending_send>();
    asio::co_spawn(
        session->executor, session->process->send_input(std::move(bytes)),
        asio::bind_cancellation_slot(pending->cancel.slot(), [pending](std::exception_ptr failure) {
            pending->failure = failure;
            pending->done = true;
        }));
    return pending;
}

/// None if it did not fail.
sys::error_code code_of(const std::exception_ptr& failure) {
    if (!failure) {
        return {};
    }
    try {
        std::rethrow_exception(failure);
    } catch (const sys::system_error& caught) {
        return caught.code();
    }
}

sys::error_code code_of_try(const std::shared_ptr<supervised>& session) {
    try {
        session->process->try_send_input("x");
    } catch (const sys::system_error& caught) {
        return caught.code();
    }
    return {};
}

/// A file that does not exist until `give`, for a child to wait for; gone with it.
class starting_signal {
public:
    starting_signal() { std::filesystem::remove(path_); }
    starting_signal(const starting_signal&) = delete;
    starting_signal& operator=(const starting_signal&) = delete;
    ~starting_signal() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

    [[nodiscard]] std::string wait_in_shell() const {
        return "while [ ! -e '" + path_.string() + "' ]; do sleep 0.02; done; ";
    }
    void give() const { std::ofstream{path_} << "go\n"; }

private:
    std::filesystem::path path_ =
        std::filesystem::temp_directory_path() / ("muster-go-" + std::to_string(::getpid()));
};

void wait_for_output(process_world& world, const std::shared_ptr<supervised>& session,
                     const std::string& text) {
    world.until([&] { return session->sink.out.find(text) != std::string::npos; });
}

} // namespace

BOOST_AUTO_TEST_CASE(input_reaches_the_child_in_order) {
    process_world world{process_world::quick()};
    const auto session = world.start(world.shell("head -c 12"));
    BOOST_TEST(session->process->try_send_input("one\n"));
    world.complete(session, session->process->send_input("two\n"));
    BOOST_TEST(session->process->try_send_input("six\n"));
    world.finish(session);
    BOOST_TEST(session->sink.out == "one\ntwo\nsix\n");
}

BOOST_AUTO_TEST_CASE(a_child_that_does_not_read_holds_its_senders_back_and_nobody_else) {
    process_world world{process_world::quick()};
    const auto deaf = world.start(world.shell("sleep 1000", "deaf"));
    const auto other = world.start(world.shell("head -c 3", "other"));
    const auto first = send(deaf, std::string(300'000, 'x'));
    const auto second = send(deaf, "y");
    world.complete(other, other->process->send_input("abc"));
    world.finish(other);
    BOOST_TEST(!first->done);
    BOOST_TEST(!second->done);
    BOOST_TEST(!deaf->process->try_send_input("z"));
    world.kill(deaf);
    world.finish(deaf);
    world.until([&] { return first->done && second->done; });
    BOOST_TEST(code_of(first->failure) == make_error_code(errc::input_closed));
    BOOST_TEST(code_of(second->failure) == make_error_code(errc::input_closed));
}

BOOST_AUTO_TEST_CASE(senders_that_waited_are_served_whole_and_in_order) {
    process_world world{process_world::quick()};
    const auto session = world.start(world.shell("sleep 0.2; head -c 600000 | tr -s xyz"));
    const auto first = send(session, std::string(200'000, 'x'));
    const auto second = send(session, std::string(200'000, 'y'));
    const auto third = send(session, std::string(200'000, 'z'));
    world.finish(session);
    BOOST_TEST((first->done && second->done && third->done));
    BOOST_TEST(session->sink.out == "xyz");
}

BOOST_AUTO_TEST_CASE(a_cancelled_sender_leaves_the_line_to_the_next) {
    process_world world{process_world::quick()};
    // The child must not read before the sender is cancelled, or there is nothing left to cancel.
    const starting_signal go;
    const auto session =
        world.start(world.shell(go.wait_in_shell() + "head -c 600000 | tr -s xyz"));
    const auto first = send(session, std::string(300'000, 'x'));
    const auto second = send(session, "yyyy");
    const auto third = send(session, std::string(300'000, 'z'));
    world.context.restart();
    world.context.poll();
    asio::post(session->executor, [&] { second->cancel.emit(asio::cancellation_type::terminal); });
    world.until([&] { return second->done; });
    BOOST_TEST(code_of(second->failure) == make_error_code(asio::error::operation_aborted));
    go.give();
    world.finish(session);
    BOOST_TEST(session->sink.out == "xz");
    world.until([&] { return first->done && third->done; });
}

BOOST_AUTO_TEST_CASE(a_closed_input_is_an_error_and_no_signal) {
    process_world world{process_world::quick()};
    const auto session = world.start(world.shell("exec <&-; echo closed; sleep 1000"));
    wait_for_output(world, session, "closed");
    BOOST_TEST(code_of_try(session) == make_error_code(errc::input_closed));
    const auto later = send(session, "x");
    world.until([&] { return later->done; });
    BOOST_TEST(code_of(later->failure) == make_error_code(errc::input_closed));
    world.kill(session);
    world.finish(session);
}

BOOST_AUTO_TEST_CASE(input_after_the_end_is_refused) {
    process_world world;
    const auto session = world.run(world.shell("true"));
    BOOST_TEST(code_of_try(session) == make_error_code(errc::input_closed));
}

BOOST_AUTO_TEST_CASE(pipes_have_no_size_and_no_protocol_no_answers) {
    process_world world{process_world::quick()};
    const auto session = world.start(world.shell("sleep 1000"));
    BOOST_CHECK_EXCEPTION(world.complete(session, session->process->resize({100, 40})), error,
                          [](const error& e) { return e.code() == errc::unsupported; });
    BOOST_CHECK_EXCEPTION(
        world.complete(session, session->process->respond(needs_input_response{"p", "a"})), error,
        [](const error& e) { return e.code() == errc::unsupported; });
    world.kill(session);
    world.finish(session);
}

BOOST_AUTO_TEST_CASE(a_terminal_has_a_size_that_can_change) {
    process_world world{with_mode(process_mode::pty)};
    const auto session = world.start(
        world.shell("test -t 0 && test -t 1 && test -t 2 && stty size; "
                    "trap 'stty size; exit 5' WINCH; echo up; while :; do sleep 0.01; done"));
    wait_for_output(world, session, "up");
    BOOST_TEST(session->sink.out == "24 80\r\nup\r\n");
    world.complete(session, session->process->resize({100, 40}));
    world.finish(session);
    BOOST_TEST(session->sink.out == "24 80\r\nup\r\n40 100\r\n");
    BOOST_TEST(session->sink.crash.value() == "exited with code 5");
}

BOOST_AUTO_TEST_CASE(a_terminal_that_nobody_has_open_for_a_while_has_not_ended) {
    process_world world{with_mode(process_mode::pty)};
    const auto session = world.start(
        world.shell("exec </dev/null >/dev/null 2>&1; sleep 0.2; stty size </dev/tty >/dev/tty"));
    world.context.run_for(100ms);
    world.complete(session, session->process->resize({100, 40}));
    world.finish(session);
    BOOST_TEST(session->sink.out == "40 100\r\n");
}

BOOST_AUTO_TEST_CASE(a_terminal_takes_input_and_ends_like_one) {
    auto options = with_mode(process_mode::pty);
    options.defaults.grace = kill_grace{15s, 15s, 15s};
    process_world world{options};
    const auto session =
        world.start(world.shell("stty -echo; echo up; cat; echo end; tty >/dev/tty"));
    wait_for_output(world, session, "up");
    BOOST_TEST(session->process->try_send_input("line\n"));
    wait_for_output(world, session, "line");
    world.kill(session);
    world.finish(session);
    BOOST_TEST(session->sink.out.find("end") != std::string::npos);
    BOOST_TEST(world.reports.at(0).exit_code.value() == 0);
    BOOST_TEST(code_of_try(session) == make_error_code(errc::input_closed));
}

BOOST_AUTO_TEST_CASE(the_mode_can_be_chosen_for_each_session) {
    process_options options;
    options.adjust = [](const spawn_request& request, process_settings& settings) {
        settings.mode = request.id.view() == "t" ? process_mode::pty : process_mode::pipe;
    };
    process_world world{options};
    const auto script = "test -t 1 && echo terminal || echo pipe";
    BOOST_TEST(world.run(world.shell(script, "t"))->sink.out == "terminal\r\n");
    BOOST_TEST(world.run(world.shell(script, "p"))->sink.out == "pipe\n");
}

BOOST_AUTO_TEST_CASE(a_worker_of_the_protocol_says_events_and_is_answered) {
    auto options = process_world::quick();
    options.defaults.protocol = true;
    process_world world{options};
    const auto session = world.start(
        world.shell("echo plain; echo "
                    "'{\"muster\":1,\"event\":\"needs_input\",\"prompt_id\":\"p\",\"question\":"
                    "\"q\"}'; read answer; echo \"got $answer\"; echo '{\"not\":\"ours\"}'"));
    world.until([&] { return !session->sink.events.empty(); });
    BOOST_TEST(session->sink.events.front().get_if<needs_input>()->prompt_id == "p");
    const needs_input_response response{"p", "yes"};
    world.complete(session, session->process->respond(response));
    world.finish(session);
    BOOST_TEST(session->sink.out ==
               "plain\ngot " + encode_protocol_response(response) + "{\"not\":\"ours\"}\n");
}

BOOST_AUTO_TEST_CASE(a_terminal_event_ends_the_process_and_what_follows_is_ignored) {
    auto options = process_world::quick();
    options.defaults.protocol = true;
    process_world world{options};
    const auto session = world.run(
        world.shell("echo '{\"muster\":1,\"event\":\"done\"}'; echo more; exec sleep 1000"));
    BOOST_TEST(session->sink.events.size() == 1U);
    BOOST_TEST((session->sink.events.front().kind() == event_kind::done));
    BOOST_TEST(world.reports.at(0).group_empty);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
