#include "runtime_core.hpp"
#include "session_extras.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <utility>

namespace muster::detail {
namespace {

/// Whether `answer` is one that `asked` allows.
bool is_allowed(const std::string& answer, const question& asked) {
    return !asked.options || asked.is_other ||
           std::any_of(asked.options->begin(), asked.options->end(),
                       [&](const question_option& option) { return option.label == answer; });
}

bool is_allowed(const std::string& answer, const needs_input& asked) {
    return asked.options.empty() ||
           std::find(asked.options.begin(), asked.options.end(), answer) != asked.options.end();
}

[[noreturn]] void refuse(const session_id& id, const std::string& what) {
    throw error{errc::configuration, "session '" + id.str() + "': " + what};
}

void check_answer(const session_id& id, const question& asked, const needs_input_response& given) {
    const auto answers = [&](const input_answer& answer) {
        return answer.question_id == asked.id;
    };
    const auto count = std::count_if(given.answers.begin(), given.answers.end(), answers);
    if (count != 1) {
        refuse(id, "question '" + asked.id + "' needs exactly one answer, not " +
                       std::to_string(count));
    }
    const auto found = std::find_if(given.answers.begin(), given.answers.end(), answers);
    if (!is_allowed(found->answer, asked)) {
        refuse(id, "the answer to question '" + asked.id + "' is none of its options");
    }
}

/// Throws `configuration` unless `given` answers every question of `asked` once, and nothing else.
void check_response(const session_id& id, const needs_input& asked,
                    const needs_input_response& given) {
    const auto expected = std::max<std::size_t>(asked.questions.size(), 1);
    if (given.answers.size() != expected) {
        refuse(id, "prompt '" + asked.prompt_id + "' needs " + std::to_string(expected) +
                       " answers, not " + std::to_string(given.answers.size()));
    }
    if (asked.questions.empty() && !is_allowed(given.answers.front().answer, asked)) {
        refuse(id, "the answer to prompt '" + asked.prompt_id + "' is none of its options");
    }
    for (const auto& each : asked.questions) {
        check_answer(id, each, given);
    }
}

std::vector<envelope>::iterator find_question(std::vector<envelope>& open,
                                              std::string_view prompt_id) {
    return std::find_if(open.begin(), open.end(), [&](const envelope& each) {
        return each.get_if<needs_input>()->prompt_id == prompt_id;
    });
}

} // namespace

// ---- what the ingestion coroutine pushes

void session::push(event value) {
    push(std::span{&value, 1});
}

void session::push(std::span<event> values) {
    const auto began = core_->clock().now();
    note_sign_of_life();
    const auto received = core_->since_start(began);
    for (auto& value : values) {
        take(value, received);
    }
    if (counts_ && !values.empty()) {
        const auto elapsed = tick_clock::between(began, core_->clock().now());
        counters_.add<counter::event_dispatch_nanos_total>(elapsed);
        const std::size_t count = values.size();
        core_->record(latency::dispatch, count == 1 ? elapsed : elapsed / count, count);
    }
}

inline void session::note_sign_of_life() noexcept {
    if (auto* const extra = if_more(); extra != nullptr && extra->silence) {
        extra->silence->last_event = core_->timers().state()->source().now();
    }
}

/// One event of the worker; what comes after the terminal one is ignored.
inline void session::take(event& value, std::chrono::nanoseconds received) {
    const auto* const plan = if_planned();
    if (is_terminal(status()) || (plan != nullptr && plan->last_words)) {
        return;
    }
    if (value.kind() == event_kind::output) [[likely]] {
        publish_output(value, received);
    } else if (!is_terminal(value.kind())) {
        heed(publish_status(value, received));
    } else if (!hold_last_words(value)) {
        finish_with(value);
    }
}

/// The worker's own last words say how it ended.
void session::finish_with(event& value) {
    switch (value.kind()) {
    case event_kind::done: finish(session_status::done, std::move(value)); break;
    case event_kind::killed: finish(session_status::killed, std::move(value)); break;
    default: finish(session_status::crashed, std::move(value)); break;
    }
}

/// What the session itself learns from an event that it has published.
void session::heed(const envelope& published) {
    if (const auto* change = published.get_if<turn_state>()) {
        prompter_.turn_changed(change->active);
        turn_active_.store(change->active, std::memory_order_relaxed);
        send_deferred();
    } else if (published.kind() == event_kind::needs_input) {
        open_question(published);
    }
}

// ---- publication

// The runtime's channel numbers the event, then both channels share it; nobody copies it. A number
// of 0 means that the runtime is going away.

inline envelope session::envelop(event& value, std::chrono::nanoseconds received) {
    if (!envelope::is_publishable(value)) [[unlikely]] {
        value = envelope::clone(value);
        count<counter::event_clone_ops_total>();
    }
    return envelope{std::move(value), id_, received};
}

inline void session::publish_output(event& value, std::chrono::nanoseconds received) {
    auto published = envelop(value, received);
    count_published(published);
    const auto bytes = published.output_bytes();
    const auto stamp = [&](std::uint64_t number) {
        published.stamp(number);
    };
    if (const auto number = core_->everyone().publish_stamped(published, stamp, bytes)) {
        channel_.publish_at(number, std::move(published), bytes);
    }
}

/// The latest of each status kind is kept for slow subscribers, under a key in each channel. The
/// terminal one ends the session's channel.
envelope session::publish_status(event& value, std::chrono::nanoseconds received) {
    auto published = envelop(value, received);
    count_published(published);
    const auto kind = published.kind();
    auto& keys = more();
    const auto stamp = [&](std::uint64_t number) {
        published.stamp(number);
    };
    if (const auto number = core_->everyone().publish_stamped(published, stamp, 0,
                                                              &key_of(keys.global_keys, kind))) {
        auto& key = key_of(keys.session_keys, kind);
        if (is_terminal(kind)) {
            channel_.close_with(number, published, 0, &key);
        } else {
            channel_.publish_at(number, published, 0, &key);
        }
    }
    return published;
}

inline void session::count_published(const envelope& published) {
    if (!counts_) {
        return;
    }
    const auto to_session = channel_.subscriber_count();
    const auto to_everyone = core_->everyone().subscriber_count();
    counters_.add<counter::events_received_total>();
    counters_.add<counter::output_bytes_total>(published.output_bytes());
    if (to_session != 0) {
        counters_.add<counter::events_forwarded_session_total>();
    }
    if (to_everyone != 0) {
        counters_.add<counter::events_forwarded_global_total>();
    }
    counters_.set_receivers(static_cast<std::uint32_t>(to_session),
                            static_cast<std::uint32_t>(to_everyone));
    switch (published.kind()) {
    case event_kind::done: counters_.add<counter::done_events_total>(); break;
    case event_kind::crashed: counters_.add<counter::crashed_events_total>(); break;
    case event_kind::killed: counters_.add<counter::killed_events_total>(); break;
    default: break;
    }
}

// ---- what subscribers report, from any thread

void session::lagged(const gap& missing, bool marked) noexcept {
    if (counts_) {
        count_lag(counters_, missing, marked);
        core_->totals.add<counter::subscriber_lagged_errors_session_total>();
        core_->totals.add<counter::subscriber_lagged_events_session_total>(missing.events);
    }
}

void session::closed() noexcept {
    core_->totals.add<counter::subscriber_closed_session_total>();
}

void session::received(const envelope& oldest) noexcept {
    core_->record_receipt(oldest);
}

// ---- questions

/// As the newest; the oldest makes room. A worker may ask without end.
void session::extras::keep_question(const envelope& question) {
    if (open_questions.size() == session_info::max_open_questions) {
        open_questions.erase(open_questions.begin());
        ++dropped_questions;
    }
    open_questions.push_back(question);
}

void session::open_question(const envelope& published) {
    auto& extra = more();
    {
        const std::lock_guard lock{extra.mutex};
        const auto known =
            find_question(extra.open_questions, published.get_if<needs_input>()->prompt_id);
        if (known == extra.open_questions.end()) {
            extra.keep_question(published);
        } else {
            *known = published;
        }
    }
    prompter_.waiting_changed(true);
}

/// Closes the question that `response` answers and returns it. Throws if there is none such, or if
/// the response does not fit.
envelope session::take_question(const needs_input_response& response) {
    auto& extra = more();
    const std::lock_guard lock{extra.mutex};
    const auto found = find_question(extra.open_questions, response.prompt_id);
    if (found == extra.open_questions.end()) {
        throw error{errc::prompt_not_found, "session '" + id_.str() + "' has no open prompt '" +
                                                response.prompt_id + "': see its open questions"};
    }
    check_response(id_, *found->get_if<needs_input>(), response);
    auto taken = *found;
    extra.open_questions.erase(found);
    ++extra.answers_under_way;
    return taken;
}

void session::restore_question(const envelope& question) {
    auto& extra = more();
    const std::lock_guard lock{extra.mutex};
    if (status() == session_status::running &&
        find_question(extra.open_questions, question.get_if<needs_input>()->prompt_id) ==
            extra.open_questions.end()) {
        extra.keep_question(question);
    }
}

/// The worker has its answer, or has refused it. Until now it was still waiting: no prompt went
/// out.
void session::answer_settled() {
    auto& extra = more();
    --extra.answers_under_way;
    {
        const std::lock_guard lock{extra.mutex};
        prompter_.waiting_changed(!extra.open_questions.empty() || extra.answers_under_way != 0);
    }
    send_deferred();
}

} // namespace muster::detail
