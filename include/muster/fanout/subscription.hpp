#pragma once

#include <muster/fanout/delivery.hpp>
#include <muster/fanout/detail/channel_state.hpp>
#include <muster/fanout/detail/receive_operation.hpp>
#include <muster/fanout/options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace muster {

template <typename T, typename Executor, std::size_t Slots>
class broadcast;

/// A reader's end of a `broadcast`: events come out, in order, at the reader's own pace.
///
/// - Sequences strictly increase. An event is delivered once, or it is counted in a gap.
/// - A reader that is more than its capacity behind loses the oldest events (or is disconnected);
///   the next delivery says which. Latest values of conflation keys out of the lost run still come,
///   in their order, before the events that survived; where more than a segment full of them are
///   due, each such run carries its own gap.
/// - When the channel closes, what is unread is delivered first, then every receive fails with
///   `errc::stream_closed`.
/// - Destroying it ends the subscription at once; a pending receive completes with
///   `operation_aborted`. A batch may outlive it, it may outlive the channel.
///
/// At most one receive may be pending. Thread safety: one executor at a time (the channel's other
/// users may be anywhere); the handlers of its operations should run on that executor.
///
/// Movable, also while a receive is pending; an operation that has not been started must not lose
/// the object that it was asked of. One that is not subscribed (default-made, moved from or reset)
/// may only be tested, cancelled, reset, assigned to and destroyed.
///
/// Costs: an empty try reads one atomic; one with events takes the channel's lock once. Suspending
/// allocates nothing in a steady state.
template <typename T, typename Executor = asio::any_io_executor, std::size_t Slots = 64>
class subscription {
    using state_type = detail::fanout::channel_state<T, Slots, Executor>;
    using reader_type = detail::fanout::subscriber<T, Slots, Executor>;
    using slot_type = typename state_type::slot_type;
    using poll_result = detail::fanout::poll_result;
    using take_one = detail::fanout::take_one<T, Slots>;
    using take_gap_first = detail::fanout::take_gap_first<T, Slots>;
    using take_batch = detail::fanout::take_batch<T, Slots>;
    using completion_default = typename asio::default_completion_token<Executor>::type;

public:
    using executor_type = Executor;
    using delivery_type = delivery<T>;
    using batch_type = event_batch<T, Slots>;
    /// Where the executor names none, `deferred`.
    using default_token = std::conditional_t<std::is_void_v<completion_default>, asio::deferred_t,
                                             completion_default>;

    /// Not subscribed to anything.
    subscription() noexcept = default;
    subscription(subscription&& other) noexcept
        : state_{std::exchange(other.state_, nullptr)}, reader_{std::exchange(other.reader_,
                                                                              nullptr)} {}
    subscription& operator=(subscription&& other) noexcept {
        if (this != &other) {
            reset();
            state_ = std::exchange(other.state_, nullptr);
            reader_ = std::exchange(other.reader_, nullptr);
        }
        return *this;
    }
    ~subscription() { reset(); }

    [[nodiscard]] explicit operator bool() const noexcept { return reader_ != nullptr; }
    /// The channel's executor, the default for handlers that have none.
    [[nodiscard]] executor_type get_executor() const noexcept {
        assert(state_ != nullptr);
        return state_->settings().executor;
    }
    [[nodiscard]] const std::string& name() const noexcept {
        assert(reader_ != nullptr);
        return reader_->name();
    }

    /// Waits for the next event.
    ///
    /// Completion: `void(error_code, delivery<T>)`. Errors: `stream_closed`; `subscriber_lagged`
    /// (once; the delivery has no value, its gap says what is lost); `operation_aborted` when
    /// cancelled or unsubscribed; `asio::error::already_started` while another receive is pending.
    /// Cancellation: all types; an aborted receive has taken nothing. The event is chosen when the
    /// completion runs, not before. Never completes from within this call.
    ///
    /// With `deferred`, the default, or `as_tuple(deferred)` it is an operation: `co_await` of it
    /// in an `asio::awaitable` takes what is there without suspending, but suspends now and then
    /// (after 128 in a row) to let others have the thread.
    template <typename CompletionToken = default_token>
    auto async_receive(CompletionToken&& token = CompletionToken{}) {
        return detail::fanout::receive_with<take_one>(*this, std::forward<CompletionToken>(token));
    }

    /// As `async_receive`, for who has something to say in the place of what was lost: a gap comes
    /// as a delivery of its own, with the sequence of the first lost event. Its value is a copy of
    /// the event that the next receive, of any kind, will bring, whatever is published until then.
    template <typename CompletionToken = default_token>
    auto async_receive_gap_first(CompletionToken&& token = CompletionToken{}) {
        return detail::fanout::receive_with<take_gap_first>(*this,
                                                            std::forward<CompletionToken>(token));
    }

    /// Waits until there are events, and pins all that one segment holds of them.
    ///
    /// Completion: `void(error_code, event_batch<T>)`, not empty on success. Otherwise as
    /// `async_receive`.
    template <typename CompletionToken = default_token>
    auto async_receive_batch(CompletionToken&& token = CompletionToken{}) {
        return detail::fanout::receive_with<take_batch>(*this,
                                                        std::forward<CompletionToken>(token));
    }

    /// Takes the next event if there is one. Otherwise `ec` is `asio::error::would_block`,
    /// `stream_closed` or `subscriber_lagged` (once; then an empty delivery with the gap).
    [[nodiscard, gnu::always_inline]] delivery_type try_receive(sys::error_code& ec) {
        return try_take<take_one>(ec);
    }
    /// The same, with gaps as in `async_receive_gap_first`.
    [[nodiscard]] delivery_type try_receive_gap_first(sys::error_code& ec) {
        return try_take<take_gap_first>(ec);
    }
    /// The same for a batch.
    [[nodiscard]] batch_type try_receive_batch(sys::error_code& ec) {
        return try_take<take_batch>(ec);
    }

    /// `co_await async_receive()` as an awaitable, for `co_spawn` and awaitable operators: the same
    /// at the price of a coroutine frame. Throws `system_error` with its errors.
    [[nodiscard]] asio::awaitable<delivery_type, Executor> receive() {
        return detail::fanout::take_or_wait<take_one, Executor>(*this);
    }
    [[nodiscard]] asio::awaitable<batch_type, Executor> receive_batch() {
        return detail::fanout::take_or_wait<take_batch, Executor>(*this);
    }

    /// Completes a pending receive with `operation_aborted`; the subscription goes on.
    void cancel() noexcept {
        if (reader_ != nullptr) {
            state_->cancel(*reader_);
        }
    }
    /// Ends the subscription, as its destruction does.
    void reset() noexcept {
        if (reader_ != nullptr) {
            state_->drop(*std::exchange(reader_, nullptr));
            state_ = nullptr;
        }
    }

    /// This subscriber as the channel sees it; also after it was disconnected. Thread-safe apart
    /// from the subscription's own life. The name is valid as long as the subscription.
    [[nodiscard]] subscriber_info info() const noexcept {
        assert(reader_ != nullptr);
        const auto held = state_->lock();
        subscriber_info out;
        state_->describe(*reader_, out);
        return out;
    }

private:
    template <typename, typename, std::size_t>
    friend class broadcast;
    friend detail::fanout::receive_access;

    /// Receives in a row that are done at once before one goes by way of the executor.
    static constexpr std::uint8_t patience = 128;

    subscription(state_type& state, reader_type& reader) noexcept
        : state_{&state}, reader_{&reader} {}

    template <typename Take>
    struct receive_initiation {
        using executor_type = Executor;
        subscription* self;

        [[nodiscard]] executor_type get_executor() const noexcept { return self->get_executor(); }

        template <typename Handler>
        void operator()(Handler&& handler) const {
            self->template start<Take>(std::forward<Handler>(handler));
        }
    };

    template <typename Take, typename CompletionToken>
    auto begin_receive(CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(sys::error_code, typename Take::result)>(
            receive_initiation<Take>{this}, token);
    }
    /// A wait for something to receive.
    template <typename Take>
    auto begin_wait() {
        using result = const detail::fanout::wait_result<Take>*;
        return asio::async_initiate<const asio::deferred_t, void(result)>(
            receive_initiation<detail::fanout::leave_in_place<Take>>{this}, asio::deferred);
    }
    /// False: go by way of the executor. There is nothing, or it is time to let others have the
    /// thread, or another receive is pending.
    bool worth_trying() noexcept {
        assert(reader_ != nullptr);
        if (reader_->op == nullptr && state_->has_something(*reader_) &&
            ++reader_->in_a_row <= patience) [[likely]] {
            return true;
        }
        reader_->in_a_row = 0;
        return false;
    }
    /// The next event if it can be taken at once, by `take_here`.
    [[gnu::always_inline]] const slot_type* next_here() const noexcept {
        return state_->next_here(*reader_);
    }
    template <typename Take>
    [[gnu::always_inline]] typename Take::result take_here(const slot_type& next) {
        reader_->count_poll(state_->settings().clock);
        return detail::fanout::take_here<Take>(*reader_, next);
    }
    /// Takes what is there. False: there is nothing.
    template <typename Take>
    bool take_now(typename Take::result& taken, sys::error_code& ec) {
        const poll_result found = state_->template try_take<Take>(*reader_, taken);
        if (found != poll_result::taken) {
            ec = error_of(found);
        }
        return found != poll_result::empty;
    }

    template <typename Take, typename Handler>
    void start(Handler&& handler) {
        assert(reader_ != nullptr);
        using op = detail::fanout::receive_op<Take, std::decay_t<Handler>, T, Slots, Executor>;
        if (reader_->op != nullptr) {
            return refuse<Take>(std::forward<Handler>(handler));
        }
        reader_->count_poll(state_->settings().clock);
        op::make(*state_, *reader_, std::forward<Handler>(handler))->start();
    }

    template <typename Take, typename Handler>
    void refuse(Handler&& handler) {
        const auto executor = asio::get_associated_executor(handler, get_executor());
        const sys::error_code error = asio::error::already_started;
        if constexpr (detail::fanout::leaves_in_place<Take>) {
            asio::post(executor, [handler = std::forward<Handler>(handler), error]() mutable {
                detail::fanout::received<typename Take::taking> all{error, {}};
                const detail::fanout::wait_result<typename Take::taking> found{nullptr, nullptr,
                                                                               &all};
                std::move(handler)(&found);
            });
        } else {
            asio::post(executor, asio::append(std::forward<Handler>(handler), error,
                                              typename Take::result{}));
        }
    }

    // Always inlined, so that the event goes from its slot to where the caller wants it: through
    // memory, eight bytes at a time and then sixteen, it would wait for the stores.
    template <typename Take>
    [[gnu::always_inline]] typename Take::result try_take(sys::error_code& ec) {
        assert(reader_ != nullptr);
        if constexpr (Take::takes_one) {
            if (const slot_type* const next = next_here()) [[likely]] {
                ec.clear();
                return take_here<Take>(*next);
            }
        }
        return look<Take>(ec);
    }
    template <typename Take>
    [[gnu::noinline]] typename Take::result look(sys::error_code& ec) {
        typename Take::result result;
        ec = error_of(state_->template try_take<Take>(*reader_, result));
        return result;
    }

    [[nodiscard]] static sys::error_code error_of(poll_result found) noexcept {
        switch (found) {
        case poll_result::taken: break;
        case poll_result::empty: return asio::error::would_block;
        case poll_result::closed: return errc::stream_closed;
        case poll_result::lagged: return errc::subscriber_lagged;
        }
        return {};
    }

    state_type* state_ = nullptr; // the reader has a hold on it
    reader_type* reader_ = nullptr;
};

} // namespace muster
