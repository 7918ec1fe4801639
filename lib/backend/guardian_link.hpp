#pragma once

#include "guardian_wire.hpp"
#include "unique_fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace muster::detail {

namespace asio = boost::asio;

/// Who hears about a child. Called on any thread of the context, and on one that spawns; must only
/// pass it on.
class guardian_listener {
public:
    /// One of the guardian's reports.
    virtual void hear(const guard_report& report) = 0;
    /// The guardian is dead, and with it (or soon) the child; nothing more will be heard.
    virtual void hear_lost() = 0;
    /// A permit to spawn, asked for with `admit`, is there.
    virtual void hear_admitted() = 0;

protected:
    ~guardian_listener() = default;
};

/// The supervisor's end of its guardian: requests go in, reports come out to the listeners.
///
/// Owns the guardian's life: destroying the link ends the guardian, which first ends all that it
/// started. A guardian that died is replaced at the next spawn. Requests never wait: what the
/// socket does not take is queued. Reports are read only while something is expected, so that an
/// idle backend does not keep its context running.
/// Thread safety: thread-safe, but for the destructor.
class guardian_link : public std::enable_shared_from_this<guardian_link> {
public:
    /// The descriptors of a spawn request.
    using spawn_descriptors = std::array<unique_fd, spawn_fds>;

    /// Starts a guardian. Throws `error{errc::process}`.
    explicit guardian_link(asio::io_context& context);
    guardian_link(const guardian_link&) = delete;
    guardian_link& operator=(const guardian_link&) = delete;
    ~guardian_link();

    /// Spawns at a time are limited, for each holds many descriptors. True: go on, and give the
    /// permit back with `dismiss`. False: `hear_admitted` will follow, unless the listener dies.
    [[nodiscard]] bool admit(const std::shared_ptr<guardian_listener>& listener);
    void dismiss();

    /// Asks for a child; `listener` hears of it until the token is abandoned. Starts a guardian if
    /// the last has died; throws `error{errc::process}` if there is none to be had.
    std::uint64_t spawn(const std::shared_ptr<guardian_listener>& listener, spawn_descriptors fds,
                        bool terminal);

    void signal(std::uint64_t token, std::int32_t slot, int signal);
    void release(std::uint64_t token, std::int32_t slot);

    /// Nobody listens any more: the group is released, now or as soon as it has been started.
    void abandon(std::uint64_t token);

    [[nodiscard]] std::size_t live() const noexcept {
        return live_.load(std::memory_order_relaxed);
    }

private:
    static constexpr std::size_t max_spawning = 32;

    /// A child that the guardian has been asked for and has not reported gone or refused.
    struct entry {
        std::weak_ptr<guardian_listener> listener;
        std::int32_t slot = -1;
        std::int32_t pid = 0; // of the group; 0 until it is known
        bool abandoned = false;
    };

    /// A request that the socket has not taken yet.
    struct unsent {
        guard_request request;
        spawn_descriptors fds;
    };

    /// Who has been told something under the lock: kept until it is free, for such a one may be the
    /// last that holds its child.
    using listeners = std::vector<std::shared_ptr<guardian_listener>>;

    void ensure_guardian(listeners& heard);
    void send(const guard_request& request, spawn_descriptors fds = {});
    void flush();
    void refuse(std::uint64_t token, int code);
    void arm_reading();
    void arm_writing();
    void on_writable(std::uint64_t connection);
    void on_readable(std::uint64_t connection);
    bool read_reports(listeners& heard, std::size_t limit);
    void note(const guard_report& report, listeners& heard);
    void lose(listeners& heard);
    void close();

    const pid_t creator_;
    std::mutex mutex_;
    asio::posix::stream_descriptor socket_; // closed while there is no guardian
    std::unordered_map<std::uint64_t, entry> entries_;
    std::deque<unsent> unsent_;
    std::deque<std::weak_ptr<guardian_listener>> queued_;
    std::uint64_t last_token_ = 0;
    std::uint64_t connection_ = 0; // how many guardians there have been
    std::size_t spawning_ = 0;
    bool reading_ = false;
    bool writing_ = false;
    std::atomic<std::size_t> live_{0};
};

/// Forks a guardian for this process and returns the socket to it. Throws `error{errc::process}`.
[[nodiscard]] unique_fd start_guardian();

} // namespace muster::detail
