#pragma once

#include <muster/time/time_source.hpp>

#include <boost/asio/io_context.hpp>

#include <memory>
#include <utility>

namespace muster::guards {

/// Time that passes when it is told to, for one wheel service; costs next to nothing, so that what
/// is counted is the wheel's and the runtime's.
class manual_time final : public time_source {
public:
    explicit manual_time(asio::io_context& context) noexcept : context_{context} {}

    [[nodiscard]] time_point now() const noexcept override { return now_; }
    [[nodiscard]] asio::any_io_executor get_executor() const override {
        return context_.get_executor();
    }
    [[nodiscard]] std::unique_ptr<alarm> make_alarm() override {
        return std::make_unique<only_alarm>(armed_);
    }

    /// Moves on to the alarm, if one is armed, and lets it go off; for handlers of the context.
    void go_to_alarm() {
        if (const auto woken = std::exchange(armed_->listener, nullptr)) {
            now_ = armed_->at;
            woken->on_alarm();
        }
    }

private:
    /// Shared with the alarm, which the context may keep longer than there is this clock.
    struct armed {
        time_point at;
        boost::intrusive_ptr<alarm_listener> listener;
    };

    class only_alarm final : public alarm {
    public:
        explicit only_alarm(std::shared_ptr<armed> shared) noexcept : armed_{std::move(shared)} {}
        void arm(time_point at, boost::intrusive_ptr<alarm_listener> listener) override {
            if (!armed_->listener || at < armed_->at) {
                armed_->at = at;
            }
            armed_->listener = std::move(listener);
        }
        void disarm() noexcept override { armed_->listener.reset(); }
        void close() noexcept override { disarm(); }

    private:
        std::shared_ptr<armed> armed_;
    };

    asio::io_context& context_;
    time_point now_{std::chrono::hours{1}};
    std::shared_ptr<armed> armed_ = std::make_shared<armed>();
};

} // namespace muster::guards
