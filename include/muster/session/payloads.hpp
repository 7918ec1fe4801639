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

    output(output_stream stream, std::string bytes) : stream{stream}, bytes{std::move(bytes)} {}
    explicit output(std::string bytes) : output{output_stream::standard_output, std::move(bytes)} {}
};

/// The worker's own summary of where it is.
struct checkpoint {
    static constexpr event_kind kind = event_kind::checkpoint;
    std::string summary;
    std::optional<std::string> detail;
    std::vector<std::string> file_refs;

    explicit checkpoint(std::string summary, std::optional<std::string> detail = {},
                        std::vector<std::string> file_refs = {})
        : summary{std::move(summary)}, detail{std::move(detail)}, file_refs{std::move(file_refs)} {}
};

struct question_option {
    std::string label;
    std::string description;

    explicit question_option(std::string label, std::string description = {})
        : label{std::move(label)}, description{std::move(description)} {}
};

/// One question of a `needs_input`; `options` absent means free text.
struct question {
    std::string id;
    std::string header;
    std::string text;
    bool is_other = false;  ///< an answer outside the options is allowed
    bool is_secret = false; ///< the answer must not be shown or logged
    std::optional<std::vector<question_option>> options;

    question(std::string id, std::string text,
             std::optional<std::vector<question_option>> options = {})
        : id{std::move(id)}, text{std::move(text)}, options{std::move(options)} {}
};

/// The worker waits for an answer; see `needs_input_response`.
struct needs_input {
    static constexpr event_kind kind = event_kind::needs_input;
    std::string prompt_id;
    std::string question_text;
    std::vector<std::string> options;
    std::optional<std::string> default_option;
    std::vector<question> questions;

    needs_input(std::string prompt_id, std::string question_text,
                std::vector<std::string> options = {},
                std::optional<std::string> default_option = {},
                std::vector<question> questions = {})
        : prompt_id{std::move(prompt_id)},
          question_text{std::move(question_text)}, options{std::move(options)},
          default_option{std::move(default_option)}, questions{std::move(questions)} {}
};

/// The worker cannot go on by itself.
struct blocked {
    static constexpr event_kind kind = event_kind::blocked;
    std::string reason;
    std::optional<std::string> hint;
    std::optional<std::string> log_ref;

    explicit blocked(std::string reason, std::optional<std::string> hint = {},
                     std::optional<std::string> log_ref = {})
        : reason{std::move(reason)}, hint{std::move(hint)}, log_ref{std::move(log_ref)} {}
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

    explicit artifact(artifact_kind type, std::optional<std::string> artifact_id = {},
                      std::optional<std::string> label = {}, std::optional<std::string> uri = {})
        : type{type}, artifact_id{std::move(artifact_id)}, label{std::move(label)}, uri{std::move(
                                                                                        uri)} {}
};

/// A turn begins or ends. The end of a turn is not the end of the session.
struct turn_state {
    static constexpr event_kind kind = event_kind::turn_state;
    bool active;

    explicit turn_state(bool active) : active{active} {}
};

/// The runtime has started the worker anew after it ended; the session keeps its id and its
/// subscribers.
struct restarted {
    static constexpr event_kind kind = event_kind::restarted;
    std::uint32_t attempt; ///< 1 for the first restart
    std::string reason;    ///< how the previous worker ended

    restarted(std::uint32_t attempt, std::string reason)
        : attempt{attempt}, reason{std::move(reason)} {}
};

struct done {
    static constexpr event_kind kind = event_kind::done;
    std::optional<std::string> summary;

    explicit done(std::optional<std::string> summary = {}) : summary{std::move(summary)} {}
};

struct crashed {
    static constexpr event_kind kind = event_kind::crashed;
    std::string reason;

    explicit crashed(std::string reason) : reason{std::move(reason)} {}
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

    input_answer(std::string question_id, std::string answer)
        : question_id{std::move(question_id)}, answer{std::move(answer)} {}
};

/// The answer to an open `needs_input`: every question exactly once.
struct needs_input_response {
    std::string prompt_id;
    std::vector<input_answer> answers;

    needs_input_response(std::string prompt_id, std::vector<input_answer> answers)
        : prompt_id{std::move(prompt_id)}, answers{std::move(answers)} {}
    needs_input_response(std::string prompt_id, std::string answer)
        : prompt_id{std::move(prompt_id)} {
        answers.emplace_back("", std::move(answer));
    }
};

} // namespace muster
