#include "workload.hpp"

#include <exception>
#include <iostream>

// peer-asio: the work that muster is measured on, on bare Boost.Asio.
// Exit codes: 0 done, 1 the workload failed, 2 the arguments are wrong.

namespace {

int run(CLI::App& app, peer::registry& workloads, bool list) {
    if (list) {
        for (const std::string& name : workloads.names())
            std::cout << name << '\n';
        return 0;
    }
    if (app.get_subcommands().empty())
        throw peer::usage_error("a workload is needed");
    std::cout << workloads.run().dump() << std::endl;
    return 0;
}

int fail(const std::exception& why, int code) {
    std::cerr << "peer-asio: " << why.what() << (code == 2 ? "; see peer-asio --help" : "") << '\n';
    return code;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Bare Asio: a concurrent_channel per subscriber, a steady_timer per session, a "
                 "std::shared_mutex and a coroutine mutex. Prints one JSON line.");
    app.set_help_all_flag("--help-all", "Print all workloads' parameters and exit");
    app.require_subcommand(0, 1);
    bool list = false;
    app.add_flag("--list", list, "Print the workloads' names and exit");
    peer::registry workloads(app);
    peer::add_channel(workloads);
    peer::add_fanout(workloads);
    peer::add_lock(workloads);
    peer::add_timers(workloads);
    peer::add_checkpoint(workloads);
    try {
        app.parse(argc, argv);
        return run(app, workloads, list);
    } catch (const CLI::Success& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& wrong) {
        return fail(wrong, 2);
    } catch (const peer::usage_error& wrong) {
        return fail(wrong, 2);
    } catch (const std::exception& failed) {
        return fail(failed, 1);
    }
}
