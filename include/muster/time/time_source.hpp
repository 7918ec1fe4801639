#pragma once

#include <muster/detail/ref_counter.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <chrono>
#include <memory>

namespace muster {

namespace asio = boost::asio;

/// What an alarm wakes. Shared: whoever may still wake it keeps it alive.
class alarm_listener : public boost::intrusive_ref_counter<alarm_listener, detail::ref_counter> {
public:
    virtual ~alarm_listener() = default;
    virtual void on_alarm() = 0;
};

/// One wake-up at a time: in comes a point in time, out goes a call of `on_alarm`.
class alarm {
public:
    using time_point = std::chrono::steady_clock::time_point;

    alarm() = default;
    alarm(const alarm&) = delete;
    alarm& operator=(const alarm&) = delete;
    virtual ~alarm() = default;

    /// Wakes `listener` once, on the source's executor, at `at` or soon after. Of several points
    /// that were asked for since the last wake-up, the earliest counts. A wake-up too many is
    /// allowed. Thread-safe.
    virtual void arm(time_point at, boost::intrusive_ptr<alarm_listener> listener) = 0;

    /// Forgets what was armed, so that it keeps nothing running; a wake-up that is under way may
    /// still come. Thread-safe.
    virtual void disarm() noexcept = 0;

    /// Ends it: no wake-up comes from an `arm` after this. One that is under way may still come.
    /// Thread-safe.
    virtual void close() noexcept = 0;
};

/// Where a wheel service gets its time and its wake-ups from: the steady clock, or a test's.
class time_source {
public:
    using clock = std::chrono::steady_clock;
    using duration = clock::duration;
    using time_point = clock::time_point;

    virtual ~time_source() = default;

    /// Never goes back. Thread-safe.
    [[nodiscard]] virtual time_point now() const noexcept = 0;
    /// Where alarms call their listeners.
    [[nodiscard]] virtual asio::any_io_executor get_executor() const = 0;
    [[nodiscard]] virtual std::unique_ptr<alarm> make_alarm() = 0;
};

/// The real one: `steady_clock`, and one `asio::steady_timer` per alarm.
class steady_time_source final : public time_source {
public:
    explicit steady_time_source(asio::any_io_executor executor) noexcept
        : executor_{std::move(executor)} {}

    [[nodiscard]] time_point now() const noexcept override { return clock::now(); }
    [[nodiscard]] asio::any_io_executor get_executor() const override { return executor_; }
    [[nodiscard]] std::unique_ptr<alarm> make_alarm() override;

private:
    asio::any_io_executor executor_;
};

} // namespace muster
