#pragma once

#include <muster/fanout/options.hpp>
#include <muster/session/envelope.hpp>

#include <cstdint>

#include <boost/smart_ptr/intrusive_ptr.hpp>

/// A channel of envelopes knows how old what it holds is: nanoseconds since the runtime's start.
template <>
struct muster::broadcast_traits<muster::envelope> {
    static std::uint64_t time(const envelope& published) noexcept {
        return static_cast<std::uint64_t>(published.received().count());
    }
};

namespace muster::detail {

/// Where a subscription's lag, end and delays are counted: the session's or the runtime's counters.
/// Thread-safe; shared by all subscriptions of one channel, and kept alive by them.
class subscription_account {
public:
    /// A receive reported `missing`; `marked` if a truncation marker stands for it.
    virtual void lagged(const gap& missing, bool marked) noexcept = 0;
    /// A receive ended with `stream_closed` for the first time.
    virtual void closed() noexcept = 0;
    /// `oldest` has just been delivered, with whatever came in the same batch.
    virtual void received(const envelope& oldest) noexcept = 0;

protected:
    ~subscription_account() = default;

private:
    friend void intrusive_ptr_add_ref(subscription_account* account) noexcept { account->hold(); }
    friend void intrusive_ptr_release(subscription_account* account) noexcept { account->let_go(); }
    virtual void hold() noexcept = 0;
    virtual void let_go() noexcept = 0;
};

using account_ptr = boost::intrusive_ptr<subscription_account>;

/// The output event that stands for a gap, for readers that only print.
[[nodiscard]] envelope truncation_marker(const gap& missing, const envelope& next);

} // namespace muster::detail
