// Watches one session from its first line to its end, though it began to speak before we listened.

#include <muster/muster.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <exception>
#include <iostream>
#include <memory>

namespace asio = boost::asio;

asio::awaitable<void> watch(muster::runtime& runtime, int& lines) {
    muster::spawn_request request{"job", {"sh", "-c", "echo one; echo two; echo three; read -r x"}};
    co_await runtime.spawn(std::move(request));
    muster::subscribe_options from_the_start{"watcher", 100, muster::start_position::last(100)};
    auto events = co_await runtime.subscribe("job", std::move(from_the_start));
    co_await runtime.send_input("job", "go on\n"); // the worker ends after this
    for (;;) {
        const auto delivery = co_await events.receive();
        if (const auto* said = delivery.value.get_if<muster::output>()) {
            std::cout << said->bytes;
            lines += static_cast<int>(std::count(said->bytes.begin(), said->bytes.end(), '\n'));
        } else if (muster::is_terminal(delivery.value.kind())) {
            std::cout << "(" << to_string(delivery.value.kind()) << ")\n";
            co_return;
        }
    }
}

int main() {
    asio::io_context context;
    muster::runtime runtime{context, std::make_shared<muster::process_backend>(context)};
    int lines = 0;
    asio::co_spawn(context, watch(runtime, lines), [](std::exception_ptr failed) {
        if (failed) {
            std::rethrow_exception(failed);
        }
    });
    context.run();
    return lines == 3 ? 0 : 1;
}
