#include "harness/index.hpp"

#include <muster/error.hpp>
#include <muster/metrics/report.hpp>
#include <muster/metrics/write_file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

namespace muster::perf {
namespace {

namespace fs = std::filesystem;

using json = nlohmann::ordered_json;

constexpr const char* schema_name = "muster-report-index";

bool is_entry(const json& candidate) {
    return candidate.is_object() && candidate.contains("file") && candidate["file"].is_string();
}

bool is_index(const json& document) {
    return document.is_object() && document.contains("documents") &&
           document.value("schema", json{}) == schema_name &&
           document.value("schema_version", json{}) == report_schema_version &&
           document["documents"].is_array() &&
           std::all_of(document["documents"].begin(), document["documents"].end(), is_entry);
}

/// The entries that stand there; none where there is no index yet.
json read_entries(const fs::path& file) {
    if (!fs::exists(file)) {
        return json::array();
    }
    auto document = json::parse(read_file(file.string()), nullptr, false);
    if (!is_index(document)) {
        throw error{errc::configuration, file.string() + " is not an index that this muster-perf "
                                                         "writes; remove it or choose another "
                                                         "directory"};
    }
    return std::move(document["documents"]);
}

json to_json(const index_entry& entry) {
    json section{{"file", entry.file},
                 {"scenario", entry.scenario},
                 {"sessions", entry.sessions},
                 {"passed", entry.passed}};
    if (!entry.variant.empty()) {
        section["variant"] = entry.variant;
    }
    if (!entry.failed.empty()) {
        section["failed"] = entry.failed;
    }
    return section;
}

/// Whether its document is there, or was never to be had.
bool stands(const json& entry, const fs::path& directory) {
    return entry.contains("failed") || fs::exists(directory / entry["file"].get<std::string>());
}

} // namespace

report_index::report_index(std::string directory) : directory_{std::move(directory)} {
    static_cast<void>(read_entries(fs::path{directory_} / "index.json"));
}

// Read anew each time: another invocation may have written meanwhile.
void report_index::put(const index_entry& entry) const {
    const auto file = fs::path{directory_} / "index.json";
    auto documents = json::array();
    auto added = to_json(entry);
    for (auto& each : read_entries(file)) {
        if (each["file"] == entry.file) {
            documents.push_back(std::exchange(added, nullptr));
        } else if (stands(each, directory_)) {
            documents.push_back(std::move(each));
        }
    }
    if (!added.is_null()) {
        documents.push_back(std::move(added));
    }
    const json index{{"schema", schema_name},
                     {"schema_version", report_schema_version},
                     {"written_at", to_rfc3339(std::chrono::system_clock::now())},
                     {"documents", std::move(documents)}};
    write_file_atomically(file.string(),
                          index.dump(2, ' ', false, json::error_handler_t::replace) + '\n');
}

} // namespace muster::perf
