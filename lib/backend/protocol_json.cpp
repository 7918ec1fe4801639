#include <muster/backend/protocol.hpp>
#include <muster/error.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace muster {
namespace {

using json = nlohmann::json;

/// A member is missing or of the wrong type: the line is not an event.
struct not_an_event {};

const json* find(const json& object, const char* name) {
    const auto member = object.find(name);
    return member == object.end() || member->is_null() ? nullptr : &*member;
}

std::string text_of(const json& value) {
    if (!value.is_string()) {
        throw not_an_event{};
    }
    return value.get<std::string>();
}

bool flag_of(const json& value) {
    if (!value.is_boolean()) {
        throw not_an_event{};
    }
    return value.get<bool>();
}

std::optional<std::string> optional_text(const json& object, const char* name) {
    const json* member = find(object, name);
    return member == nullptr ? std::optional<std::string>{} : text_of(*member);
}

std::string needed_text(const json& object, const char* name) {
    const json* member = find(object, name);
    return member == nullptr ? throw not_an_event{} : text_of(*member);
}

bool optional_flag(const json& object, const char* name) {
    const json* member = find(object, name);
    return member != nullptr && flag_of(*member);
}

/// The elements of an array that may be absent.
template <typename T>
std::vector<T> list_of(const json* array, T (*element)(const json&)) {
    std::vector<T> list;
    if (array == nullptr) {
        return list;
    }
    if (!array->is_array()) {
        throw not_an_event{};
    }
    list.reserve(array->size());
    for (const json& value : *array) {
        list.push_back(element(value));
    }
    return list;
}

const json& object_of(const json& value) {
    return value.is_object() ? value : throw not_an_event{};
}

question_option decode_option(const json& value) {
    const json& option = object_of(value);
    return question_option{needed_text(option, "label"),
                           optional_text(option, "description").value_or("")};
}

question decode_question(const json& value) {
    const json& source = object_of(value);
    question result{needed_text(source, "id"), needed_text(source, "question")};
    result.header = optional_text(source, "header").value_or("");
    result.is_other = optional_flag(source, "is_other");
    result.is_secret = optional_flag(source, "is_secret");
    if (const json* options = find(source, "options")) {
        result.options = list_of(options, decode_option);
    }
    return result;
}

event decode_output(const json& line) {
    const std::string stream = optional_text(line, "stream").value_or("stdout");
    if (stream != "stdout" && stream != "stderr") {
        throw not_an_event{};
    }
    return output{stream == "stdout" ? output_stream::standard_output
                                     : output_stream::standard_error,
                  needed_text(line, "text")};
}

event decode_checkpoint(const json& line) {
    return checkpoint{needed_text(line, "summary"), optional_text(line, "detail"),
                      list_of(find(line, "file_refs"), text_of)};
}

event decode_needs_input(const json& line) {
    return needs_input{needed_text(line, "prompt_id"), needed_text(line, "question"),
                       list_of(find(line, "options"), text_of),
                       optional_text(line, "default_option"),
                       list_of(find(line, "questions"), decode_question)};
}

event decode_blocked(const json& line) {
    return blocked{needed_text(line, "reason"), optional_text(line, "hint"),
                   optional_text(line, "log_ref")};
}

event decode_artifact(const json& line) {
    const std::string name = needed_text(line, "kind");
    artifact result{artifact_kind::other, optional_text(line, "artifact_id"),
                    optional_text(line, "label"), optional_text(line, "uri")};
    result.other_type = name;
    for (auto kind = artifact_kind::diff; kind != artifact_kind::other;
         kind = static_cast<artifact_kind>(static_cast<int>(kind) + 1)) {
        if (name == to_string(kind)) {
            result.type = kind;
            result.other_type.clear();
        }
    }
    return result;
}

event decode_turn_state(const json& line) {
    const json* active = find(line, "active");
    return turn_state{active == nullptr ? throw not_an_event{} : flag_of(*active)};
}

event decode_done(const json& line) {
    return done{optional_text(line, "summary")};
}

event decode_crashed(const json& line) {
    return crashed{needed_text(line, "reason")};
}

struct decoder {
    std::string_view name;
    event (*decode)(const json&);
};

constexpr std::array<decoder, 8> decoders{{{"output", decode_output},
                                           {"checkpoint", decode_checkpoint},
                                           {"needs_input", decode_needs_input},
                                           {"blocked", decode_blocked},
                                           {"artifact", decode_artifact},
                                           {"turn_state", decode_turn_state},
                                           {"done", decode_done},
                                           {"crashed", decode_crashed}}};

event decode_event(const json& line) {
    const std::string name = needed_text(line, "event");
    for (const decoder& candidate : decoders) {
        if (name == candidate.name) {
            return candidate.decode(line);
        }
    }
    throw not_an_event{};
}

bool has_marker(const json& line) {
    const json* marker = line.is_object() ? find(line, "muster") : nullptr;
    return marker != nullptr && marker->is_number_integer() && *marker == 1;
}

} // namespace

std::optional<event> decode_protocol_line(std::string_view line) {
    // A cheap look first: most lines that begin with a brace are some other program's JSON.
    if (line.find("\"muster\"") == std::string_view::npos) {
        return {};
    }
    const json parsed = json::parse(line, nullptr, false);
    if (!has_marker(parsed)) {
        return {};
    }
    try {
        return decode_event(parsed);
    } catch (const not_an_event&) {
        return {};
    }
}

} // namespace muster
