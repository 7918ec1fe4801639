#include <muster/backend/protocol.hpp>
#include <muster/error.hpp>

#include <nlohmann/json.hpp>

namespace muster {
namespace {

using json = nlohmann::ordered_json;

json start(const char* member, std::string_view name) {
    json line;
    line["muster"] = 1;
    line[member] = name;
    return line;
}

std::string finish(const json& line) {
    return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

void put(json& line, const char* name, const std::optional<std::string>& value) {
    if (value) {
        line[name] = *value;
    }
}

json encode(const question_option& option) {
    json result;
    result["label"] = option.label;
    result["description"] = option.description;
    return result;
}

json encode(const question& source) {
    json result;
    result["id"] = source.id;
    result["header"] = source.header;
    result["question"] = source.text;
    result["is_other"] = source.is_other;
    result["is_secret"] = source.is_secret;
    if (source.options) {
        result["options"] = json::array();
        for (const question_option& option : *source.options) {
            result["options"].push_back(encode(option));
        }
    }
    return result;
}

void fill(json& line, const output& value) {
    line["text"] = value.bytes;
    line["stream"] = value.stream == output_stream::standard_error ? "stderr" : "stdout";
}

void fill(json& line, const checkpoint& value) {
    line["summary"] = value.summary;
    put(line, "detail", value.detail);
    line["file_refs"] = value.file_refs;
}

void fill(json& line, const needs_input& value) {
    line["prompt_id"] = value.prompt_id;
    line["question"] = value.question_text;
    line["options"] = value.options;
    put(line, "default_option", value.default_option);
    line["questions"] = json::array();
    for (const question& asked : value.questions) {
        line["questions"].push_back(encode(asked));
    }
}

void fill(json& line, const blocked& value) {
    line["reason"] = value.reason;
    put(line, "hint", value.hint);
    put(line, "log_ref", value.log_ref);
}

void fill(json& line, const artifact& value) {
    line["kind"] =
        value.type == artifact_kind::other ? value.other_type : std::string{to_string(value.type)};
    put(line, "artifact_id", value.artifact_id);
    put(line, "label", value.label);
    put(line, "uri", value.uri);
}

void fill(json& line, const turn_state& value) {
    line["active"] = value.active;
}

void fill(json& line, const done& value) {
    put(line, "summary", value.summary);
}

void fill(json& line, const crashed& value) {
    line["reason"] = value.reason;
}

void fill(json&, const restarted&) {
    throw error{errc::protocol, "a worker cannot say 'restarted'"};
}

void fill(json&, const killed&) {
    throw error{errc::protocol, "a worker cannot say 'killed'"};
}

} // namespace

std::string encode_protocol_event(const event& value) {
    json line = start("event", to_string(value.kind()));
    value.visit([&line](const auto& payload) { fill(line, payload); });
    return finish(line);
}

std::string encode_protocol_prompt(std::string_view text) {
    json line = start("input", "prompt");
    line["text"] = text;
    return finish(line);
}

std::string encode_protocol_response(const needs_input_response& response) {
    json line = start("input", "response");
    line["prompt_id"] = response.prompt_id;
    line["answers"] = json::array();
    for (const input_answer& answer : response.answers) {
        json entry;
        entry["question_id"] = answer.question_id;
        entry["answer"] = answer.answer;
        line["answers"].push_back(entry);
    }
    return finish(line);
}

} // namespace muster
