// Two hundred real children, again and again: spawned, prompted, killed and proven gone.

#include "heap_bytes.hpp"

#include <muster/backend/process.hpp>
#include <muster/runtime.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>

namespace {

using namespace muster;
using namespace std::chrono_literals;

constexpr std::size_t children = 200;
constexpr int rounds = 3;

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator{"/proc/self/fd"}) {
        ++count;
    }
    return count;
}

session_id child(std::size_t number) {
    return session_id{"child-" + std::to_string(number)};
}

/// Every child answers its prompt with its own words.
asio::awaitable<void> prompt_all(runtime& supervisor, global_subscription& events) {
    for (std::size_t i = 0; i < children; ++i) {
        const auto receipt = co_await supervisor.prompt_checkpoint(child(i), "go on");
        BOOST_TEST((receipt.outcome == prompt_outcome::sent));
    }
    std::set<session_id> answered;
    while (answered.size() < children) {
        const auto got = co_await events.receive();
        const auto* said = got.value.get_if<output>();
        BOOST_REQUIRE(said != nullptr);
        BOOST_TEST(said->bytes == "told to go on\n");
        answered.insert(got.value.session());
    }
}

asio::awaitable<void> one_round(asio::io_context& context, std::size_t& proven) {
    process_options options;
    options.on_ended = [&](const session_id&, const process_report& report) {
        proven += report.group_empty ? 1 : 0;
    };
    options.defaults.grace = kill_grace{0ms, 0ms, 5s};
    auto backend = std::make_shared<process_backend>(context, std::move(options));
    runtime supervisor{context, backend};
    auto events = supervisor.subscribe_all(subscribe_options{"round", 100'000});
    for (std::size_t i = 0; i < children; ++i) {
        spawn_request request{child(i),
                              {"sh", "-c", "while read -r line; do echo \"told to $line\"; done"}};
        co_await supervisor.spawn(std::move(request));
    }
    co_await prompt_all(supervisor, events);
    const auto report = co_await supervisor.shutdown(30s);
    BOOST_TEST(report.complete());
    BOOST_TEST(report.sessions.size() == children);
    BOOST_TEST(backend->live_groups() == 0u);
}

BOOST_AUTO_TEST_SUITE(stress)
BOOST_AUTO_TEST_SUITE(real_children)

BOOST_AUTO_TEST_CASE(rounds_of_two_hundred_leave_no_process_no_descriptor_and_no_memory) {
    std::size_t after_first_round = 0;
    std::size_t memory_after_first_round = 0;
    for (int round = 0; round < rounds; ++round) {
        asio::io_context context{1};
        std::size_t proven = 0;
        std::exception_ptr failure;
        asio::co_spawn(context, one_round(context, proven),
                       [&](std::exception_ptr thrown) { failure = std::move(thrown); });
        context.run();
        BOOST_REQUIRE(!failure);
        BOOST_TEST(proven == children);
        if (round == 0) {
            after_first_round = open_descriptors();
            memory_after_first_round = test::heap_bytes();
        }
        BOOST_TEST(open_descriptors() <= after_first_round + 4); // this round's context is alive
    }
    BOOST_TEST(test::heap_bytes() < memory_after_first_round + (std::size_t{1} << 16));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
