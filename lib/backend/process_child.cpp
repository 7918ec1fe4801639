#include "process_child.hpp"

#include <muster/detail/later.hpp>
#include <muster/error.hpp>

#include <sys/wait.h>

#include <csignal>
#include <utility>

namespace muster::detail {

/// Connects the streams to the sink for as long as `run` runs.
class process_child::reading {
public:
    reading(process_child& child, event_sink& sink) : child_{child} { child_.start_reading(sink); }
    reading(const reading&) = delete;
    reading& operator=(const reading&) = delete;
    ~reading() { child_.stop_reading(); }

private:
    process_child& child_;
};

/// Marks a kill that is on its way.
class process_child::climbing {
public:
    explicit climbing(process_child& child) : child_{child} { child_.climbing_ = true; }
    climbing(const climbing&) = delete;
    climbing& operator=(const climbing&) = delete;
    ~climbing() {
        child_.climbing_ = false;
        child_.changed_.notify();
    }

private:
    process_child& child_;
};

process_child::process_child(const session_executor& executor, session_id id,
                             std::shared_ptr<const process_options> options,
                             process_settings settings, std::shared_ptr<guardian_link> guardian)
    : executor_{executor}, id_{std::move(id)}, options_{std::move(options)}, settings_{settings},
      guardian_{std::move(guardian)}, changed_{executor},
      sources_{output_source{descriptor{executor}, output_stream::standard_output},
               output_source{descriptor{executor}, output_stream::standard_error}} {
    if (settings_.protocol) {
        decoder_.emplace(settings_.max_protocol_line);
    }
}

// ---- what the guardian says ----

void process_child::hear(const guard_report& report) {
    asio::post(executor_, [self = shared_from_this(), report] { self->note(report); });
}

void process_child::hear_lost() {
    asio::post(executor_, [self = shared_from_this()] { self->note_lost(); });
}

void process_child::note(const guard_report& report) {
    switch (report.news) {
    case guard_news::starting: break; // the link's to know
    case guard_news::spawned:
        slot_ = report.slot;
        pid_ = report.pid;
        break;
    case guard_news::refused: refusal_ = report; break;
    case guard_news::exited:
        exited_ = true;
        killed_ = killed_ || climbing_;
        status_ = report.value;
        exit_time_ = clock::now();
        terminal_.reset();
        input_->close();
        break;
    case guard_news::gone:
        gone_ = true;
        report_end();
        break;
    }
    changed_.notify();
}

void process_child::note_lost() {
    killed_ = killed_ || (climbing_ && !exited_);
    lost_ = true;
    if (input_) {
        input_->close();
    }
    terminal_.reset();
    report_end();
    changed_.notify();
}

// ---- ending ----

session_awaitable<bool> process_child::until(condition met, clock::time_point deadline) {
    while (!(this->*met)() && clock::now() < deadline) {
        const bool cancelled = co_await is_cancelled();
        if (cancelled) {
            co_return false;
        }
        co_await changed_.wait_until(deadline);
    }
    co_return (this->*met)();
}

session_awaitable<bool> process_child::gone_within(std::chrono::nanoseconds grace) {
    const auto deadline = later(clock::now(), grace);
    const bool gone = co_await until(&process_child::is_settled, deadline);
    if (!gone) {
        co_await throw_if_cancelled();
    }
    co_return gone;
}

session_awaitable<> process_child::run(event_sink& sink) {
    const auto self = shared_from_this();
    const reading connection{*this, sink};
    const bool over = co_await until(&process_child::is_over, clock::time_point::max());
    if (!over) {
        co_return;
    }
    if (!exited_ && !is_settled() && !climbing_) {
        co_await climb();
    }
    co_await until(&process_child::is_drained, later(exit_time_, settings_.drain));
    co_await settle();
    const bool cancelled = co_await is_cancelled();
    if (!abandoned_ && !cancelled) {
        conclude();
    }
}

// The group's end, by whoever brings it about: a kill that is on its way, or we.
session_awaitable<> process_child::settle() {
    co_await until(&process_child::is_kill_over, clock::time_point::max());
    if (is_settled()) {
        co_return;
    }
    guardian_->release(token_, slot_);
    co_await gone_within(settings_.grace.kill);
}

void process_child::conclude() {
    read_rest();
    if (decoder_ && !terminal_seen_) {
        decoder_->finish(decoded_);
        deliver_decoded();
    }
    report_end();
    if (failure_) {
        throw sys::system_error{*failure_};
    }
    if (killed_ || terminal_seen_) {
        return;
    }
    if (lost_ && !exited_) {
        sink_->push(event{crashed{"the guardian of child processes was killed"}});
    } else if (status_ != 0) {
        sink_->push(event{crashed{make_report().text()}});
    }
}

session_awaitable<> process_child::kill() {
    const auto self = shared_from_this();
    co_await until(&process_child::is_kill_over, clock::time_point::max());
    if (!is_settled()) {
        co_await climb();
    }
    if (!is_settled()) {
        throw error{errc::process, "session '" + id_.str() + "': process group " +
                                       std::to_string(pid_) + " survived SIGKILL"};
    }
}

session_awaitable<> process_child::climb() {
    const climbing mark{*this};
    const kill_grace& grace = settings_.grace;
    if (grace.close_input.count() > 0) {
        input_->close();
        if (co_await gone_within(grace.close_input)) {
            co_return;
        }
    }
    if (co_await signal_step(SIGINT, grace.interrupt)) {
        co_return;
    }
    if (co_await signal_step(SIGTERM, grace.terminate)) {
        co_return;
    }
    killed_ = killed_ || !exited_; // however late that comes
    guardian_->release(token_, slot_);
    co_await gone_within(grace.kill);
}

session_awaitable<bool> process_child::signal_step(int signal, std::chrono::nanoseconds grace) {
    if (grace.count() <= 0) {
        co_return false;
    }
    guardian_->signal(token_, slot_, signal);
    const bool gone = co_await gone_within(grace);
    co_return gone;
}

void process_child::resize(terminal_size size) {
    const int terminal = sources_[0].fd.is_open() ? sources_[0].fd.native_handle() : -1;
    const int code = terminal < 0 ? ENOTTY : set_terminal_size(terminal, size);
    if (code != 0) {
        throw error{errc::process, "session '" + id_.str() + "': its terminal cannot be resized: " +
                                       std::generic_category().message(code)};
    }
}

void process_child::abandon() noexcept {
    if (token_ != 0 && !is_settled()) {
        guardian_->abandon(token_);
    }
    abandoned_ = true;
    stop_reading();
    close_streams();
    changed_.notify();
}

void process_child::close_streams() {
    if (input_) {
        input_->close();
    }
    terminal_.reset();
    sys::error_code ignored;
    for (output_source& source : sources_) {
        source.fd.close(ignored);
    }
}

process_report process_child::make_report() const {
    process_report report;
    report.pid = pid_;
    report.group_empty = gone_;
    if (exited_ && WIFEXITED(status_)) {
        report.exit_code = WEXITSTATUS(status_);
    } else if (exited_ && WIFSIGNALED(status_)) {
        report.signal = WTERMSIG(status_);
    }
    return report;
}

void process_child::report_end() {
    if (!abandoned_ && !std::exchange(reported_, true) && pid_ != 0 && options_->on_ended) {
        options_->on_ended(id_, make_report());
    }
}

} // namespace muster::detail
