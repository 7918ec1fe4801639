#include "process_child.hpp"

#include <muster/backend/process.hpp>
#include <muster/error.hpp>

#include <cstring>
#include <utility>

namespace muster {
namespace {

/// A session's end of its child.
class process_worker final : public worker {
public:
    explicit process_worker(std::shared_ptr<detail::process_child> child)
        : child_{std::move(child)} {}
    ~process_worker() override { child_->abandon(); }

    const session_id& id() const noexcept override { return child_->id(); }

    session_awaitable<> run(event_sink& events) override { return child_->run(events); }

    bool try_send_input(std::string_view bytes) override { return child_->input().try_send(bytes); }

    session_awaitable<> send_input(std::string bytes) override {
        return child_->input().send(std::move(bytes));
    }

    session_awaitable<> resize(terminal_size size) override {
        if (child_->settings().mode != process_mode::pty) {
            return worker::resize(size);
        }
        return resize_terminal(child_, size);
    }

    session_awaitable<> respond(needs_input_response response) override {
        if (!child_->settings().protocol) {
            return worker::respond(std::move(response));
        }
        return child_->input().send(encode_protocol_response(response));
    }

    session_awaitable<> kill() override { return child_->kill(); }

    void abandon() noexcept override { child_->abandon(); }

private:
    static session_awaitable<> resize_terminal(std::shared_ptr<detail::process_child> child,
                                               terminal_size size) {
        child->resize(size);
        co_return;
    }

    std::shared_ptr<detail::process_child> child_;
};

} // namespace

std::string process_report::text() const {
    if (exit_code) {
        return "exited with code " + std::to_string(*exit_code);
    }
    if (!signal) {
        return "ended in an unknown way";
    }
    const char* name = ::sigabbrev_np(*signal);
    return "killed by signal " + std::to_string(*signal) +
           (name != nullptr ? std::string{" (SIG"} + name + ")" : std::string{});
}

process_backend::process_backend(asio::io_context& context, process_options options)
    : options_{std::make_shared<const process_options>(std::move(options))},
      guardian_{std::make_shared<detail::guardian_link>(context)} {}

process_backend::~process_backend() = default;

std::size_t process_backend::live_groups() const noexcept {
    return guardian_->live();
}

session_awaitable<std::unique_ptr<worker>> process_backend::spawn(const spawn_request& request,
                                                                  session_executor executor) {
    if (request.command.empty()) {
        throw error{errc::configuration,
                    "session '" + request.id.str() + "': its command is empty: name a program"};
    }
    process_settings settings = options_->defaults;
    if (options_->adjust) {
        options_->adjust(request, settings);
    }
    auto child = std::make_shared<detail::process_child>(std::move(executor), request.id, options_,
                                                         settings, guardian_);
    std::unique_ptr<worker> result = std::make_unique<process_worker>(child);
    co_await child->start(request);
    co_return result;
}

} // namespace muster
