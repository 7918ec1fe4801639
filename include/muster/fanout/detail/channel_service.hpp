#pragma once

#include <boost/asio/execution_context.hpp>

#include <mutex>

namespace muster::detail::fanout {

namespace asio = boost::asio;

class channel_service;

/// A channel as its execution context sees it.
class serviced_channel {
public:
    serviced_channel(const serviced_channel&) = delete;
    serviced_channel& operator=(const serviced_channel&) = delete;

protected:
    serviced_channel() noexcept = default;
    ~serviced_channel() = default;

    void enter_service(channel_service& service);
    /// Not after `shutdown`: then it has left already, and the service may be gone.
    void leave_service(channel_service& service) noexcept;

private:
    friend class channel_service;

    /// The context dies: destroy the handlers that wait, call none.
    virtual void shutdown() noexcept = 0;

    serviced_channel* next_ = nullptr;
    serviced_channel* previous_ = nullptr;
};

/// Knows the channels whose waiting handlers an execution context owns, so that these die with it
/// (they may own the coroutine that owns the subscription). Thread-safe.
class channel_service final : public asio::execution_context::service {
public:
    static asio::execution_context::id id;

    explicit channel_service(asio::execution_context& context);

    void add(serviced_channel& channel);
    void remove(serviced_channel& channel) noexcept;

private:
    void shutdown() override;
    serviced_channel* pop() noexcept;
    void unlink(serviced_channel& channel) noexcept;

    std::mutex mutex_;
    serviced_channel* first_ = nullptr;
};

} // namespace muster::detail::fanout
