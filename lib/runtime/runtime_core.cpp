#include "runtime_core.hpp"

#include <muster/error.hpp>

#include <boost/asio/post.hpp>

#include <utility>

namespace muster::detail {
namespace {

/// When a subscriber polled last, by the clock of the metrics.
std::uint64_t poll_time() noexcept {
    static const tick_clock clock;
    return clock.now();
}

template <typename Channel>
boost::intrusive_ptr<const typename Channel::settings_type> settings_for(asio::io_context& context,
                                                                         const retention& keep) {
    using settings_type = typename Channel::settings_type;
    const boost::intrusive_ptr settings{new settings_type{context.get_executor(), keep}};
    settings->clock = &poll_time;
    return settings;
}

wheel_service make_timers(asio::io_context& context, const runtime_options& options) {
    return options.time != nullptr ? wheel_service{*options.time}
                                   : wheel_service{context.get_executor()};
}

} // namespace

runtime_core::runtime_core(asio::io_context& io, std::shared_ptr<backend> workers,
                           const runtime_options& options)
    : lock{io}, context_{io}, workers_{std::move(workers)}, options_{options},
      default_policy_{prepared(options.checkpoint)}, started_{clock_.now()},
      session_settings_{settings_for<session_channel>(io, options.session_retention)},
      everyone_{settings_for<global_channel>(io, options.global_retention)},
      receipts_{io.get_executor()}, diagnostics_{io.get_executor()},
      timers_{make_timers(io, options)}, scheduler_{timers_, lock, clock_},
      admission_{*this, timers_, options.admission}, keeper_{*this, timers_, options.terminal} {}

runtime_core::~runtime_core() = default;

core_ptr make_core(asio::io_context& context, std::shared_ptr<backend> workers,
                   const runtime_options& options) {
    if (!workers) {
        throw error{errc::configuration, "a runtime needs a backend: pass one"};
    }
    options.validate();
    return core_ptr{new runtime_core{context, std::move(workers), options}};
}

std::unique_ptr<const checkpoint_policy> runtime_core::prepared(checkpoint_policy policy) {
    policy.prompt = checkpoint_text(policy.prompt);
    return std::make_unique<const checkpoint_policy>(std::move(policy));
}

void runtime_core::forget(session& removed) {
    if (!sessions.contains(removed)) {
        return;
    }
    const auto counted = removed.counters().read(clock_);
    if (focused.get() == &removed) {
        move_focus(nullptr);
    }
    totals.fold(counted);
    keeper_.forget(removed);
    sessions.remove(removed, counted);
}

void runtime_core::move_focus(session_ptr next) {
    if (next == focused) {
        return;
    }
    if (focused) {
        focused->set_focused(false);
    }
    focused = std::move(next);
    if (focused) {
        focused->set_focused(true);
    }
}

void runtime_core::publish_receipt(const prompt_receipt& receipt) {
    if (receipts_.subscriber_count() != 0) {
        receipts_.publish(std::make_shared<const prompt_receipt>(receipt));
    }
}

void runtime_core::publish_diagnostic(const session_id& session,
                                      checkpoint_diagnostic::kind_type kind, std::uint32_t failures,
                                      std::chrono::nanoseconds delay, sys::error_code error) {
    if (diagnostics_.subscriber_count() != 0) {
        diagnostics_.publish(
            std::make_shared<const checkpoint_diagnostic>(session, kind, failures, delay, error));
    }
}

// ---- the losses of those who listen to all sessions

void count_lag(session_counters& losses, const gap& missing, bool marked) noexcept {
    losses.add_shared<counter::queue_pressure_dropped_events_total>(missing.events);
    losses.add_shared<counter::queue_pressure_dropped_bytes_total>(missing.bytes);
    if (marked) {
        losses.add_shared<counter::output_truncation_markers_total>();
    }
}

void runtime_core::lagged(const gap& missing, bool marked) noexcept {
    count_lag(own, missing, marked);
    totals.add<counter::subscriber_lagged_errors_global_total>();
    totals.add<counter::subscriber_lagged_events_global_total>(missing.events);
}

void runtime_core::closed() noexcept {
    totals.add<counter::subscriber_closed_global_total>();
}

void runtime_core::received(const envelope& oldest) noexcept {
    if (metrics_enabled()) {
        const auto under_way = since_start(clock_.now()) - oldest.received();
        record(latency::publish_to_receive, clock_.from_nanos(under_way));
    }
}

// ---- the end

/// Drops the sessions when it gets the lock, or when it is destroyed because nobody will ever run.
class runtime_core::close_when_locked {
public:
    explicit close_when_locked(runtime_core& core) noexcept : core_{&core} {}
    close_when_locked(close_when_locked&&) noexcept = default;
    close_when_locked& operator=(close_when_locked&&) = delete;
    ~close_when_locked() {
        if (core_) {
            core_->drop_sessions();
        }
    }

    void operator()(sys::error_code, unique_lock held) {
        const auto core = std::exchange(core_, {});
        core->drop_sessions();
        held.unlock(); // we may be the last to keep the core, and with it the lock
    }

private:
    core_ptr core_;
};

void runtime_core::refuse_spawns() {
    closing_.store(true);
    admission_.open_up();
}

void runtime_core::session_ended(session& ended) {
    keeper_.keep(session_ptr{&ended});
}

void runtime_core::close() noexcept {
    refuse_spawns();
    keeper_.close();
    everyone_.close();
    receipts_.close();
    diagnostics_.close();
    if (const auto writing = lock.try_lock()) {
        drop_sessions();
    } else {
        lock.async_lock(close_when_locked{*this});
    }
    backend_due_.store(true);
    release_backend();
}

/// Does so if the runtime has gone and no worker is left. In this order: a worker that comes after
/// the second look finds us closing.
void runtime_core::release_backend() noexcept {
    if (backend_due_.load() && live_workers_.load() == 0 && backend_due_.exchange(false)) {
        workers_.reset();
    }
}

/// Abandons a session on its strand; or wherever it is destroyed, if its context dies before that.
/// Somebody must: a coroutine that waits for something of the session keeps it alive.
class runtime_core::abandon_session {
public:
    explicit abandon_session(session_ptr dropped) noexcept : dropped_{std::move(dropped)} {}
    abandon_session(abandon_session&&) noexcept = default;
    abandon_session& operator=(abandon_session&&) = delete;
    ~abandon_session() {
        if (dropped_) {
            dropped_->abandon();
        }
    }

    void operator()() { std::exchange(dropped_, {})->abandon(); }

private:
    session_ptr dropped_;
};

void runtime_core::drop_sessions() noexcept {
    scheduler_.close();
    focused.reset();
    for (auto& each : sessions.clear()) {
        auto strand = each->executor();
        asio::post(strand, abandon_session{std::move(each)});
    }
}

} // namespace muster::detail
