// The wheel, alone and as Asio's kind of timer.

#include "guards/manual_time.hpp"
#include "guards/rig.hpp"

#include <muster/time/timer_wheel.hpp>
#include <muster/time/wheel_timer.hpp>

#include <boost/asio/io_context.hpp>

#include <array>
#include <chrono>
#include <cstdint>

namespace muster::guards {
namespace {

class schedule_and_cancel final : public rig {
public:
    void run(std::size_t operations) override {
        for (std::size_t i = 0; i < operations; ++i) {
            timer_entry& entry = entries_[i % entries_.size()];
            wheel_.schedule(entry, tick{1 + i * 7'919 % 60'000});
            wheel_.cancel(entry);
        }
    }

private:
    std::array<timer_entry, 64> entries_;
    timer_wheel wheel_;
};

/// Periodic timers, spread over their interval: so many fire in each tick.
class fire_and_rearm final : public rig {
public:
    fire_and_rearm() {
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            wheel_.schedule(entries_[i], tick{1 + i / each_tick});
        }
    }

    void run(std::size_t operations) override {
        for (std::size_t fired = 0; fired < operations; fired += each_tick) {
            now_ = now_ + 1;
            wheel_.advance(
                now_, [this](timer_entry& due) { wheel_.schedule(due, due.due() + interval); });
        }
    }

private:
    static constexpr std::size_t each_tick = 8;
    static constexpr std::uint64_t interval = 1'000;

    std::array<timer_entry, each_tick * interval> entries_;
    timer_wheel wheel_; // goes first, and lets go of the entries
    tick now_;
};

class set_wait_cancel final : public round_rig {
public:
    set_wait_cancel() : round_rig{1} {}

private:
    void start_round() override {
        timer_.expires_after(std::chrono::hours{1});
        timer_.async_wait([this](boost::system::error_code) { round_done(); });
        timer_.cancel();
    }

    manual_time time_{context_};
    wheel_service service_{time_};
    wheel_timer timer_{service_};
};

} // namespace

void add_timer_paths(path_list& paths) {
    paths.push_back({"wheel.schedule_cancel", "an entry scheduled within a minute, and cancelled",
                     make_rig<schedule_and_cancel>});
    paths.push_back({"wheel.fire_rearm",
                     "a periodic entry, one of 8 in a tick, fired and scheduled again",
                     make_rig<fire_and_rearm>});
    paths.push_back({"wheel_timer.set_wait_cancel",
                     "a timer set, waited for and cancelled, its handler run",
                     make_rig<set_wait_cancel>});
}

} // namespace muster::guards
