#pragma once

#include <cstdint>
#include <string>

namespace muster::work {

/// A file in the system's directory for such, removed with this object.
class scratch_file {
public:
    /// Throws `std::runtime_error` if it cannot be written.
    explicit scratch_file(std::uint64_t bytes);
    scratch_file(const scratch_file&) = delete;
    scratch_file& operator=(const scratch_file&) = delete;
    ~scratch_file();

    const std::string& name() const { return name_; }
    std::uint64_t bytes() const { return bytes_; }

private:
    std::string name_;
    std::uint64_t bytes_;
};

/// What a pipe can carry at most: has `cat` write the file into one, reads all of it, and returns
/// how many nanoseconds that took.
[[nodiscard]] std::uint64_t read_through_one_pipe(const scratch_file& file);

} // namespace muster::work
