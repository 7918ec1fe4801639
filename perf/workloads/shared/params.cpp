#include "workloads/shared/params.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace muster::work {

parameter::parameter(std::string name, std::string help, std::uint64_t& value, std::uint64_t least,
                     std::uint64_t most)
    : name_(std::move(name)), help_(std::move(help)), number_(&value), least_(least), most_(most) {}

parameter::parameter(std::string name, std::string help, std::string& value,
                     std::vector<std::string> allowed)
    : name_(std::move(name)), help_(std::move(help)), choice_(&value),
      allowed_(std::move(allowed)) {}

std::string parameter::limits() const {
    if (number_ != nullptr) {
        return std::to_string(least_) + ".." + std::to_string(most_);
    }
    std::string text;
    for (const std::string& one : allowed_) {
        text += (text.empty() ? "" : "|") + one;
    }
    return text;
}

json parameter::value() const {
    return number_ != nullptr ? json(*number_) : json(*choice_);
}

std::string parameter::text() const {
    return number_ != nullptr ? std::to_string(*number_) : *choice_;
}

void parameter::set(std::string_view text) {
    if (choice_ != nullptr) {
        if (std::find(allowed_.begin(), allowed_.end(), text) == allowed_.end()) {
            refuse(text);
        }
        *choice_ = text;
        return;
    }
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc() || stop != end || value < least_ || value > most_) {
        refuse(text);
    }
    *number_ = value;
}

void parameter::refuse(std::string_view text) const {
    throw usage_error("--" + name_ + " takes " + limits() + ", not '" + std::string(text) + "'");
}

void param_set::number(std::string name, std::uint64_t& value, std::uint64_t least,
                       std::uint64_t most, std::string help) {
    all_.emplace_back(std::move(name), std::move(help), value, least, most);
}

void param_set::choice(std::string name, std::string& value, std::vector<std::string> allowed,
                       std::string help) {
    all_.emplace_back(std::move(name), std::move(help), value, std::move(allowed));
}

void param_set::set(std::string_view name, std::string_view text) {
    for (parameter& one : all_) {
        if (one.name() == name) {
            one.set(text);
            return;
        }
    }
    throw usage_error("there is no parameter --" + std::string(name));
}

bool param_set::has(std::string_view name) const {
    return std::any_of(all_.begin(), all_.end(),
                       [&](const parameter& one) { return one.name() == name; });
}

json param_set::values() const {
    json all = json::object();
    for (const parameter& one : all_) {
        all[one.name()] = one.value();
    }
    return all;
}

} // namespace muster::work
