// A dashboard's feed: every event as one line of JSON. The connection breaks half-way; the next one
// starts where the last one ended, and nothing is missing or twice. One that comes back too late is
// told from where on everything is still kept.

#include <muster/muster.hpp>

#include <nlohmann/json.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;

constexpr int sessions = 3;
constexpr std::uint64_t events_in_all = sessions * (20 + 1); // 20 lines and an end each

/// Listens from `from` on, or from the oldest event that is still kept.
muster::global_subscription connect(muster::runtime& runtime, std::uint64_t& from) {
    muster::subscribe_options options{"dashboard", 1'000,
                                      muster::start_position::from_sequence(from)};
    try {
        return runtime.subscribe_all(options);
    } catch (const muster::expired& gone) {
        std::cerr << "events " << from << " to " << gone.oldest_kept() - 1 << " are gone\n";
        from = gone.oldest_kept();
        options.start = muster::start_position::from_sequence(from);
        return runtime.subscribe_all(options);
    }
}

/// Feeds until `limit` events were sent; returns the sequence to go on from.
asio::awaitable<std::uint64_t> feed(muster::runtime& runtime, std::uint64_t from,
                                    std::uint64_t limit) {
    auto events = connect(runtime, from);
    for (; from <= limit; ++from) {
        const auto delivery = co_await events.receive();
        if (delivery.missing || delivery.sequence != from) {
            throw std::runtime_error{"the feed has a hole at " + std::to_string(from)};
        }
        nlohmann::json line{{"sequence", delivery.sequence},
                            {"session", delivery.value.session().str()},
                            {"kind", to_string(delivery.value.kind())}};
        std::cout << line.dump() << '\n';
    }
    co_return from;
}

asio::awaitable<void> serve(muster::runtime& runtime) {
    for (int i = 0; i < sessions; ++i) {
        muster::spawn_request request{"worker-" + std::to_string(i)};
        co_await runtime.spawn(std::move(request));
    }
    const auto next = co_await feed(runtime, 1, events_in_all / 2);
    std::cerr << "the connection is lost after " << next - 1 << " events\n";
    co_await feed(runtime, next, events_in_all);
}

int main() {
    asio::io_context context;
    muster::script talker;
    for (int i = 0; i < 20; ++i) {
        talker.emit(muster::output{"line " + std::to_string(i) + "\n"});
    }
    muster::runtime runtime{context, std::make_shared<muster::script_backend>(std::move(talker))};
    asio::co_spawn(context, serve(runtime), [](std::exception_ptr failed) {
        if (failed) {
            std::rethrow_exception(failed);
        }
    });
    context.run();
}
