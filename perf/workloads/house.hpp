#pragma once

#include "workloads/load_worker.hpp"
#include "workloads/shared/measure.hpp"
#include "workloads/shared/params.hpp"

#include <muster/runtime.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace muster::work {

/// What the session workloads have in common.
struct session_options {
    std::uint64_t sessions = 30;
    std::uint64_t session_capacity = 256;

    void declare_sessions(param_set& params);
    void declare_session_capacity(param_set& params);
};

/// Options of a runtime that does what the peers' managers do and nothing more: no checkpoints, and
/// nothing is kept for subscribers that start in the past.
[[nodiscard]] runtime_options lean_options();

/// A runtime full of in-process sessions, on a context that `threads` threads run when they are
/// asked to.
class house {
public:
    explicit house(asio::io_context& context, std::uint64_t threads = 1,
                   const runtime_options& options = lean_options(),
                   hand_over how = hand_over::one_by_one, input_listener* listener = nullptr);
    /// Ends the runtime, and what it leaves to be run.
    ~house();

    /// Runs `driver` on all threads until it has ended, and throws what it threw. What else is
    /// under way stays as it is.
    void run(asio::awaitable<void> driver);

    /// Spawns sessions up to the number `count`, one after the other.
    [[nodiscard]] asio::awaitable<void> populate(std::uint64_t count);
    /// The events `first` to `first + count - 1` of every session, made here.
    void say_to_all(std::uint64_t first, std::uint64_t count, std::uint64_t payload);
    /// Waits until the runtime says that it has received so many events in all.
    [[nodiscard]] asio::awaitable<void> received(std::uint64_t events);
    /// What the runtime has counted.
    [[nodiscard]] runtime_snapshot state();

    asio::io_context& context;
    std::shared_ptr<load_backend> workers;
    std::unique_ptr<muster::runtime> runtime; ///< may be dropped before the rest

private:
    std::uint64_t threads_;
};

/// Adds a latency's `<stem>_p50_ns` and so on, as percentiles of samples are; null if it was not
/// measured.
void add_latency(outcome& to, std::string_view stem, const runtime_snapshot& state, latency which);

/// The name of the session with that number.
[[nodiscard]] session_id id_of(std::uint64_t session);

} // namespace muster::work
