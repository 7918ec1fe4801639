// Twenty shells, prompted in turn; every answer is waited for, and none is left running.

#include <muster/muster.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr int shells = 20;

muster::session_id shell(int number) {
    return muster::session_id{"shell-" + std::to_string(number)};
}

/// Has one shell compute, and waits for what it says.
asio::awaitable<std::string> ask(muster::runtime& runtime, muster::session_id id,
                                 std::string what) {
    auto events = co_await runtime.subscribe(id);
    co_await runtime.send_input(id, "echo $((" + what + "))\n");
    std::string answer;
    while (answer.find('\n') == std::string::npos) {
        const auto delivery = co_await events.receive();
        const auto* said = delivery.value.get_if<muster::output>();
        if (said == nullptr) {
            throw std::runtime_error{id.str() + " ended before it answered"};
        }
        answer += said->bytes;
    }
    co_return answer.substr(0, answer.find('\n'));
}

asio::awaitable<void> farm(muster::runtime& runtime, int& right, bool& all_ended) {
    for (int i = 0; i < shells; ++i) {
        muster::spawn_request request{shell(i), {"sh"}};
        co_await runtime.spawn(std::move(request));
    }
    for (int i = 0; i < shells; ++i) {
        const auto answer =
            co_await ask(runtime, shell(i), std::to_string(i) + " * " + std::to_string(i));
        std::cout << i << " squared is " << answer << '\n';
        right += answer == std::to_string(i * i) ? 1 : 0;
    }
    const auto report = co_await runtime.shutdown(10s);
    all_ended = report.complete();
}

int main() {
    asio::io_context context;
    muster::runtime runtime{context, std::make_shared<muster::process_backend>(context)};
    int right = 0;
    bool all_ended = false;
    asio::co_spawn(context, farm(runtime, right, all_ended), [](std::exception_ptr failed) {
        if (failed) {
            std::rethrow_exception(failed);
        }
    });
    context.run();
    return right == shells && all_ended ? 0 : 1;
}
