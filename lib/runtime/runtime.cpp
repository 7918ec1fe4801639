#include <muster/runtime.hpp>

#include "counted_call.hpp"
#include "runtime_core.hpp"
#include "shutdown.hpp"
#include "snapshot.hpp"
#include "spawning.hpp"
#include "subscribing.hpp"

#include <muster/detail/async_on.hpp>
#include <muster/error.hpp>

#include <boost/asio/deferred.hpp>

#include <algorithm>
#include <utility>

namespace muster {
namespace {

using detail::core_ptr;
using detail::on_cancel;
using detail::session_ptr;

/// `held`: the registry's lock, of either kind.
template <typename Lock>
session_ptr find(const detail::runtime_core& core, const session_id& id, const Lock& /*held*/) {
    return core.sessions.get(id);
}

/// Runs `work`, one of the session's coroutines, on its strand: an operation to be awaited.
auto on_strand(const session_executor& strand, session_awaitable<> work, on_cancel when_cancelled) {
    return detail::async_on(strand, std::move(work), when_cancelled, asio::deferred);
}

} // namespace

runtime::runtime(asio::io_context& context, std::shared_ptr<backend> workers,
                 const runtime_options& options)
    : core_{detail::make_core(context, std::move(workers), options)} {}

runtime::~runtime() {
    core_->close();
}

asio::io_context& runtime::context() const noexcept {
    return core_->context();
}

asio::awaitable<void> runtime::spawn(spawn_request request, spawn_options options) {
    const core_ptr core = core_;
    detail::spawn_call call{core->totals};
    request.validate();
    options.validate();
    const session_ptr added{new detail::session{*core, request.id, options}};
    auto work = detail::spawn_session(core, added, std::move(request));
    co_await on_strand(added->executor(), std::move(work), on_cancel::finish);
    call.succeed_as<counter::spawn_successes_total>();
}

asio::awaitable<void> runtime::kill(session_id id) {
    const core_ptr core = core_;
    detail::kill_call call{core->totals};
    const session_ptr found = find(*core, id, co_await core->lock.async_lock_shared());
    co_await on_strand(found->executor(), found->stop(), on_cancel::finish);
    call.succeed_as<counter::kill_successes_total>();
}

asio::awaitable<void> runtime::send_input(session_id id, std::string bytes) {
    const core_ptr core = core_;
    detail::input_call call{core->totals};
    const session_ptr found = find(*core, id, co_await core->lock.async_lock_shared());
    auto work = found->send_input(std::move(bytes));
    co_await on_strand(found->executor(), std::move(work), on_cancel::forward);
    call.succeed();
}

asio::awaitable<void> runtime::resize(session_id id, terminal_size size) {
    const core_ptr core = core_;
    detail::resize_call call{core->totals};
    const session_ptr found = find(*core, id, co_await core->lock.async_lock_shared());
    co_await on_strand(found->executor(), found->resize(size), on_cancel::finish);
    call.succeed();
}

asio::awaitable<void> runtime::respond_to_needs_input(session_id id,
                                                      needs_input_response response) {
    const core_ptr core = core_;
    detail::respond_call call{core->totals};
    const session_ptr found = find(*core, id, co_await core->lock.async_lock_shared());
    auto work = found->respond(std::move(response));
    co_await on_strand(found->executor(), std::move(work), on_cancel::forward);
    call.succeed();
}

asio::awaitable<prompt_receipt> runtime::prompt_checkpoint(session_id id, std::string prompt) {
    const core_ptr core = core_;
    auto text = checkpoint_text(prompt);
    if (text.empty()) {
        throw error{errc::configuration,
                    "session '" + id.str() + "': a checkpoint prompt must not be empty"};
    }
    const session_ptr found = find(*core, id, co_await core->lock.async_lock_shared());
    prompt_receipt receipt{std::move(id), prompt_outcome::refused, false};
    auto work = found->prompt(std::move(text), receipt);
    co_await on_strand(found->executor(), std::move(work), on_cancel::forward);
    co_return receipt;
}

asio::awaitable<void> runtime::focus(std::optional<session_id> id) {
    const core_ptr core = core_;
    detail::focus_call call{core->totals};
    const unique_lock writing = co_await core->lock.async_lock();
    session_ptr next;
    if (id) {
        next = find(*core, *id, writing);
        next->require_running();
    }
    core->move_focus(std::move(next));
    call.succeed();
}

asio::awaitable<void> runtime::set_visibility(session_id id, visibility value) {
    const core_ptr core = core_;
    detail::focus_call call{core->totals};
    const unique_lock writing = co_await core->lock.async_lock();
    session_ptr found = find(*core, id, writing);
    found->require_running();
    if (value == visibility::focused) {
        core->move_focus(std::move(found));
    } else if (core->focused == found) {
        core->move_focus(nullptr);
    }
    call.succeed();
}

asio::awaitable<session_info> runtime::status(session_id id) {
    const core_ptr core = core_;
    const session_ptr found = find(*core, id, co_await core->lock.async_lock_shared());
    co_return found->info();
}

asio::awaitable<std::vector<session_info>> runtime::list() {
    const core_ptr core = core_;
    std::vector<session_info> shown;
    {
        const shared_lock reading = co_await core->lock.async_lock_shared();
        shown.reserve(core->sessions.size());
        for (const auto& each : core->sessions.all()) {
            shown.push_back(each->info());
        }
    }
    std::sort(shown.begin(), shown.end(),
              [](const session_info& a, const session_info& b) { return a.id < b.id; });
    co_return shown;
}

asio::awaitable<void> runtime::remove(session_id id) {
    const core_ptr core = core_;
    const unique_lock writing = co_await core->lock.async_lock();
    const session_ptr found = find(*core, id, writing);
    if (!is_terminal(found->status())) {
        throw error{errc::session_not_terminal, "session '" + id.str() + "' is " +
                                                    std::string{to_string(found->status())} +
                                                    ": kill it, or wait until it has ended"};
    }
    core->forget(*found);
}

asio::awaitable<shutdown_report> runtime::shutdown(std::chrono::nanoseconds deadline) {
    const core_ptr core = core_;
    if (deadline.count() < 0) {
        throw error{errc::configuration, "a shutdown deadline must not be negative"};
    }
    core->refuse_spawns();
    shutdown_report report;
    const session_executor strand{core->context()};
    auto work = detail::shut_down(core, strand, deadline, report);
    co_await on_strand(strand, std::move(work), on_cancel::finish);
    co_return report;
}

asio::awaitable<session_subscription> runtime::subscribe(session_id id, subscribe_options options) {
    return detail::subscribe_session(core_, std::move(id), std::move(options));
}

global_subscription runtime::subscribe_all(const subscribe_options& options) {
    core_->totals.add<counter::subscribe_global_calls_total>();
    return {core_->everyone(), options, core_->account()};
}

receipt_subscription runtime::subscribe_receipts(const subscribe_options& options) {
    return core_->receipts().subscribe(options);
}

diagnostic_subscription runtime::subscribe_diagnostics(const subscribe_options& options) {
    return core_->diagnostics().subscribe(options);
}

asio::awaitable<runtime_snapshot> runtime::snapshot() {
    return detail::take_snapshot(core_);
}

} // namespace muster
