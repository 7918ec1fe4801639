#include "child_input.hpp"
#include "child_streams.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace muster::detail {

/// A message's place in the queue while its sender waits.
class child_input::queued {
public:
    queued(child_input& input, std::shared_ptr<message> entry)
        : input_{input}, entry_{std::move(entry)} {
        input_.queue_.push_back(entry_);
    }
    queued(const queued&) = delete;
    queued& operator=(const queued&) = delete;
    ~queued() { std::erase(input_.queue_, entry_); }

private:
    child_input& input_;
    std::shared_ptr<message> entry_;
};

child_input::child_input(const session_executor& executor, session_id id, unique_fd fd,
                         bool terminal)
    : executor_{executor}, id_{std::move(id)}, descriptor_{executor, fd.get()}, terminal_{
                                                                                    terminal} {
    (void)fd.release();
}

bool child_input::try_send(std::string_view bytes) {
    if (!descriptor_.is_open()) {
        refuse();
    }
    if (!queue_.empty() || bytes.size() > PIPE_BUF) {
        return false;
    }
    const std::ptrdiff_t written = write(bytes);
    if (written < 0) {
        return false;
    }
    if (static_cast<std::size_t>(written) < bytes.size()) {
        bytes.remove_prefix(static_cast<std::size_t>(written));
        queue_.push_back(std::make_shared<message>(std::string{bytes}, executor_));
        arm();
    }
    return true;
}

session_awaitable<> child_input::send(std::string bytes) {
    const auto self = shared_from_this();
    if (!descriptor_.is_open()) {
        refuse();
    }
    const auto own = std::make_shared<message>(std::move(bytes), executor_);
    const queued place{*this, own};
    if (queue_.size() == 1) {
        flush();
    }
    while (!own->done && descriptor_.is_open()) {
        co_await throw_if_cancelled();
        co_await own->changed.wait_until(change_signal::clock::time_point::max());
    }
    if (!own->done) {
        refuse();
    }
}

void child_input::close() {
    if (!descriptor_.is_open()) {
        return;
    }
    if (terminal_) {
        end_terminal_input(descriptor_.native_handle());
    }
    sys::error_code ignored;
    descriptor_.close(ignored);
    const auto unsent = std::exchange(queue_, {});
    for (const auto& entry : unsent) {
        entry->changed.notify();
    }
}

void child_input::refuse() const {
    throw error{errc::input_closed,
                "session '" + id_.str() + "': its process no longer accepts input"};
}

// -1: would have to wait. Throws when the other end is closed.
std::ptrdiff_t child_input::write(std::string_view bytes) {
    const std::ptrdiff_t written = write_quietly(descriptor_.native_handle(), bytes);
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        close();
        refuse();
    }
    return written;
}

void child_input::flush() {
    while (!queue_.empty()) {
        const auto next = queue_.front();
        const std::string_view rest = std::string_view{next->bytes}.substr(next->written);
        const std::ptrdiff_t written = rest.empty() ? 0 : write(rest);
        next->written += static_cast<std::size_t>(std::max<std::ptrdiff_t>(written, 0));
        if (next->written < next->bytes.size()) {
            arm();
            return;
        }
        next->done = true;
        queue_.pop_front();
        next->changed.notify();
    }
}

void child_input::arm() {
    if (std::exchange(armed_, true)) {
        return;
    }
    descriptor_.async_wait(asio::posix::descriptor_base::wait_write,
                           [self = shared_from_this()](sys::error_code) {
                               self->armed_ = false;
                               if (self->descriptor_.is_open()) {
                                   try {
                                       self->flush();
                                   } catch (const error&) {
                                       // the senders have been told by close()
                                   }
                               }
                           });
}

} // namespace muster::detail
