#include <muster/muster.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <memory>

namespace asio = boost::asio;

asio::awaitable<void> greet(muster::runtime& runtime) {
    auto events = runtime.subscribe_all();
    muster::spawn_request request{"greeter", {"sh", "-c", "echo hello; echo goodbye"}};
    co_await runtime.spawn(std::move(request));
    for (;;) {
        const auto delivery = co_await events.receive();
        if (const auto* said = delivery.value.get_if<muster::output>()) {
            std::cout << delivery.value.session() << " says:\n" << said->bytes;
        } else if (muster::is_terminal(delivery.value.kind())) {
            co_return; // done, crashed or killed
        }
    }
}

int main() {
    asio::io_context context;
    muster::runtime runtime{context, std::make_shared<muster::process_backend>(context)};
    asio::co_spawn(context, greet(runtime), [](std::exception_ptr failed) {
        if (failed) {
            std::rethrow_exception(failed);
        }
    });
    context.run();
}
