#pragma once

#include <muster/detail/next_up.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <stdexcept>

namespace muster::test {

namespace asio = boost::asio;

/// As long as it lives, every step of this thread is a handler of its own: nothing "goes next"
/// within the handler before, see `detail::next_up`.
class single_steps {
public:
    single_steps() noexcept : before_{detail::next_up::set_budget(0)} {}
    ~single_steps() { detail::next_up::set_budget(before_); }
    single_steps(const single_steps&) = delete;
    single_steps& operator=(const single_steps&) = delete;

private:
    int before_;
};

/// An `io_context` that is driven by hand: nothing runs unless the test says so, nothing blocks.
///
/// A "handler" is what one `poll_one` executes; a strand that runs a batch counts once.
/// Not thread-safe.
class manual_loop {
public:
    explicit manual_loop(int concurrency_hint = BOOST_ASIO_CONCURRENCY_HINT_DEFAULT)
        : context_{concurrency_hint} {}

    [[nodiscard]] asio::io_context& context() noexcept { return context_; }
    [[nodiscard]] asio::io_context::executor_type get_executor() noexcept {
        return context_.get_executor();
    }

    /// Runs one handler that is ready; false when there is none.
    bool run_one() {
        context_.restart();
        const bool ran = context_.poll_one() != 0;
        handlers_run_ += ran ? 1 : 0;
        return ran;
    }

    /// Runs at most `count` handlers and returns how many there were.
    std::size_t run(std::size_t count) {
        std::size_t ran = 0;
        while (ran < count && run_one()) {
            ++ran;
        }
        return ran;
    }

    /// Runs until nothing is ready. A scenario that is still busy after `limit` handlers is taken
    /// for one that never ends: `std::runtime_error`.
    std::size_t run_until_idle(std::size_t limit = 1'000'000) {
        const std::size_t ran = run(limit);
        if (ran == limit) {
            throw std::runtime_error("manual_loop: still busy at the handler limit");
        }
        return ran;
    }

    /// All handlers that ran so far.
    [[nodiscard]] std::size_t handlers_run() const noexcept { return handlers_run_; }

private:
    asio::io_context context_;
    std::size_t handlers_run_ = 0;
};

} // namespace muster::test
