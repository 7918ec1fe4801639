#pragma once

#include "admission.hpp"
#include "registry.hpp"
#include "session.hpp"
#include "terminal_keeper.hpp"

#include <muster/checkpoint/scheduler.hpp>
#include <muster/detail/ref_counter.hpp>
#include <muster/metrics/clock.hpp>
#include <muster/metrics/counters.hpp>
#include <muster/metrics/histogram.hpp>
#include <muster/runtime.hpp>
#include <muster/runtime/subscription_account.hpp>
#include <muster/sync/shared_mutex.hpp>
#include <muster/time/wheel_service.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace muster::detail {

using receipt_channel = broadcast<std::shared_ptr<const prompt_receipt>>;
using diagnostic_channel = broadcast<std::shared_ptr<const checkpoint_diagnostic>>;

/// What all sessions of a runtime share: the registry and its lock, the runtime's channels, timers,
/// the checkpoint scheduler and the totals. Owned by the runtime, its sessions, its subscriptions
/// and the coroutines of the facade together; `close` breaks the circle. Subscriptions may outlive
/// the context, which a backend must not: that goes with the runtime or its last worker.
class runtime_core final : private subscription_account {
public:
    runtime_core(asio::io_context& io, std::shared_ptr<backend> workers,
                 const runtime_options& options);
    ~runtime_core();

    friend void intrusive_ptr_add_ref(runtime_core* counted) noexcept {
        ref_counter::increment(counted->references_);
    }
    friend void intrusive_ptr_release(runtime_core* counted) noexcept {
        if (ref_counter::decrement(counted->references_) == 0) {
            delete counted;
        }
    }

    // ---- the registry; `lock` guards what follows
    shared_mutex lock;
    registry sessions;
    session_ptr focused;

    /// Removes a session, if it is still there, and keeps what it has counted. Needs the write
    /// lock.
    void forget(session& removed);
    /// Needs the write lock.
    void move_focus(session_ptr next);

    // ---- parts that are thread-safe by themselves
    total_counters totals;
    session_counters own; ///< what belongs to no session: the losses of who listens to all

    [[nodiscard]] asio::io_context& context() noexcept { return context_; }
    [[nodiscard]] backend& workers() noexcept { return *workers_; }
    [[nodiscard]] const runtime_options& options() const noexcept { return options_; }
    [[nodiscard]] global_channel& everyone() noexcept { return everyone_; }
    [[nodiscard]] const global_channel& everyone() const noexcept { return everyone_; }
    [[nodiscard]] receipt_channel& receipts() noexcept { return receipts_; }
    [[nodiscard]] diagnostic_channel& diagnostics() noexcept { return diagnostics_; }
    [[nodiscard]] wheel_service& timers() noexcept { return timers_; }
    [[nodiscard]] checkpoint_scheduler& scheduler() noexcept { return scheduler_; }
    [[nodiscard]] detail::admission& admission() noexcept { return admission_; }
    [[nodiscard]] account_ptr account() noexcept { return account_ptr{this}; }
    [[nodiscard]] const boost::intrusive_ptr<const session_channel::settings_type>&
    session_settings() const noexcept {
        return session_settings_;
    }
    [[nodiscard]] const checkpoint_policy& default_policy() const noexcept {
        return *default_policy_;
    }
    /// What is prompted is the text with its newline; a session need not make it each time.
    [[nodiscard]] static std::unique_ptr<const checkpoint_policy>
    prepared(checkpoint_policy policy);

    // ---- measuring
    [[nodiscard]] bool metrics_enabled() const noexcept { return options_.metrics_enabled; }
    [[nodiscard]] const tick_clock& clock() const noexcept { return clock_; }
    [[nodiscard]] std::chrono::nanoseconds since_start(std::uint64_t reading) const noexcept {
        return nanos(tick_clock::between(started_, reading));
    }
    /// Between two readings.
    [[nodiscard]] std::chrono::nanoseconds elapsed(std::uint64_t started,
                                                   std::uint64_t ended) const noexcept {
        return nanos(tick_clock::between(started, ended));
    }
    /// Records `times` equal durations, in clock readings.
    void record(latency which, std::uint64_t readings, std::uint64_t times = 1) {
        if (metrics_enabled()) {
            latencies_.local()[which].record(readings, times);
        }
    }
    /// Records how long `delivered` was under way.
    void record_receipt(const envelope& delivered) { received(delivered); }
    [[nodiscard]] const shared_latencies& latencies() const noexcept { return latencies_; }

    // ---- reports; nobody listens: nothing is allocated
    void publish_receipt(const prompt_receipt& receipt);
    void publish_diagnostic(const session_id& session, checkpoint_diagnostic::kind_type kind,
                            std::uint32_t failures, std::chrono::nanoseconds delay,
                            sys::error_code error);

    // ---- the end
    [[nodiscard]] bool closing() const noexcept { return closing_.load(); }
    void refuse_spawns();
    /// A session is about to become terminal; called on its strand.
    void session_ended(session& ended);
    /// Workers are counted from before the backend makes one until it is destroyed. Who has counted
    /// one and then finds us not closing may use the backend.
    void worker_came() noexcept { live_workers_.fetch_add(1); }
    void worker_gone() noexcept {
        if (live_workers_.fetch_sub(1) == 1) {
            release_backend();
        }
    }
    [[nodiscard]] std::size_t live_workers() const noexcept {
        return live_workers_.load(std::memory_order_acquire);
    }
    /// The runtime is being destroyed: abandons every session and closes all channels. Never waits;
    /// if somebody holds the lock just now, the rest follows when it is free.
    void close() noexcept;

private:
    class close_when_locked;
    class abandon_session;

    void drop_sessions() noexcept;
    void release_backend() noexcept;
    [[nodiscard]] std::chrono::nanoseconds nanos(std::uint64_t readings) const noexcept {
        return std::chrono::nanoseconds{static_cast<std::int64_t>(clock_.to_nanos(readings))};
    }

    void lagged(const gap& missing, bool marked) noexcept override;
    void closed() noexcept override;
    void received(const envelope& oldest) noexcept override;
    void hold() noexcept override { intrusive_ptr_add_ref(this); }
    void let_go() noexcept override { intrusive_ptr_release(this); }

    ref_counter::type references_{0};
    asio::io_context& context_;
    std::shared_ptr<backend> workers_;
    const runtime_options options_;
    const std::unique_ptr<const checkpoint_policy> default_policy_;
    tick_clock clock_;
    std::uint64_t started_;
    shared_latencies latencies_;
    boost::intrusive_ptr<const session_channel::settings_type> session_settings_;
    global_channel everyone_;
    receipt_channel receipts_;
    diagnostic_channel diagnostics_;
    wheel_service timers_;
    checkpoint_scheduler scheduler_;
    detail::admission admission_;
    terminal_keeper keeper_;
    // Sequentially consistent: of a worker that comes and a runtime that goes, one sees the other.
    std::atomic<std::size_t> live_workers_{0};
    std::atomic<bool> closing_{false};
    std::atomic<bool> backend_due_{false}; ///< to be released with the last worker
};

[[nodiscard]] core_ptr make_core(asio::io_context& context, std::shared_ptr<backend> workers,
                                 const runtime_options& options);

/// Counts `missing` for whoever lost it.
void count_lag(session_counters& losses, const gap& missing, bool marked) noexcept;

} // namespace muster::detail
