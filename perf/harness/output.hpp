#pragma once

#include "harness/index.hpp"
#include "harness/scenario.hpp"
#include "harness/sweep.hpp"

#include <muster/metrics/report.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::perf {

/// The name of a document in a directory of reports: fanout_overhead-30.json, or with a variant,
/// channel-batch_40-512.json.
[[nodiscard]] std::string document_name(std::string_view scenario, std::string_view variant,
                                        std::size_t sessions);

/// Writes documents into a directory, each of them whole or not at all, and after each of them the
/// index of all.
class report_directory {
public:
    /// Makes the directory if need be. Throws `error` if nothing can be written there, or if its
    /// index.json is something else.
    explicit report_directory(std::string path);

    /// Throws `error` with one line; what stands in the directory is whole.
    void write(const report& document) const;
    /// A growth curve's document, as growth-NAME.json. Throws as `write`.
    void write(const growth_curve& curve) const;
    /// Lists a run that came to no document. Throws as `write`.
    void note_failure(const scenario& subject, std::size_t sessions,
                      const std::string& reason) const;

private:
    std::string path_;
    report_index index_;
};

/// Earlier reports to compare with: one document, or a directory of them.
class baselines {
public:
    /// Throws `error` if `path` does not exist, or is a file that is not a scenario's report.
    explicit baselines(std::string path);

    /// Puts the comparison into `current` if there is an earlier report of the same scenario and
    /// session count. Throws `error` if that one cannot be read (protocol: it is no report) or was
    /// made with another config (configuration).
    void compare(report& current) const;

    /// Whether there is anything to compare that load with. Throws as `compare`.
    [[nodiscard]] bool cover(const scenario& subject, std::size_t sessions) const;

private:
    [[nodiscard]] std::string file_for(std::string_view scenario, std::string_view variant,
                                       std::size_t sessions) const;

    std::string path_;
    std::optional<report_samples> single_; // nothing: path_ is a directory
};

/// Says what is under way, on one line of a terminal; where standard error is none, only the
/// milestones, for who reads a log.
class progress_line {
public:
    progress_line();
    progress_line(const progress_line&) = delete;
    progress_line& operator=(const progress_line&) = delete;
    ~progress_line() { clear(); }

    void show(const std::string& text);
    void clear();
    /// A line of its own, off a terminal.
    void milestone(const std::string& text) const;

private:
    bool on_terminal_;
    std::size_t width_ = 0;
};

} // namespace muster::perf
