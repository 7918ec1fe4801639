#pragma once

#include <muster/time/time_source.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace muster::test {

namespace asio = boost::asio;

/// Time that stands still until the test lets it pass: a time source for wheel services, timers and
/// whole runtimes on one `io_context`.
///
///     virtual_clock clock{context};
///     wheel_service service{clock};
///     …
///     clock.advance(100ms); // every wake-up in between happens at its own time, in order
///
/// `advance` also runs the context's handlers, until none is ready, before, between and after the
/// wake-ups; so a timer that is set by a handler fires within the same call. Alarms may be armed
/// from any thread; `advance` is for one.
class virtual_clock final : public time_source {
public:
    explicit virtual_clock(asio::io_context& context,
                           time_point start = time_point{std::chrono::hours{1}})
        : context_{context}, table_{std::make_shared<alarm_table>(start)} {}

    [[nodiscard]] time_point now() const noexcept override {
        const std::lock_guard lock{table_->mutex};
        return table_->now;
    }
    [[nodiscard]] asio::any_io_executor get_executor() const override {
        return context_.get_executor();
    }
    [[nodiscard]] std::unique_ptr<alarm> make_alarm() override {
        return std::make_unique<virtual_alarm>(table_);
    }

    void advance(duration span) { advance_to(now() + span); }

    void advance_to(time_point target) {
        settle();
        while (const auto next = next_alarm()) {
            if (*next > target) {
                break;
            }
            set_now(*next);
            wake_due();
            settle();
        }
        set_now(target);
        settle();
    }

    /// Moves to the next wake-up and lets it happen; false if nothing is armed.
    bool advance_to_next() {
        const auto next = next_alarm();
        if (next) {
            advance_to(std::max(*next, now()));
        }
        return next.has_value();
    }

    /// Lets time pass without running anything: a stalled process.
    void stall(duration span) { set_now(now() + span); }

    /// The same, and the wake-ups that are due by then are posted: for who steps by hand.
    void lapse(duration span) {
        set_now(now() + span);
        wake_due();
    }

    /// Runs what is ready. More than `limit` handlers: `std::runtime_error`.
    void settle(std::size_t limit = 10'000'000) {
        context_.restart();
        for (std::size_t ran = 0; context_.poll_one() != 0; ++ran) {
            if (ran == limit) {
                throw std::runtime_error("virtual_clock: still busy at the handler limit");
            }
        }
    }

    /// When the next wake-up is due; nothing if nobody wants one.
    [[nodiscard]] std::optional<time_point> next_alarm() const {
        const std::lock_guard lock{table_->mutex};
        const auto& armed = table_->armed;
        const auto next = std::min_element(armed.begin(), armed.end(),
                                           [](auto& a, auto& b) { return a.at < b.at; });
        return next == armed.end() ? std::nullopt : std::optional{next->at};
    }

    /// How many wake-ups there were.
    [[nodiscard]] std::size_t wake_ups() const noexcept { return wake_ups_; }

private:
    struct armed_alarm {
        const alarm* owner;
        time_point at;
        boost::intrusive_ptr<alarm_listener> listener;
    };

    /// Shared with the alarms, which may outlive the clock.
    struct alarm_table {
        explicit alarm_table(time_point start) : now{start} {}

        std::mutex mutex;
        time_point now;
        std::vector<armed_alarm> armed; // in the order in which they were armed first
    };

    class virtual_alarm final : public alarm {
    public:
        explicit virtual_alarm(std::shared_ptr<alarm_table> table) : table_{std::move(table)} {}
        ~virtual_alarm() override { close(); }

        void arm(time_point at, boost::intrusive_ptr<alarm_listener> listener) override {
            const std::lock_guard lock{table_->mutex};
            const auto mine = find();
            if (closed_) {
                return;
            }
            if (mine == table_->armed.end()) {
                table_->armed.push_back({this, at, std::move(listener)});
            } else {
                mine->at = std::min(mine->at, at);
            }
        }

        void disarm() noexcept override {
            boost::intrusive_ptr<alarm_listener> last; // freed after the lock
            const std::lock_guard lock{table_->mutex};
            if (const auto mine = find(); mine != table_->armed.end()) {
                last = std::move(mine->listener);
                table_->armed.erase(mine);
            }
        }

        void close() noexcept override {
            boost::intrusive_ptr<alarm_listener> last; // freed after the lock
            const std::lock_guard lock{table_->mutex};
            closed_ = true;
            if (const auto mine = find(); mine != table_->armed.end()) {
                last = std::move(mine->listener);
                table_->armed.erase(mine);
            }
        }

    private:
        std::vector<armed_alarm>::iterator find() {
            return std::find_if(table_->armed.begin(), table_->armed.end(),
                                [this](const armed_alarm& each) { return each.owner == this; });
        }

        std::shared_ptr<alarm_table> table_;
        bool closed_ = false;
    };

    void set_now(time_point now) {
        const std::lock_guard lock{table_->mutex};
        table_->now = std::max(table_->now, now);
    }

    void wake_due() {
        const std::lock_guard lock{table_->mutex};
        std::erase_if(table_->armed, [this](armed_alarm& each) {
            if (each.at > table_->now) {
                return false;
            }
            ++wake_ups_;
            asio::post(context_, [listener = std::move(each.listener)] { listener->on_alarm(); });
            return true;
        });
    }

    asio::io_context& context_;
    std::shared_ptr<alarm_table> table_;
    std::size_t wake_ups_ = 0;
};

} // namespace muster::test
