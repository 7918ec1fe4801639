// A runtime whose context is run by several threads: for the thread sanitizer, and for the counts.

#include <muster/backend/script.hpp>
#include <muster/runtime.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace muster;
using namespace std::chrono_literals;

constexpr int lives = 40;
constexpr int owners = 4;
constexpr std::size_t lines = 50;

/// Boost.Test's own checks are for one thread.
void expect(bool holds, const char* what) {
    if (!holds) {
        throw std::logic_error{std::string{"expected "} + what};
    }
}

/// Spawns, hears out, prompts, kills and removes its sessions, one after the other.
asio::awaitable<void> own_sessions(runtime& supervisor, int owner, std::atomic<int>& left) {
    for (int life = 0; life < lives; ++life) {
        const session_id id{"s" + std::to_string(owner)};
        spawn_request request{id};
        co_await supervisor.spawn(std::move(request));
        auto events = co_await supervisor.subscribe(
            id, subscribe_options{"owner", 1'000, start_position::last(1'000)});
        for (std::size_t i = 0; i < lines; ++i) {
            const auto got = co_await events.receive();
            expect(got.value.kind() == event_kind::output, "an output event");
        }
        const auto receipt = co_await supervisor.prompt_checkpoint(id, "now");
        expect(receipt.outcome == prompt_outcome::sent ||
                   receipt.outcome == prompt_outcome::coalesced,
               "a prompt that is sent");
        co_await supervisor.kill(id);
        co_await supervisor.remove(id);
    }
    left.fetch_sub(1);
}

/// Looks at everything that others are changing.
asio::awaitable<void> watch(runtime& supervisor, std::atomic<int>& left) {
    while (left.load() != 0) {
        static_cast<void>(co_await supervisor.snapshot());
        for (const auto& each : co_await supervisor.list()) {
            const session_id id = each.id;
            try {
                co_await supervisor.focus(id);
            } catch (const error&) { // it has ended in the meantime
            }
        }
    }
}

asio::awaitable<void> count_ends(runtime& supervisor, int& killed_events) {
    auto events = supervisor.subscribe_all(subscribe_options{"all", 64});
    while (killed_events < owners * lives) {
        const auto batch = co_await events.receive_batch();
        for (const auto& [value, sequence] : batch) {
            killed_events += value.kind() == event_kind::killed ? 1 : 0;
        }
    }
}

BOOST_AUTO_TEST_SUITE(stress)
BOOST_AUTO_TEST_SUITE(threads)

BOOST_AUTO_TEST_CASE(sessions_on_several_threads_lose_no_end_and_no_count) {
    asio::io_context context;
    runtime_options options;
    options.checkpoint = checkpoint_policy{2ms};
    options.session_retention = retention{1'000};
    auto backend = std::make_shared<script_backend>(script{}.burst(lines, "a line\n").idle());
    runtime supervisor{context, backend, options};
    std::atomic<int> left{owners};
    std::atomic<int> failures{0};
    int killed_events = 0;
    const auto done = [&](const std::exception_ptr& thrown) {
        failures += thrown ? 1 : 0;
    };
    asio::co_spawn(asio::make_strand(context), count_ends(supervisor, killed_events), done);
    for (int owner = 0; owner < owners; ++owner) {
        asio::co_spawn(asio::make_strand(context), own_sessions(supervisor, owner, left), done);
    }
    asio::co_spawn(asio::make_strand(context), watch(supervisor, left), done);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] { context.run(); });
    }
    for (auto& each : threads) {
        each.join();
    }
    BOOST_TEST(failures.load() == 0);
    BOOST_TEST(killed_events == owners * lives);
    BOOST_TEST(backend->alive() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
