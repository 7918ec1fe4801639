#pragma once

#include <muster/session/event.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

// The worker protocol, version 1: JSON Lines on the worker's standard output and input.
//
// A line of output is an event if it is one JSON object (RFC 8259, UTF-8) that has `"muster": 1`
// and a valid `"event"`; the line is then consumed. Members marked ? may be absent or null, unknown
// members are ignored, their order is free. Every other line is plain output, byte by byte:
//
//     {"muster":1, "event":"checkpoint", "summary":s, "detail"?:s, "file_refs"?:[s…]}
//     {"muster":1, "event":"needs_input", "prompt_id":s, "question":s, "options"?:[s…],
//      "default_option"?:s, "questions"?:[{"id":s, "question":s, "header"?:s, "is_other"?:b,
//      "is_secret"?:b, "options"?:[{"label":s, "description"?:s}…]}…]}
//     {"muster":1, "event":"blocked", "reason":s, "hint"?:s, "log_ref"?:s}
//     {"muster":1, "event":"artifact", "kind":s, "artifact_id"?:s, "label"?:s, "uri"?:s}
//     {"muster":1, "event":"turn_state", "active":b}
//     {"muster":1, "event":"output", "text":s, "stream"?:"stdout"|"stderr"}
//     {"muster":1, "event":"done", "summary"?:s}
//     {"muster":1, "event":"crashed", "reason":s}
//
// An artifact's kind is diff, pull_request, test_run, log_snippet, link, session_export or any
// other name. `killed` and `restarted` are the supervisor's to say; such lines are plain output.
//
// Plain text may be sent to any worker. A worker that asked a question gets its answer as one line;
// structured prompts are there for workers that prefer them:
//
//     {"muster":1, "input":"response", "prompt_id":s, "answers":[{"question_id":s, "answer":s}…]}
//     {"muster":1, "input":"prompt", "text":s}

/// A worker's bytes go in, in pieces of any size; events come out. Owns at most one unfinished
/// line.
///
/// - However the bytes are cut, the same structured events come out in the same places, and the
///   output between them joins to the same bytes; none is lost, changed or made up.
/// - Only a line that may still become an event (its first byte that is no space or tab is `{`) is
///   held back, and only up to `max_line` bytes, its newline not counted; a longer one is output.
///   Other text, a prompt without newline for one, comes out at once.
///
/// Not thread-safe. Linear in the bytes fed.
class protocol_decoder {
public:
    explicit protocol_decoder(std::size_t max_line = std::size_t{1} << 20);

    /// Appends to `events` what `bytes` complete.
    void feed(std::string_view bytes, std::vector<event>& events);

    /// The stream has ended: an unfinished line is decoded as if a newline followed.
    void finish(std::vector<event>& events);

    /// Bytes held back.
    [[nodiscard]] std::size_t held() const noexcept { return held_.size(); }

private:
    enum class line_state : std::uint8_t {
        start,     ///< nothing but spaces and tabs so far, all held
        candidate, ///< began with '{'; held
        plain,     ///< output until the newline; nothing held
    };

    // Each takes a part of `bytes` and returns its size; 0 only if the state has changed.
    std::size_t step(std::string_view bytes, std::vector<event>& events);
    std::size_t step_start(std::string_view bytes);
    std::size_t step_candidate(std::string_view bytes, std::vector<event>& events);
    std::size_t step_plain(std::string_view bytes);
    bool end_candidate(std::vector<event>& events);
    void give_up();
    void flush(std::vector<event>& events);

    std::string held_;  ///< the unfinished line, while not `plain`
    std::string plain_; ///< output that is on its way into one event
    std::size_t max_line_;
    line_state state_ = line_state::start;
};

/// One line of output, without its newline, as an event; none if it is not one.
[[nodiscard]] std::optional<event> decode_protocol_line(std::string_view line);

/// One event as a line with its newline, as a worker would print it. Text that is not UTF-8 is
/// repaired with U+FFFD. Throws `error{errc::protocol}` for `killed` and `restarted`.
[[nodiscard]] std::string encode_protocol_event(const event& value);

/// A structured prompt as a line with its newline.
[[nodiscard]] std::string encode_protocol_prompt(std::string_view text);

/// An answer as a line with its newline.
[[nodiscard]] std::string encode_protocol_response(const needs_input_response& response);

} // namespace muster
