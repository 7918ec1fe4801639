#include "guardian_link.hpp"

#include <muster/error.hpp>

#include <boost/asio/post.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <utility>

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

guard_request request_of(guard_verb verb, std::uint64_t token, std::int32_t slot) {
    guard_request request;
    request.verb = verb;
    request.token = token;
    request.slot = slot;
    return request;
}

bool is_dead(int code) {
    return code == EPIPE || code == ECONNRESET;
}

} // namespace

guardian_link::guardian_link(asio::io_context& context) : creator_{::getpid()}, socket_{context} {
    listeners nobody;
    ensure_guardian(nobody);
}

// Closing alone would not reach the guardian while a fork of ours has the socket, too. Such a fork
// must not end it either.
guardian_link::~guardian_link() {
    if (socket_.is_open() && ::getpid() == creator_) {
        ::shutdown(socket_.native_handle(), SHUT_RDWR);
    }
}

// It may have died unnoticed: nobody reads while nothing is expected, and else the context may not
// have run since.
void guardian_link::ensure_guardian(listeners& heard) {
    if (socket_.is_open() && !read_reports(heard, std::numeric_limits<std::size_t>::max())) {
        lose(heard);
    }
    if (!socket_.is_open()) {
        auto started = start_guardian();
        socket_.assign(started.get());
        static_cast<void>(started.release()); // only now: assign may throw
        ++connection_;
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
    listeners heard;
    const std::lock_guard lock{mutex_};
    ensure_guardian(heard);
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
    guard_request request = request_of(guard_verb::signal, token, slot);
    request.signal = signal;
    const std::lock_guard lock{mutex_};
    send(request);
}

void guardian_link::release(std::uint64_t token, std::int32_t slot) {
    const std::lock_guard lock{mutex_};
    send(request_of(guard_verb::release, token, slot));
}

void guardian_link::abandon(std::uint64_t token) {
    const std::lock_guard lock{mutex_};
    const auto found = entries_.find(token);
    if (found == entries_.end()) {
        return;
    }
    found->second.abandoned = true;
    if (found->second.slot >= 0) {
        send(request_of(guard_verb::release, token, found->second.slot));
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
                       [weak = weak_from_this(), connection = connection_](sys::error_code ec) {
                           const auto self = weak.lock();
                           if (self && !ec) {
                               self->on_writable(connection);
                           }
                       });
}

// A wait may be over when its guardian is replaced, and its handler come after that.
void guardian_link::on_writable(std::uint64_t connection) {
    const std::lock_guard lock{mutex_};
    if (connection == connection_) {
        writing_ = false;
        flush();
    }
}

// ---- reports ----

void guardian_link::arm_reading() {
    if (reading_ || entries_.empty() || !socket_.is_open()) {
        return;
    }
    reading_ = true;
    socket_.async_wait(asio::posix::descriptor_base::wait_read,
                       [weak = weak_from_this(), connection = connection_](sys::error_code ec) {
                           const auto self = weak.lock();
                           if (self && !ec) {
                               self->on_readable(connection);
                           }
                       });
}

void guardian_link::on_readable(std::uint64_t connection) {
    constexpr std::size_t batch = 64; // then others on this context get their turn
    listeners heard;
    const std::lock_guard lock{mutex_};
    if (connection != connection_) {
        return;
    }
    if (!read_reports(heard, batch)) {
        lose(heard);
        return;
    }
    reading_ = false;
    arm_reading();
}

bool guardian_link::read_reports(listeners& heard, std::size_t limit) {
    guard_report report;
    for (std::size_t count = 0; count < limit; ++count) {
        const auto size = ::recv(socket_.native_handle(), &report, sizeof report, MSG_DONTWAIT);
        if (size < 0 && errno == ECONNRESET) {
            continue; // said once, of requests that it never read; its last words come after
        }
        if (size != static_cast<ssize_t>(sizeof report)) {
            return size < 0 && (errno == EAGAIN || errno == EINTR);
        }
        note(report, heard);
    }
    return true;
}

void guardian_link::note(const guard_report& report, listeners& heard) {
    const auto found = entries_.find(report.token);
    if (found == entries_.end()) {
        return;
    }
    entry& child = found->second;
    if (report.news == guard_news::starting) {
        child.pid = report.pid;
        return;
    }
    child.slot = report.slot;
    auto listener = child.listener.lock();
    const bool abandoned = child.abandoned || !listener;
    if (report.news == guard_news::gone || report.news == guard_news::refused) {
        entries_.erase(found);
        live_.fetch_sub(1, std::memory_order_relaxed);
    }
    if (abandoned && report.news == guard_news::spawned) {
        send(request_of(guard_verb::release, report.token, report.slot));
    }
    if (!abandoned) {
        listener->hear(report);
    }
    heard.push_back(std::move(listener));
}

void guardian_link::close() {
    unsent_.clear();
    reading_ = writing_ = false;
    socket_.close();
}

// The kernel kills the children with their guardian; what else is in their groups is for us to
// kill, whether somebody listens or not.
void guardian_link::lose(listeners& heard) {
    for (const auto& [token, child] : entries_) {
        if (child.pid > 0) {
            ::kill(-child.pid, SIGKILL);
        }
        if (auto listener = child.listener.lock()) {
            listener->hear_lost();
            heard.push_back(std::move(listener));
        }
    }
    entries_.clear();
    live_.store(0, std::memory_order_relaxed);
    close();
}

} // namespace muster::detail
