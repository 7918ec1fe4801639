#include "process_child.hpp"

#include <cerrno>
#include <unistd.h>

namespace muster::detail {
namespace {

constexpr std::size_t read_size = std::size_t{1} << 16;
/// What a stream may still hold of a child that has ended: the largest capacity of a pipe.
constexpr std::size_t rest_limit = std::size_t{1} << 20;

} // namespace

void process_child::start_reading(event_sink& sink) {
    sink_ = &sink;
    for (output_source& source : sources_) {
        if (source.fd.is_open()) {
            arm(source);
        }
    }
}

void process_child::stop_reading() noexcept {
    sink_ = nullptr;
}

void process_child::arm(output_source& source) {
    source.fd.async_wait(asio::posix::descriptor_base::wait_read,
                         [self = shared_from_this(), &source](sys::error_code ec) {
                             if (!ec) {
                                 self->on_readable(source);
                             }
                         });
}

// One read, then others on the context get their turn; only a full read is worth another at once.
void process_child::on_readable(output_source& source) {
    if (sink_ == nullptr || !source.fd.is_open()) {
        return;
    }
    const std::size_t size = read_some(source);
    if (!source.fd.is_open() || sink_ == nullptr) {
        return;
    }
    if (size < read_size) {
        arm(source);
        return;
    }
    asio::post(executor_, [self = shared_from_this(), &source] { self->on_readable(source); });
}

// Closes the source at its end. 0 if there is nothing to read now.
std::size_t process_child::read_some(output_source& source) {
    // Made at a thread's first use: as an array it would be part of every thread's stack mapping.
    thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(read_size);
    const ssize_t size = ::read(source.fd.native_handle(), buffer.get(), read_size);
    if (size > 0) {
        deliver(source.stream, {buffer.get(), static_cast<std::size_t>(size)});
        return static_cast<std::size_t>(size);
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (size < 0 && errno != EIO) { // EIO: nobody has the terminal open any more
        failure_ = sys::error_code{errno, sys::system_category()};
    }
    end_of(source);
    return 0;
}

void process_child::end_of(output_source& source) {
    sys::error_code ignored;
    source.fd.close(ignored);
    changed_.notify();
}

void process_child::read_rest() {
    for (output_source& source : sources_) {
        std::size_t total = 0;
        std::size_t size = 1;
        while (sink_ != nullptr && source.fd.is_open() && size > 0 && total < rest_limit) {
            size = read_some(source);
            total += size;
        }
    }
}

void process_child::deliver(output_stream stream, std::string_view bytes) {
    if (terminal_seen_) {
        return;
    }
    if (decoder_ && stream == output_stream::standard_output) {
        decoder_->feed(bytes, decoded_);
        deliver_decoded();
        return;
    }
    sink_->push(event{output{stream, std::string{bytes}}});
}

void process_child::deliver_decoded() {
    if (decoded_.empty()) {
        return;
    }
    for (const event& value : decoded_) {
        terminal_seen_ = terminal_seen_ || is_terminal(value.kind());
    }
    sink_->push(std::span<event>{decoded_});
    decoded_.clear();
    if (terminal_seen_) {
        changed_.notify();
    }
}

} // namespace muster::detail
