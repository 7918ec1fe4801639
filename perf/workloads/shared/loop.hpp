#pragma once

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <thread>
#include <vector>

/// One io_context, run by as many threads as asked for, with concrete executor types throughout:
/// Asio's type-erased executor would cost several times as much for each hop.
namespace muster::work {

namespace asio = boost::asio;
using boost::system::error_code;

using executor = asio::io_context::executor_type;
template <class T = void>
using task = asio::awaitable<T, executor>;
template <class T>
using channel = asio::experimental::concurrent_channel<executor, void(error_code, T)>;
using signal = asio::experimental::concurrent_channel<executor, void(error_code)>;

inline constexpr auto tuple = asio::as_tuple(asio::deferred);

inline void start(asio::io_context& context, task<> work) {
    asio::co_spawn(context.get_executor(), std::move(work), asio::detached);
}

inline void run_all(asio::io_context& context, std::uint64_t threads) {
    std::vector<std::jthread> others;
    for (std::uint64_t other = 1; other < threads; ++other)
        others.emplace_back([&context] { context.run(); });
    context.run();
}

/// Rounds: the driver hands out a burst and goes on when every delivery of it has been taken.
class rounds {
public:
    explicit rounds(executor where) : done_(where, 1) {}

    /// Before the burst is handed out: how many deliveries it will cause.
    void expect(std::uint64_t deliveries) { pending_.store(deliveries, std::memory_order_release); }

    /// A subscriber took `count` deliveries; called once a drained batch, not once an event.
    void took(std::uint64_t count) {
        if (count != 0 && pending_.fetch_sub(count, std::memory_order_acq_rel) == count)
            done_.try_send(error_code());
    }

    auto finished() { return done_.async_receive(tuple); }

private:
    std::atomic<std::uint64_t> pending_ = 0;
    signal done_;
};

} // namespace muster::work
