#pragma once

#include <cstdint>
#include <string>

namespace muster::perf {

/// One document of a directory, or the one that a failed run did not come to.
struct index_entry {
    std::string file;
    std::string scenario;
    std::string variant;
    std::uint64_t sessions = 0;
    bool passed = false;
    std::string failed{}; ///< what ended the run; then a file of that name is an earlier run's
};

/// The index.json of a directory of reports: what all invocations left there (schema
/// "muster-report-index"; tools/schema has its JSON Schema).
class report_index {
public:
    /// Throws `error` if there is an index.json that is something else, which is left alone.
    explicit report_index(std::string directory);

    /// Puts an entry in place of that file's former one, drops those whose file is gone, and writes
    /// the index, whole or not at all. Throws `error` with one line.
    void put(const index_entry& entry) const;

private:
    std::string directory_;
};

} // namespace muster::perf
