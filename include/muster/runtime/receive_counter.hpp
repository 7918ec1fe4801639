#pragma once

#include <muster/error.hpp>
#include <muster/fanout/delivery.hpp>
#include <muster/fanout/detail/channel_state.hpp>
#include <muster/runtime/subscription_account.hpp>
#include <muster/session/envelope.hpp>

#include <boost/asio/associator.hpp>

#include <cstddef>
#include <utility>

namespace muster::detail {

/// Counts what a subscription's receives bring. Knows the subscription's parts and not the
/// subscription, which may move while a receive is pending; what has been aborted, when they may be
/// gone, leaves them alone.
///
/// `Marks`: a gap that comes alone gets its truncation marker.
template <typename Reader, bool Marks>
class receive_counter {
public:
    receive_counter(subscription_account& account, const Reader& reader) noexcept
        : account_{&account}, reader_{&reader} {}

    void operator()(const envelope& next) const noexcept { account_->received(next); }
    void operator()(sys::error_code ec, delivery<envelope>& taken) const {
        if (is_end(ec)) {
            return;
        }
        const bool marked = Marks && taken.missing && taken.value;
        if (taken.missing) {
            account_->lagged(taken.missing, marked);
        }
        if (marked) {
            taken.value = truncation_marker(taken.missing, taken.value);
            taken.bytes = taken.value.output_bytes();
        } else if (taken.value) {
            account_->received(taken.value);
        }
    }
    template <std::size_t Slots>
    void operator()(sys::error_code ec, const event_batch<envelope, Slots>& taken) const {
        if (is_end(ec)) {
            return;
        }
        if (taken.missing()) {
            account_->lagged(taken.missing(), false);
        }
        if (!taken.empty()) {
            account_->received(taken[0].value);
        }
    }

private:
    [[nodiscard]] bool is_end(sys::error_code ec) const {
        if (!ec) {
            return false;
        }
        if (ec == errc::stream_closed && reader_->times_ended == 1) {
            account_->closed();
        }
        return ec != errc::subscriber_lagged;
    }

    subscription_account* account_;
    const Reader* reader_;
};

/// Stands in front of the reader's handler and counts what it is given.
template <typename Counter, typename Handler>
class counting_handler {
public:
    counting_handler(const Counter& count, Handler handler)
        : count_{count}, handler_{std::move(handler)} {}

    template <typename Result>
    void operator()(sys::error_code ec, Result taken) {
        count_(ec, taken);
        std::move(handler_)(ec, std::move(taken));
    }
    template <typename Take>
    void operator()(const fanout::wait_result<Take>* found) {
        if (found->next != nullptr) {
            count_(found->next->value);
        } else {
            count_(found->instead->error, found->instead->taken);
        }
        std::move(handler_)(found);
    }
    [[nodiscard]] const Handler& handler() const noexcept { return handler_; }

private:
    Counter count_;
    Handler handler_;
};

} // namespace muster::detail

/// The handler in front has the executor, allocator and cancellation slot of the one behind.
template <template <typename, typename> class Associator, typename Counter, typename Handler,
          typename Default>
struct boost::asio::associator<Associator, muster::detail::counting_handler<Counter, Handler>,
                               Default> : Associator<Handler, Default> {
    static typename Associator<Handler, Default>::type
    get(const muster::detail::counting_handler<Counter, Handler>& front,
        const Default& fallback = Default()) noexcept {
        return Associator<Handler, Default>::get(front.handler(), fallback);
    }
};
