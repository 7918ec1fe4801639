#pragma once

#include <muster/error.hpp>
#include <muster/fanout/options.hpp>
#include <muster/fanout/subscription.hpp>
#include <muster/runtime/receive_counter.hpp>
#include <muster/runtime/subscription_account.hpp>
#include <muster/session/envelope.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace muster {

/// One event as a subscriber gets it: `value` is the envelope, `missing` what was lost before it.
using event_delivery = delivery<envelope>;

/// A reader of the runtime: `subscription<envelope>` with its losses counted. Events flow in from
/// the channel and out to the reader; owns its place in the channel.
///
/// What holds for `subscription` holds here: order, exact gaps, draining before `stream_closed`,
/// one pending receive at a time, all types of cancellation, one executor at a time, moving at any
/// time, and what may be asked of one that is not subscribed. It may outlive the runtime, its
/// backend and the context, and be drained with `try_receive` then; it must not outlive
/// `runtime_options::time`.
///
/// With `Marks` (session subscriptions), a gap comes as a delivery of its own, ahead of the event
/// that follows it: a stderr output `[muster] output truncated: dropped N events due to stream
/// pressure\n`, whose sequence is that of the first lost event. Readers that only print need not
/// look at `missing`. Batches carry the gap in `missing()` and no marker; single receives and
/// batches may be mixed.
template <std::size_t Slots, bool Marks>
class basic_event_subscription {
    using inner_type = subscription<envelope, asio::io_context::executor_type, Slots>;
    using default_token = typename inner_type::default_token;
    using take_one = std::conditional_t<Marks, detail::fanout::take_gap_first<envelope, Slots>,
                                        detail::fanout::take_one<envelope, Slots>>;
    using take_batch = detail::fanout::take_batch<envelope, Slots>;
    using slot_type = typename take_one::slot_type;
    using reader_type =
        detail::fanout::subscriber<envelope, Slots, typename inner_type::executor_type>;
    using counter_type = detail::receive_counter<reader_type, Marks>;

public:
    using executor_type = asio::any_io_executor;
    using batch_type = typename inner_type::batch_type;

    /// Not subscribed to anything.
    basic_event_subscription() noexcept = default;
    /// Subscribes to `channel`; throws what that throws. The runtime makes these.
    template <typename Channel>
    basic_event_subscription(Channel& channel, const subscribe_options& options,
                             detail::account_ptr account)
        : inner_{channel.subscribe(options)}, account_{std::move(account)} {}

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(inner_); }
    [[nodiscard]] executor_type get_executor() const noexcept { return inner_.get_executor(); }
    [[nodiscard]] const std::string& name() const noexcept { return inner_.name(); }
    /// As the channel sees it; thread-safe apart from the subscription's own life.
    [[nodiscard]] subscriber_info info() const noexcept { return inner_.info(); }

    /// Waits for the next event. Completion: `void(error_code, event_delivery)`, by post. Errors:
    /// `stream_closed`, `subscriber_lagged` (once, with the gap), `operation_aborted`,
    /// `asio::error::already_started`. Cancellation: all types; an aborted receive took nothing.
    /// `co_await` of the operation itself takes what is there without suspending; see
    /// `subscription::async_receive`.
    template <typename CompletionToken = default_token>
    auto async_receive(CompletionToken&& token = CompletionToken{}) {
        return detail::fanout::receive_with<take_one>(*this, std::forward<CompletionToken>(token));
    }
    /// Waits for events and takes all that one segment holds, in place. Completion:
    /// `void(error_code, batch_type)`; otherwise as `async_receive`.
    template <typename CompletionToken = default_token>
    auto async_receive_batch(CompletionToken&& token = CompletionToken{}) {
        return detail::fanout::receive_with<take_batch>(*this,
                                                        std::forward<CompletionToken>(token));
    }

    /// Takes the next event if there is one. Otherwise `ec` is `asio::error::would_block`,
    /// `stream_closed` or `subscriber_lagged`.
    [[nodiscard]] event_delivery try_receive(sys::error_code& ec) {
        auto taken = Marks ? inner_.try_receive_gap_first(ec) : inner_.try_receive(ec);
        counter()(ec, taken);
        return taken;
    }
    [[nodiscard]] batch_type try_receive_batch(sys::error_code& ec) {
        auto taken = inner_.try_receive_batch(ec);
        counter()(ec, taken);
        return taken;
    }

    /// `co_await async_receive()` as an awaitable, for `co_spawn` and awaitable operators. Throws
    /// `system_error` with its errors.
    [[nodiscard]] asio::awaitable<event_delivery> receive() {
        return detail::fanout::take_or_wait<take_one, executor_type>(*this);
    }
    [[nodiscard]] asio::awaitable<batch_type> receive_batch() {
        return detail::fanout::take_or_wait<take_batch, executor_type>(*this);
    }

    /// Completes a pending receive with `operation_aborted`; the subscription goes on.
    void cancel() noexcept { inner_.cancel(); }
    /// Ends the subscription, as its destruction does.
    void reset() noexcept { inner_.reset(); }

private:
    friend detail::fanout::receive_access;

    template <typename Take>
    struct receive_initiation {
        using executor_type = asio::any_io_executor;
        basic_event_subscription* self;

        [[nodiscard]] executor_type get_executor() const noexcept { return self->get_executor(); }
        template <typename Handler>
        void operator()(Handler&& handler) const {
            detail::counting_handler<counter_type, std::decay_t<Handler>> counting{
                self->counter(), std::forward<Handler>(handler)};
            detail::fanout::receive_access::start<Take>(self->inner_, std::move(counting));
        }
    };

    template <typename Take, typename CompletionToken>
    auto begin_receive(CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(sys::error_code, typename Take::result)>(
            receive_initiation<Take>{this}, token);
    }
    template <typename Take>
    auto begin_wait() {
        using result = const detail::fanout::wait_result<Take>*;
        return asio::async_initiate<const asio::deferred_t, void(result)>(
            receive_initiation<detail::fanout::leave_in_place<Take>>{this}, asio::deferred);
    }
    bool worth_trying() noexcept { return detail::fanout::receive_access::worth_trying(inner_); }
    const slot_type* next_here() const noexcept {
        return detail::fanout::receive_access::next_here(inner_);
    }
    template <typename Take>
    event_delivery take_here(const slot_type& next) {
        counter()(next.value);
        return detail::fanout::receive_access::take_here<Take>(inner_, next);
    }
    template <typename Take>
    bool take_now(typename Take::result& taken, sys::error_code& ec) {
        const bool done = detail::fanout::receive_access::take_now<Take>(inner_, taken, ec);
        if (done) {
            counter()(ec, taken);
        }
        return done;
    }

    [[nodiscard]] counter_type counter() const noexcept {
        return {*account_, detail::fanout::receive_access::reader(inner_)};
    }

    inner_type inner_;
    detail::account_ptr account_;
};

/// Listens to one session.
using session_subscription = basic_event_subscription<16, true>;
/// Listens to all sessions of a runtime.
using global_subscription = basic_event_subscription<64, false>;

} // namespace muster
