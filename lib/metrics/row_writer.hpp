#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::detail {

/// Readers that keep numbers as doubles hold integers up to here exactly; greater ones are strings.
inline constexpr std::uint64_t largest_exact_integer = std::uint64_t{1} << 53;

/// Writes the list of objects that is the member "rows" of a member of a document, character for
/// character as nlohmann's `dump(2)` would. Appends to `out`.
///
/// A document lists every session with all its counters, and as a tree these are a key, a node and
/// an escaped copy each: ten times the time of writing them down. Names and words go out as they
/// are and must need no escaping; text may be anything.
class row_writer {
public:
    explicit row_writer(std::string& out) noexcept : out_{out} {}

    /// Between these two, the fields of one row, one at least.
    void begin();
    void end();

    void field(std::string_view name, std::uint64_t value);
    /// Nanoseconds, 0 for a negative time.
    void field(std::string_view name, std::chrono::nanoseconds value);
    /// null for nothing.
    template <typename T>
    void field(std::string_view name, const std::optional<T>& value) {
        value ? field(name, *value) : null(name);
    }
    void word(std::string_view name, std::string_view value);
    /// Escaped; bytes that are not UTF-8 are replaced.
    void text(std::string_view name, const std::string& value);
    void null(std::string_view name);

    /// Closes the list.
    void finish();

private:
    void name_next(std::string_view name);

    std::string& out_;
    std::size_t rows_ = 0;
    bool first_field_ = true;
};

} // namespace muster::detail
