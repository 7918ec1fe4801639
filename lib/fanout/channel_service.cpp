#include <muster/fanout/detail/channel_service.hpp>

namespace muster::detail::fanout {

asio::execution_context::id channel_service::id;

void serviced_channel::enter_service(channel_service& service) {
    service.add(*this);
}

void serviced_channel::leave_service(channel_service& service) noexcept {
    service.remove(*this);
}

channel_service::channel_service(asio::execution_context& context)
    : asio::execution_context::service{context} {}

void channel_service::add(serviced_channel& channel) {
    const std::lock_guard lock{mutex_};
    channel.previous_ = nullptr;
    channel.next_ = first_;
    if (first_ != nullptr) {
        first_->previous_ = &channel;
    }
    first_ = &channel;
}

void channel_service::remove(serviced_channel& channel) noexcept {
    const std::lock_guard lock{mutex_};
    unlink(channel);
}

void channel_service::shutdown() {
    while (serviced_channel* const channel = pop()) {
        channel->shutdown();
    }
}

serviced_channel* channel_service::pop() noexcept {
    const std::lock_guard lock{mutex_};
    serviced_channel* const channel = first_;
    if (channel != nullptr) {
        unlink(*channel);
    }
    return channel;
}

void channel_service::unlink(serviced_channel& channel) noexcept {
    (channel.previous_ != nullptr ? channel.previous_->next_ : first_) = channel.next_;
    if (channel.next_ != nullptr) {
        channel.next_->previous_ = channel.previous_;
    }
}

} // namespace muster::detail::fanout
