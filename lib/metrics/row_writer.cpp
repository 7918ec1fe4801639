#include "metrics/row_writer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace muster::detail {

void row_writer::begin() {
    out_ += rows_++ == 0 ? "[\n      {" : ",\n      {";
    first_field_ = true;
}

void row_writer::end() {
    out_ += "\n      }";
}

void row_writer::finish() {
    out_ += rows_ == 0 ? "[]" : "\n    ]";
}

void row_writer::name_next(std::string_view name) {
    out_ += first_field_ ? "\n        \"" : ",\n        \"";
    first_field_ = false;
    out_ += name;
    out_ += "\": ";
}

void row_writer::field(std::string_view name, std::uint64_t value) {
    std::array<char, 20> digits; // as many as the greatest has
    const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    const std::string_view number{digits.data(), static_cast<std::size_t>(end - digits.data())};
    if (value > largest_exact_integer) {
        word(name, number);
    } else {
        name_next(name);
        out_ += number;
    }
}

void row_writer::field(std::string_view name, std::chrono::nanoseconds value) {
    field(name, static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0)));
}

void row_writer::word(std::string_view name, std::string_view value) {
    name_next(name);
    out_ += '"';
    out_ += value;
    out_ += '"';
}

void row_writer::text(std::string_view name, const std::string& value) {
    using json = nlohmann::json;
    name_next(name);
    out_ += json(value).dump(-1, ' ', false, json::error_handler_t::replace);
}

void row_writer::null(std::string_view name) {
    name_next(name);
    out_ += "null";
}

} // namespace muster::detail
