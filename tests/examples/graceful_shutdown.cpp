// SIGTERM ends all sessions in an orderly way, within a deadline, and says how each of them ended.

#include <muster/muster.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> supervise(muster::runtime& runtime, int& status) {
    asio::signal_set signals{runtime.context(), SIGTERM, SIGINT};
    for (int i = 0; i < 3; ++i) {
        muster::spawn_request request{"worker-" + std::to_string(i), {"sleep", "1000"}};
        co_await runtime.spawn(std::move(request));
    }
    std::raise(SIGTERM); // for the sake of the example; usually somebody else sends it
    co_await signals.async_wait(asio::use_awaitable);
    const auto report = co_await runtime.shutdown(10s);
    for (const auto& each : report.sessions) {
        std::cout << each.id << ": " << to_string(each.status)
                  << (each.ended ? "" : ", still there: " + each.problem) << '\n';
    }
    status = report.complete() && report.sessions.size() == 3 ? 0 : 1;
}

int main() {
    asio::io_context context;
    muster::runtime runtime{context, std::make_shared<muster::process_backend>(context)};
    int status = 1;
    asio::co_spawn(context, supervise(runtime, status), [](std::exception_ptr failed) {
        if (failed) {
            std::rethrow_exception(failed);
        }
    });
    context.run();
    return status;
}
