#pragma once

#include <muster/detail/ref_counter.hpp>
#include <muster/fanout/detail/channel_service.hpp>
#include <muster/fanout/options.hpp>

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <cstdint>

namespace muster {

namespace asio = boost::asio;

/// What the channels of a program have in common. One object may serve any number of channels,
/// which share it: `boost::intrusive_ptr<const broadcast_settings>`.
///
/// The executor runs the flushes that wake waiting subscribers; a subscriber whose handler runs on
/// an equal executor is completed there and then, others through a post to their own. Its context
/// must outlive every use of the channels except their destruction.
template <typename Executor>
class broadcast_settings
    : public boost::intrusive_ref_counter<broadcast_settings<Executor>, detail::ref_counter> {
public:
    using clock_function = std::uint64_t (*)() noexcept;

    Executor executor;
    retention keep;                         ///< for subscribers that start in the past
    std::uint64_t retired_limit = 65'536;   ///< latest values kept of keys given up
    broadcast_observer* observer = nullptr; ///< must outlive the channels' subscriptions
    clock_function clock = nullptr;         ///< read on each poll; cheap, or null

    explicit broadcast_settings(const Executor& flush_executor, retention kept = {})
        : executor{flush_executor}, keep{kept},
          service_{&asio::use_service<detail::fanout::channel_service>(
              asio::query(flush_executor, asio::execution::context))} {}

    /// The registry of the executor's context.
    [[nodiscard]] detail::fanout::channel_service& service() const noexcept { return *service_; }

private:
    detail::fanout::channel_service* service_;
};

/// A channel's counts since it was made. Events are counted whether or not they were kept.
struct channel_totals {
    std::uint64_t published_events = 0;
    std::uint64_t published_bytes = 0;
    std::uint64_t last_sequence = 0; ///< 0: nothing published
    std::uint64_t subscribers = 0;
    std::uint64_t lagged_events = 0; ///< as told to subscribers, gone ones included
    std::uint64_t lagged_bytes = 0;
    std::uint64_t gaps = 0;
};

} // namespace muster
