#include <muster/backend/protocol.hpp>

#include <algorithm>
#include <utility>

namespace muster {

protocol_decoder::protocol_decoder(std::size_t max_line) : max_line_{max_line} {}

void protocol_decoder::feed(std::string_view bytes, std::vector<event>& events) {
    while (!bytes.empty()) {
        bytes.remove_prefix(step(bytes, events));
    }
    flush(events);
}

// True if the held line was an event; else it is output now.
bool protocol_decoder::end_candidate(std::vector<event>& events) {
    state_ = line_state::start;
    std::optional<event> decoded = decode_protocol_line(held_);
    if (!decoded) {
        plain_.append(held_);
        held_.clear();
        return false;
    }
    held_.clear();
    flush(events);
    events.push_back(std::move(*decoded));
    return true;
}

void protocol_decoder::finish(std::vector<event>& events) {
    end_candidate(events);
    flush(events);
}

std::size_t protocol_decoder::step(std::string_view bytes, std::vector<event>& events) {
    switch (state_) {
    case line_state::start: return step_start(bytes);
    case line_state::candidate: return step_candidate(bytes, events);
    case line_state::plain: break;
    }
    return step_plain(bytes);
}

std::size_t protocol_decoder::step_start(std::string_view bytes) {
    const std::size_t blank = std::min(bytes.find_first_not_of(" \t"), bytes.size());
    if (held_.size() + blank > max_line_) {
        give_up();
        return 0;
    }
    held_.append(bytes.substr(0, blank));
    if (blank < bytes.size() && bytes[blank] == '{') {
        state_ = line_state::candidate;
    } else if (blank < bytes.size()) {
        give_up();
    }
    return blank;
}

std::size_t protocol_decoder::step_candidate(std::string_view bytes, std::vector<event>& events) {
    const std::size_t newline = bytes.find('\n');
    const std::size_t length = std::min(newline, bytes.size());
    if (held_.size() + length > max_line_) {
        give_up();
        return 0;
    }
    held_.append(bytes.substr(0, length));
    if (newline == std::string_view::npos) {
        return length;
    }
    if (!end_candidate(events)) {
        plain_.push_back('\n');
    }
    return length + 1;
}

// Goes on over lines that cannot become events, so that plain text is appended in long runs.
std::size_t protocol_decoder::step_plain(std::string_view bytes) {
    std::size_t end = bytes.find('\n');
    while (end != std::string_view::npos && end + 1 < bytes.size() &&
           std::string_view{"{ \t"}.find(bytes[end + 1]) == std::string_view::npos) {
        end = bytes.find('\n', end + 1);
    }
    const std::size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
    plain_.append(bytes.substr(0, taken));
    if (end != std::string_view::npos) {
        state_ = line_state::start;
    }
    return taken;
}

void protocol_decoder::give_up() {
    plain_.append(held_);
    held_.clear();
    state_ = line_state::plain;
}

void protocol_decoder::flush(std::vector<event>& events) {
    if (!plain_.empty()) {
        events.emplace_back(output{std::exchange(plain_, std::string{})});
    }
}

} // namespace muster
