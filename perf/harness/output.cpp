#include "harness/output.hpp"

#include <muster/error.hpp>
#include <muster/metrics/write_file.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <utility>

#include <unistd.h>

namespace muster::perf {

namespace fs = std::filesystem;

std::string document_name(std::string_view scenario, std::string_view variant,
                          std::size_t sessions) {
    std::string name{scenario};
    if (!variant.empty()) {
        (name += '-') += variant;
    }
    return name + '-' + std::to_string(sessions) + ".json";
}

report_directory::report_directory(std::string path)
    : path_{(ensure_writable_directory(path), std::move(path))}, index_{path_} {}

void report_directory::write(const report& document) const {
    const auto& scenario = *document.scenario;
    const auto name =
        document_name(scenario.name, scenario.variant, static_cast<std::size_t>(scenario.sessions));
    write_file_atomically((fs::path{path_} / name).string(), to_json(document));
    index_.put({name, scenario.name, scenario.variant, scenario.sessions, document.passed()});
}

void report_directory::write(const growth_curve& curve) const {
    const auto& subject = *curve.subject;
    const auto name =
        "growth-" + subject.name + (subject.variant.empty() ? "" : "-") + subject.variant + ".json";
    write_file_atomically((fs::path{path_} / name).string(), to_json(curve));
    index_.put({name, subject.name, subject.variant, curve.largest(), curve.passed()});
}

void report_directory::note_failure(const scenario& subject, std::size_t sessions,
                                    const std::string& reason) const {
    index_.put({document_name(subject.name, subject.variant, sessions), subject.name,
                subject.variant, sessions, false, reason});
}

baselines::baselines(std::string path) : path_{std::move(path)} {
    if (!fs::is_directory(path_)) {
        single_ = parse_report(read_file(path_), path_);
    }
}

std::string baselines::file_for(std::string_view scenario, std::string_view variant,
                                std::size_t sessions) const {
    if (single_) {
        const bool same = single_->scenario == scenario && single_->variant == variant &&
                          single_->sessions == sessions;
        return same ? path_ : "";
    }
    const auto file = fs::path{path_} / document_name(scenario, variant, sessions);
    return fs::exists(file) ? file.string() : "";
}

bool baselines::cover(const scenario& subject, std::size_t sessions) const {
    report planned;
    planned.scenario =
        report_scenario{subject.name, sessions, subject.config(sessions), subject.variant};
    compare(planned);
    return planned.baseline.has_value();
}

void baselines::compare(report& current) const {
    const auto& scenario = *current.scenario;
    const auto file =
        file_for(scenario.name, scenario.variant, static_cast<std::size_t>(scenario.sessions));
    if (!file.empty()) {
        const auto earlier = single_ ? *single_ : parse_report(read_file(file), file);
        current.baseline = compare_with_baseline(current, earlier, file);
    }
}

progress_line::progress_line() : on_terminal_{::isatty(STDERR_FILENO) == 1} {}

void progress_line::show(const std::string& text) {
    if (on_terminal_) {
        const std::size_t padding = text.size() < width_ ? width_ - text.size() : 0;
        std::fprintf(stderr, "\r%s%s\r", text.c_str(), std::string(padding, ' ').c_str());
        std::fflush(stderr);
        width_ = text.size();
    }
}

void progress_line::milestone(const std::string& text) const {
    if (!on_terminal_) {
        std::fprintf(stderr, "%s\n", text.c_str());
    }
}

void progress_line::clear() {
    if (width_ != 0) {
        show("");
        width_ = 0;
    }
}

} // namespace muster::perf
