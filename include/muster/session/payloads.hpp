#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

/// The kinds of events. `output` is the lossy lane; every other kind is status and reaches every
/// live subscriber.
enum class event_kind : std::uint8_t {
    output,
    checkpoint,
    needs_input,
    blocked,
    artifact,
    turn_state,
    restarted,
    done,
    crashed,
    killed,
};

inline constexpr std::size_t event_kind_count = 10;

[[nodiscard]] std::string_view to_string(event_kind kind) noexcept;

/// `done`, `crashed` and `killed` end a session.
[[nodiscard]] constexpr bool is_terminal(event_kind kind) noexcept {
    return kind >= event_kind::done;
}

enum class output_stream : std::uint8_t { standard_output, standard_error };

/// Bytes that the worker printed, as they came: not split into lines, not necessarily UTF-8.
struct output {
    static constexpr event_kind kind = event_kind::output;
    output_stream stream;
    std::string bytes;

    output(output_stream new_stream, std::string new_bytes)
        : stream{new_stream}, bytes{std::move(new_bytes)} {}
    explicit output(std::string text) : output{output_stream::standard_output, std::move(text)} {}
};

/// The worker's own summary of where it is.
struct checkpoint {
    static constexpr event_kind kind = event_kind::checkpoint;
    std::string summary;
    std::optional<std::string> detail;
    std::vector<std::string> file_refs;

    explicit checkpoint(std::string new_summary, std::optional<std::string> new_detail = {},
                        std::vector<std::string> new_file_refs = {})
        : summary{std::move(new_summary)}, detail{std::move(new_detail)}, file_refs{std::move(
                                                                              new_file_refs)} {}
};

struct question_option {
    std::string label;
    std::string description;

    explicit question_option(std::string new_label, std::string new_description = {})
        : label{std::move(new_label)}, description{std::move(new_description)} {}
};

/// One question of a `needs_input`; `options` absent means free text.
struct question {
    std::string id;
    std::string header;
    std::string text;
    bool is_other = false;  ///< an answer outside the options is allowed
    bool is_secret = false; ///< the answer must not be shown or logged
    std::optional<std::vector<question_option>> options;

    question(std::string new_id, std::string new_text,
             std::optional<std::vector<question_option>> new_options = {})
        : id{std::move(new_id)}, text{std::move(new_text)}, options{std::move(new_options)} {}
};

/// The worker waits for an answer; see `needs_input_response`. One with the prompt id of an open
/// question replaces it; of too many, the oldest is dropped (`session_info::max_open_questions`).
struct needs_input {
    static constexpr event_kind kind = event_kind::needs_input;
    std::string prompt_id;
    std::string question_text;
    std::vector<std::string> options;
    std::optional<std::string> default_option;
    std::vector<question> questions;

    needs_input(std::string new_prompt_id, std::string new_question_text,
                std::vector<std::string> new_options = {},
                std::optional<std::string> new_default_option = {},
                std::vector<question> new_questions = {})
        : prompt_id{std::move(new_prompt_id)},
          question_text{std::move(new_question_text)}, options{std::move(new_options)},
          default_option{std::move(new_default_option)}, questions{std::move(new_questions)} {}
};

/// The worker cannot go on by itself.
struct blocked {
    static constexpr event_kind kind = event_kind::blocked;
    std::string reason;
    std::optional<std::string> hint;
    std::optional<std::string> log_ref;

    explicit blocked(std::string new_reason, std::optional<std::string> new_hint = {},
                     std::optional<std::string> new_log_ref = {})
        : reason{std::move(new_reason)}, hint{std::move(new_hint)}, log_ref{
                                                                        std::move(new_log_ref)} {}
};

enum class artifact_kind : std::uint8_t {
    diff,
    pull_request,
    test_run,
    log_snippet,
    link,
    session_export,
    other,
};

[[nodiscard]] std::string_view to_string(artifact_kind kind) noexcept;

/// Something that the worker made.
struct artifact {
    static constexpr event_kind kind = event_kind::artifact;
    artifact_kind type;
    std::string other_type; ///< names the type where it is `other`, else empty
    std::optional<std::string> artifact_id;
    std::optional<std::string> label;
    std::optional<std::string> uri;

    explicit artifact(artifact_kind new_type, std::optional<std::string> new_artifact_id = {},
                      std::optional<std::string> new_label = {},
                      std::optional<std::string> new_uri = {})
        : type{new_type}, artifact_id{std::move(new_artifact_id)}, label{std::move(new_label)},
          uri{std::move(new_uri)} {}
};

/// A turn begins or ends. The end of a turn is not the end of the session.
struct turn_state {
    static constexpr event_kind kind = event_kind::turn_state;
    bool active;

    explicit turn_state(bool new_active) : active{new_active} {}
};

/// The runtime has started the worker anew after it ended; the session keeps its id and its
/// subscribers.
struct restarted {
    static constexpr event_kind kind = event_kind::restarted;
    std::uint32_t attempt; ///< 1 for the first restart
    std::string reason;    ///< how the previous worker ended

    restarted(std::uint32_t new_attempt, std::string new_reason)
        : attempt{new_attempt}, reason{std::move(new_reason)} {}
};

struct done {
    static constexpr event_kind kind = event_kind::done;
    std::optional<std::string> summary;

    explicit done(std::optional<std::string> new_summary = {}) : summary{std::move(new_summary)} {}
};

struct crashed {
    static constexpr event_kind kind = event_kind::crashed;
    std::string reason;

    explicit crashed(std::string new_reason) : reason{std::move(new_reason)} {}
};

struct killed {
    static constexpr event_kind kind = event_kind::killed;
};

template <typename T>
concept event_payload = requires {
    { T::kind } -> std::convertible_to<event_kind>;
};

/// One answer of a `needs_input_response`.
struct input_answer {
    std::string question_id; ///< empty for a `needs_input` that lists no `questions`
    std::string answer;

    input_answer(std::string new_question_id, std::string new_answer)
        : question_id{std::move(new_question_id)}, answer{std::move(new_answer)} {}
};

/// The answer to an open `needs_input`: every question exactly once.
struct needs_input_response {
    std::string prompt_id;
    std::vector<input_answer> answers;

    needs_input_response(std::string new_prompt_id, std::vector<input_answer> new_answers)
        : prompt_id{std::move(new_prompt_id)}, answers{std::move(new_answers)} {}
    needs_input_response(std::string new_prompt_id, std::string answer)
        : prompt_id{std::move(new_prompt_id)} {
        answers.emplace_back("", std::move(answer));
    }
};

} // namespace muster
