#include "workloads/shared/command_line.hpp"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>

namespace muster::work {
namespace {

/// A subcommand for each workload; `chosen` is what the command line named.
class command_line {
public:
    command_line(const program& self, const registry& workloads)
        : self_(self), workloads_(workloads), app_(self.about, self.command) {
        app_.set_help_all_flag("--help-all", "Print all workloads' parameters and exit");
        app_.require_subcommand(0, 1);
        app_.add_flag("--list", list_, "Print the workloads' names and exit");
        for (const workload& each : workloads.all()) {
            declare(each);
        }
    }

    int run(int argc, const char* const* argv) {
        try {
            app_.parse(argc, argv);
            return act();
        } catch (const CLI::Success& help) {
            return app_.exit(help);
        } catch (const CLI::ParseError& wrong) {
            return fail(wrong.what(), 2);
        } catch (const usage_error& wrong) {
            return fail(wrong.what(), 2);
        } catch (const std::exception& failed) {
            return fail(failed.what(), 1);
        }
    }

private:
    void declare(const workload& each) {
        CLI::App* const command = app_.add_subcommand(each.name, each.purpose);
        const auto run = std::make_shared<workload_run>(each.prepare());
        for (parameter& one : run->params.all()) {
            command
                ->add_option_function<std::string>(
                    "--" + one.name(), [&one](const std::string& text) { one.set(text); },
                    one.help())
                ->type_name(one.limits())
                ->default_str(one.text());
        }
        command->callback([this, &each, run] {
            chosen_ = &each;
            run_ = run;
        });
    }

    int act() {
        if (list_) {
            for (const workload& each : workloads_.all()) {
                std::cout << each.name << '\n';
            }
            return flushed();
        }
        if (chosen_ == nullptr) {
            throw usage_error("a workload is needed");
        }
        const outcome done = run_->run();
        std::cout << done.line(self_.peer, chosen_->name, run_->params.values()).dump() << '\n';
        return flushed();
    }

    static int flushed() {
        if (!std::cout.flush()) {
            throw std::runtime_error(
                "cannot write to standard output; free some space or redirect it");
        }
        return 0;
    }

    int fail(const std::string& why, int code) const {
        std::cerr << self_.command << ": " << why
                  << (code == 2 ? "; see " + self_.command + " --help" : "") << '\n';
        return code;
    }

    const program& self_;
    const registry& workloads_;
    CLI::App app_;
    bool list_ = false;
    const workload* chosen_ = nullptr;
    std::shared_ptr<workload_run> run_;
};

} // namespace

int run_command_line(const program& self, const registry& workloads, int argc,
                     const char* const* argv) {
    return command_line(self, workloads).run(argc, argv);
}

} // namespace muster::work
