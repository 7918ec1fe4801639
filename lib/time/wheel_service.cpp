#include <muster/time/wheel_service.hpp>

#include <muster/error.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace muster {

namespace {

using detail::wheel_state;

boost::intrusive_ptr<wheel_state> make_state(std::unique_ptr<time_source> owned,
                                             time_source& source,
                                             wheel_service::duration tick_length) {
    if (tick_length <= wheel_service::duration::zero()) {
        throw error{errc::configuration, "a wheel's tick length must be positive"};
    }
    boost::intrusive_ptr<wheel_state> state{new wheel_state{std::move(owned), source, tick_length}};
    state->watch_context();
    return state;
}

boost::intrusive_ptr<wheel_state> make_state(asio::any_io_executor executor,
                                             wheel_service::duration tick_length) {
    auto source = std::make_unique<steady_time_source>(std::move(executor));
    time_source& steady = *source;
    return make_state(std::move(source), steady, tick_length);
}

} // namespace

wheel_service::wheel_service(asio::any_io_executor executor, duration tick_length)
    : state_{make_state(std::move(executor), tick_length)} {}

wheel_service::wheel_service(time_source& source, duration tick_length)
    : state_{make_state(nullptr, source, tick_length)} {}

wheel_service::~wheel_service() {
    state_->close();
}

std::uint64_t wheel_service::ticks_in(duration span) const noexcept {
    const auto length = tick_length();
    const auto whole = span / length + (span % length > duration::zero() ? 1 : 0);
    return static_cast<std::uint64_t>(std::max<duration::rep>(whole, 1));
}

void wheel_entry::schedule(tick due) {
    state_->schedule(*this, due);
}

cancel_result wheel_entry::cancel() noexcept {
    return state_->cancel(*this);
}

void wheel_entry::retire() noexcept {
    state_->retire(*this);
}

} // namespace muster
