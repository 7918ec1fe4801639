#pragma once

#include "measure.hpp"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace peer {

/// Arguments that are each in range but do not fit together.
class usage_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The parameters of one workload: options on the command line, values in the JSON line.
class param_set {
public:
    explicit param_set(CLI::App& command) : command_(command) {}

    /// A whole number within [least, most]; `value` holds the default.
    void number(const std::string& name, std::uint64_t& value, std::uint64_t least,
                std::uint64_t most, const std::string& help) {
        command_.add_option("--" + name, value, help)
            ->check(CLI::Range(least, most))
            ->capture_default_str();
        values_.emplace_back(name, [&value] { return json(value); });
    }

    /// One of `allowed`; `value` holds the default.
    void choice(const std::string& name, std::string& value, std::vector<std::string> allowed,
                const std::string& help) {
        command_.add_option("--" + name, value, help)
            ->check(CLI::IsMember(std::move(allowed)))
            ->capture_default_str();
        values_.emplace_back(name, [&value] { return json(value); });
    }

    json values() const {
        json all = json::object();
        for (const auto& [name, value] : values_)
            all[name] = value();
        return all;
    }

private:
    CLI::App& command_;
    std::vector<std::pair<std::string, std::function<json()>>> values_;
};

/// All workloads of the executable, and the one that the command line chose.
class registry {
public:
    explicit registry(CLI::App& app) : app_(app) {}

    /// `Options` has `void declare(param_set&)` and `outcome run() const`.
    template <class Options>
    void add(const std::string& name, const std::string& about) {
        CLI::App* command = app_.add_subcommand(name, about);
        auto options = std::make_shared<Options>();
        auto params = std::make_shared<param_set>(*command);
        options->declare(*params);
        names_.push_back(name);
        command->callback([this, name, options, params] {
            chosen_ = [name, options, params] {
                return options->run().line("peer-asio", name, params->values());
            };
        });
    }

    const std::vector<std::string>& names() const { return names_; }
    json run() const { return chosen_(); }

private:
    CLI::App& app_;
    std::vector<std::string> names_;
    std::function<json()> chosen_;
};

void add_channel(registry& all);
void add_fanout(registry& all);
void add_lock(registry& all);
void add_timers(registry& all);
void add_checkpoint(registry& all);

} // namespace peer
