#pragma once

#include "change_signal.hpp"
#include "unique_fd.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace muster::detail {

/// A child's standard input: messages go in, whole and in order; the child's pace is the senders'
/// pace. Owns the descriptor and the messages of waiting senders. Strand-bound.
class child_input : public std::enable_shared_from_this<child_input> {
public:
    child_input(const session_executor& executor, session_id id, unique_fd fd, bool terminal);

    /// True if all of `bytes` (at most PIPE_BUF) went in without waiting, false if none did. What a
    /// terminal takes only in part is kept and written before anything else.
    /// Throws `error{input_closed}`.
    bool try_send(std::string_view bytes);

    /// Returns when the last byte went in. Cancelled: the rest of the message is dropped and
    /// `operation_aborted` thrown. Throws `error{input_closed}`.
    session_awaitable<> send(std::string bytes);

    /// The end of input, after what has been written: a closed pipe, or a terminal's end-of-file
    /// byte if it is in line mode. Waiting senders get `input_closed`.
    void close();

private:
    /// A message that is not written yet.
    struct message {
        std::string bytes;
        std::size_t written = 0;
        bool done = false;
        change_signal changed;

        message(std::string text, session_executor executor)
            : bytes{std::move(text)}, changed{std::move(executor)} {}
    };
    class queued;

    [[noreturn]] void refuse() const;
    std::ptrdiff_t write(std::string_view bytes);
    void flush();
    void arm();

    session_executor executor_;
    session_id id_;
    asio::posix::basic_stream_descriptor<session_executor> descriptor_;
    std::deque<std::shared_ptr<message>> queue_;
    bool terminal_;
    bool armed_ = false;
};

} // namespace muster::detail
