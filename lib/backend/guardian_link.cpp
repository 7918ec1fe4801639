#include "guardian_link.hpp"

#include <muster/error.hpp>

#include <boost/asio/post.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace muster::detail {
namespace {

using descriptors = guardian_link::spawn_descriptors;

void attach(msghdr& message, char* control, const descriptors& fds) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * spawn_fds);
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * spawn_fds);
    for (std::size_t fd = 0; fd < spawn_fds; ++fd) {
        const int number = fds[fd].get();
        std::memcpy(CMSG_DATA(head) + fd * sizeof(int), &number, sizeof(int));
    }
}

// Sends one packet; 0 or an errno.
int send_packet(int socket, guard_request request, const descriptors& fds) {
    iovec part{&request, sizeof request};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * spawn_fds)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (request.verb == guard_verb::spawn) {
        attach(message, control, fds);
    }
    return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

bool is_full(int code) {
    return code == EAGAIN || code == ENOBUFS || code == ETOOMANYREFS;
}

/// Whether nobody has the other end any more.
bool has_ended(int socket) {
    char byte = 0;
    const auto size = ::recv(socket, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

bool is_dead(int code) {
    return code == EPIPE || code == ECONNRESET;
}

} // namespace

guardian_link::guardian_link(asio::io_context& context) : creator_{::getpid()}, socket_{context} {
    ensure_guardian();
}

// Closing alone would not reach the guardian while a fork of ours has the socket, too. Such a fork
// must not end it either.
guardian_link::~guardian_link() {
    if (socket_.is_open() && ::getpid() == creator_) {
        ::shutdown(socket_.native_handle(), SHUT_RDWR);
    }
}

void guardian_link::ensure_guardian() {
    // While nothing is expected nobody reads, and nobody has noticed its death.
    if (socket_.is_open() && !reading_ && has_ended(socket_.native_handle())) {
        close();
    }
    if (!socket_.is_open()) {
        auto started = start_guardian();
        socket_.assign(started.get());
        static_cast<void>(started.release()); // only now: assign may throw
    }
}

// ---- permits ----

bool guardian_link::admit(const std::shared_ptr<guardian_listener>& listener) {
    const std::lock_guard lock{mutex_};
    if (spawning_ < max_spawning) {
        ++spawning_;
        return true;
    }
    queued_.push_back(listener);
    return false;
}

void guardian_link::dismiss() {
    std::shared_ptr<guardian_listener> next;
    {
        const std::lock_guard lock{mutex_};
        while (!next && !queued_.empty()) {
            next = queued_.front().lock();
            queued_.pop_front();
        }
        spawning_ -= next ? 0 : 1; // else the permit passes on
    }
    if (next) {
        next->hear_admitted();
    }
}

// ---- requests ----

std::uint64_t guardian_link::spawn(const std::shared_ptr<guardian_listener>& listener,
                                   spawn_descriptors fds, bool terminal) {
    const std::lock_guard lock{mutex_};
    ensure_guardian();
    guard_request request;
    request.token = ++last_token_;
    request.terminal = terminal ? 1 : 0;
    entries_[request.token].listener = listener;
    live_.fetch_add(1, std::memory_order_relaxed);
    send(request, std::move(fds));
    arm_reading();
    return request.token;
}

void guardian_link::signal(std::uint64_t token, std::int32_t slot, int signal) {
    guard_request request;
    request.verb = guard_verb::signal;
    request.token = token;
    request.slot = slot;
    request.signal = signal;
    const std::lock_guard lock{mutex_};
    send(request);
}

void guardian_link::release(std::uint64_t token, std::int32_t slot) {
    guard_request request;
    request.verb = guard_verb::release;
    request.token = token;
    request.slot = slot;
    const std::lock_guard lock{mutex_};
    send(request);
}

void guardian_link::abandon(std::uint64_t token) {
    std::int32_t slot = -1;
    {
        const std::lock_guard lock{mutex_};
        const auto found = entries_.find(token);
        if (found == entries_.end()) {
            return;
        }
        found->second.abandoned = true;
        slot = found->second.slot;
    }
    if (slot >= 0) {
        release(token, slot);
    }
}

void guardian_link::send(const guard_request& request, spawn_descriptors fds) {
    if (!socket_.is_open()) {
        return;
    }
    unsent_.push_back(unsent{request, std::move(fds)});
    if (!writing_) {
        flush();
    }
}

void guardian_link::flush() {
    while (!unsent_.empty()) {
        const unsent& next = unsent_.front();
        const int code = send_packet(socket_.native_handle(), next.request, next.fds);
        if (is_full(code)) {
            arm_writing();
            return;
        }
        if (code != 0 && !is_dead(code) && next.request.verb == guard_verb::spawn) {
            refuse(next.request.token, code);
        }
        unsent_.pop_front(); // sent, or refused, or the guardian is dead, which reading will tell
    }
}

/// As the guardian would. By post: we hold the lock.
void guardian_link::refuse(std::uint64_t token, int code) {
    guard_report report;
    report.news = guard_news::refused;
    report.token = token;
    report.value = code;
    asio::post(socket_.get_executor(), [weak = entries_.extract(token).mapped().listener, report] {
        if (const auto listener = weak.lock()) {
            listener->hear(report);
        }
    });
    live_.fetch_sub(1, std::memory_order_relaxed);
}

void guardian_link::arm_writing() {
    writing_ = true;
    socket_.async_wait(asio::posix::descriptor_base::wait_write,
                       [weak = weak_from_this()](sys::error_code ec) {
                           const auto self = weak.lock();
                           if (!self || ec) {
                               return;
                           }
                           const std::lock_guard lock{self->mutex_};
                           self->writing_ = false;
                           self->flush();
                       });
}

// ---- reports ----

void guardian_link::arm_reading() {
    if (reading_ || entries_.empty() || !socket_.is_open()) {
        return;
    }
    reading_ = true;
    socket_.async_wait(asio::posix::descriptor_base::wait_read,
                       [weak = weak_from_this()](sys::error_code ec) {
                           const auto self = weak.lock();
                           if (self && !ec) {
                               self->on_readable();
                           }
                       });
}

void guardian_link::on_readable() {
    std::vector<guard_report> reports;
    const bool alive = read_reports(reports);
    for (const guard_report& report : reports) {
        if (const auto listener = note(report)) {
            listener->hear(report);
        }
    }
    if (!alive) {
        lose();
        return;
    }
    const std::lock_guard lock{mutex_};
    reading_ = false;
    arm_reading();
}

bool guardian_link::read_reports(std::vector<guard_report>& reports) {
    constexpr std::size_t batch = 64; // then others on this context get their turn
    guard_report report;
    const std::lock_guard lock{mutex_};
    while (reports.size() < batch) {
        const auto size = ::recv(socket_.native_handle(), &report, sizeof report, MSG_DONTWAIT);
        if (size < 0 && errno == ECONNRESET) {
            continue; // said once, of requests that it never read; its last words come after
        }
        if (size != static_cast<ssize_t>(sizeof report)) {
            return size < 0 && (errno == EAGAIN || errno == EINTR);
        }
        reports.push_back(report);
    }
    return true;
}

std::shared_ptr<guardian_listener> guardian_link::note(const guard_report& report) {
    std::unique_lock lock{mutex_};
    const auto found = entries_.find(report.token);
    if (found == entries_.end()) {
        return nullptr;
    }
    auto listener = found->second.listener.lock();
    const bool abandoned = found->second.abandoned || !listener;
    found->second.slot = report.slot;
    if (report.news == guard_news::spawned) {
        found->second.pid = report.pid;
    }
    if (report.news == guard_news::gone || report.news == guard_news::refused) {
        entries_.erase(found);
        live_.fetch_sub(1, std::memory_order_relaxed);
    }
    lock.unlock();
    if (abandoned && report.news == guard_news::spawned) {
        release(report.token, report.slot);
    }
    return abandoned ? nullptr : listener;
}

void guardian_link::close() {
    unsent_.clear();
    reading_ = writing_ = false;
    socket_.close();
}

// The kernel kills the children with their guardian; what else is in their groups is for us to
// kill, whether somebody listens or not.
void guardian_link::lose() {
    std::unordered_map<std::uint64_t, entry> lost;
    {
        const std::lock_guard lock{mutex_};
        lost.swap(entries_);
        close();
        live_.store(0, std::memory_order_relaxed);
    }
    for (const auto& [token, child] : lost) {
        if (child.pid > 0) {
            ::kill(-child.pid, SIGKILL);
        }
        if (const auto listener = child.listener.lock()) {
            listener->hear_lost();
        }
    }
}

} // namespace muster::detail
