// A running program writes what it knows of its sessions as a JSON document.

#include <muster/muster.hpp>

#include <nlohmann/json.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

namespace asio = boost::asio;

/// `run` is `muster::start_run()` of the program's start.
asio::awaitable<void> write_snapshot(muster::runtime& runtime, muster::run_info run,
                                     std::string path) {
    muster::report document;
    document.run = std::move(run);
    document.run.duration = std::chrono::system_clock::now() - document.run.started_at;
    document.environment = muster::current_environment();
    document.state = co_await runtime.snapshot();
    muster::write_file_atomically(path, to_json(document));
}

asio::awaitable<void> work(muster::runtime& runtime, std::string path) {
    const auto run = muster::start_run();
    for (const auto* name : {"first", "second"}) {
        muster::spawn_request request{name, {"sh", "-c", "read -r line"}};
        co_await runtime.spawn(std::move(request));
    }
    co_await write_snapshot(runtime, run, path);
    co_await runtime.shutdown(std::chrono::seconds{10});
}

int main(int argc, char** argv) {
    const std::string path = argc > 1 ? argv[1] : "snapshot.json";
    asio::io_context context;
    muster::runtime runtime{context, std::make_shared<muster::process_backend>(context)};
    asio::co_spawn(context, work(runtime, path), [](std::exception_ptr failed) {
        if (failed) {
            std::rethrow_exception(failed);
        }
    });
    context.run();
    const auto document = nlohmann::json::parse(muster::read_file(path));
    std::cout << path << " has " << document.at("sessions").at("rows").size() << " sessions\n";
    return document.at("sessions").at("rows").size() == 2 ? 0 : 1;
}
