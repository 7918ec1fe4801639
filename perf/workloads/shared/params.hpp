#pragma once

#include "workloads/shared/measure.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace muster::work {

/// Arguments that are out of their limits, or that do not fit together. One sentence.
class usage_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// One parameter of a workload: where its value is, which holds the default until it is set, and
/// what it may be.
class parameter {
public:
    /// A whole number within [least, most].
    parameter(std::string name, std::string help, std::uint64_t& value, std::uint64_t least,
              std::uint64_t most);
    /// One of `allowed`.
    parameter(std::string name, std::string help, std::string& value,
              std::vector<std::string> allowed);

    const std::string& name() const { return name_; }
    const std::string& help() const { return help_; }
    /// What is allowed: "1..64" or "batch|try|await".
    std::string limits() const;
    json value() const;
    /// The value as it is written on a command line.
    std::string text() const;
    /// Throws `usage_error` for what is not allowed.
    void set(std::string_view text);

private:
    [[noreturn]] void refuse(std::string_view text) const;

    std::string name_;
    std::string help_;
    std::uint64_t* number_ = nullptr;
    std::uint64_t least_ = 0;
    std::uint64_t most_ = 0;
    std::string* choice_ = nullptr;
    std::vector<std::string> allowed_;
};

/// The parameters of one workload, in the order of their declaration. Refers to the variables that
/// hold the values.
class param_set {
public:
    /// `value` holds the default.
    void number(std::string name, std::uint64_t& value, std::uint64_t least, std::uint64_t most,
                std::string help);
    void choice(std::string name, std::string& value, std::vector<std::string> allowed,
                std::string help);

    std::vector<parameter>& all() { return all_; }
    /// Throws `usage_error` for an unknown name too.
    void set(std::string_view name, std::string_view text);
    bool has(std::string_view name) const;
    json values() const;

private:
    std::vector<parameter> all_;
};

} // namespace muster::work
