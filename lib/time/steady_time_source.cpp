#include <muster/time/time_source.hpp>

#include <boost/asio/steady_timer.hpp>

#include <mutex>
#include <optional>
#include <utility>

namespace muster {

namespace {

/// Whoever is to be woken owns the alarm, and the wait under way keeps the listener: it outlives
/// the wait.
class steady_alarm final : public alarm {
public:
    explicit steady_alarm(const asio::any_io_executor& executor)
        : timer_{std::in_place, executor} {}

    void arm(time_point at, boost::intrusive_ptr<alarm_listener> listener) override {
        const std::lock_guard lock{mutex_};
        if (!timer_ || at >= armed_) {
            return;
        }
        timer_->expires_at(at);
        timer_->async_wait(wait_handler{this, std::move(listener)});
        armed_ = at;
    }

    void disarm() noexcept override {
        const std::lock_guard lock{mutex_};
        if (timer_ && armed_ != time_point::max()) {
            timer_->cancel();
            armed_ = time_point::max();
        }
    }

    void close() noexcept override {
        const std::lock_guard lock{mutex_};
        timer_.reset();
    }

private:
    struct wait_handler {
        steady_alarm* alarm;
        boost::intrusive_ptr<alarm_listener> listener;

        void operator()(const boost::system::error_code& error) const {
            if (!error) {
                alarm->went_off();
                listener->on_alarm();
            }
        }
    };

    /// Forgets what was armed, even if that was not what went off: the listener arms what it needs.
    void went_off() {
        const std::lock_guard lock{mutex_};
        armed_ = time_point::max();
    }

    std::mutex mutex_; // not a spin lock: the timer may make a system call
    std::optional<asio::steady_timer> timer_;
    time_point armed_ = time_point::max();
};

} // namespace

std::unique_ptr<alarm> steady_time_source::make_alarm() {
    return std::make_unique<steady_alarm>(executor_);
}

} // namespace muster
