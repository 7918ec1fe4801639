// Prompts on a cadence, in real time, through everything that the runtime does for a tick.

#include "workloads/house.hpp"
#include "workloads/shared/loop.hpp"
#include "workloads/shared/prompts.hpp"
#include "workloads/workloads.hpp"

#include <muster/time/time_source.hpp>
#include <muster/time/wheel_service.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace muster::work {
namespace {

/// The steady clock, but never earlier than `hold`: while a session is spawned, it finds the clock
/// where its cadence begins. Let go before anything is due.
class phased_time final : public time_source {
public:
    explicit phased_time(asio::any_io_executor where) : steady_(std::move(where)) {}

    void hold(time_point at) noexcept { held_.store(at, std::memory_order_relaxed); }
    void let_go() noexcept { held_.store(time_point::min(), std::memory_order_relaxed); }

    time_point now() const noexcept override {
        return std::max(steady_.now(), held_.load(std::memory_order_relaxed));
    }
    asio::any_io_executor get_executor() const override { return steady_.get_executor(); }
    std::unique_ptr<alarm> make_alarm() override { return steady_.make_alarm(); }

private:
    steady_time_source steady_;
    std::atomic<time_point> held_{time_point::min()};
};

/// Where the prompts arrive, on any thread: how late each was, and when all are in.
class arrivals final : public input_listener {
public:
    arrivals(const cadence& on, executor where)
        : cadence_(on), counts_(on.sessions), lateness_(on.sessions * on.ticks), done_(where, 1) {}

    void begin(clock::time_point origin) { origin_ = origin; }
    clock::time_point starts(std::uint64_t session) const {
        return origin_ + cadence_.offset(session);
    }

    /// A session's own count needs no atomic: its inputs come one at a time.
    void arrived(std::uint64_t session, std::string_view bytes) override {
        const auto due = starts(session) + cadence_.interval * ++counts_[session];
        const auto late = nanos(clock::now() - due);
        const auto place = total_.fetch_add(1, std::memory_order_acq_rel);
        if (place >= lateness_.size()) {
            return; // the cadence goes on after the last one that counts
        }
        lateness_[place] = late;
        if (bytes.size() != prompt.size()) {
            surplus_.fetch_add(bytes.size() - prompt.size(), std::memory_order_relaxed);
        }
        if (place + 1 == lateness_.size()) {
            done_.try_send(error_code());
        }
    }

    auto finished() { return done_.async_receive(tuple); }
    /// Of the prompts that count; a sum modulo 2^64.
    std::uint64_t bytes() const {
        return std::min<std::uint64_t>(total_.load(), lateness_.size()) * prompt.size() +
               surplus_.load();
    }
    samples lateness() const { return samples(lateness_); }
    /// How much later the last tenth came than the first one, by the median; below 0: earlier.
    double drift_ns() const {
        const auto tenth =
            static_cast<std::ptrdiff_t>(std::max<std::size_t>(1, lateness_.size() / 10));
        const auto median = [](auto first, auto last) {
            return samples(std::vector<std::uint64_t>(first, last)).at(0.5).get<double>();
        };
        return median(lateness_.end() - tenth, lateness_.end()) -
               median(lateness_.begin(), lateness_.begin() + tenth);
    }

private:
    cadence cadence_;
    clock::time_point origin_;
    std::vector<std::uint32_t> counts_;
    std::vector<std::uint64_t> lateness_; // written once here, so that no page fault is measured
    std::atomic<std::uint64_t> total_ = 0;
    std::atomic<std::uint64_t> surplus_ = 0;
    signal done_;
};

struct checkpoint : session_options {
    std::uint64_t ticks = 2;
    std::uint64_t interval_ms = 1'000;
    std::string phase = "spread";
    std::uint64_t leeway_ms = 0;
    std::uint64_t threads = 1;

    checkpoint() { sessions = 1'000; }

    void declare(param_set& params) {
        declare_sessions(params);
        params.number("ticks", ticks, 1, 1U << 20U, "prompts to each");
        params.number("interval_ms", interval_ms, 1, 3'600'000, "cadence");
        params.choice("phase", phase, {"spread", "together"},
                      "deadlines over the interval, or all at once");
        params.number("leeway_ms", leeway_ms, 0, 3'600'000,
                      "how much later a cadence may begin, to share wake-ups");
        declare_session_capacity(params);
        params.number("threads", threads, 1, 64, "threads that run the context");
    }

    /// All at one origin, which is far enough away to spawn every session before it.
    asio::awaitable<void> spawn_all(house& all, phased_time& time, arrivals& prompts,
                                    const cadence& on) const {
        const auto lead = std::chrono::milliseconds(100) +
                          std::chrono::microseconds(20) * static_cast<clock::rep>(sessions);
        const auto origin = clock::now() + lead;
        prompts.begin(origin);
        for (std::uint64_t number = 0; number < sessions; ++number) {
            time.hold(prompts.starts(number));
            co_await all.populate(number + 1);
        }
        time.let_go();
        if (clock::now() >= origin) {
            throw std::runtime_error("the sessions were not spawned before the cadence began");
        }
        asio::steady_timer begin(all.context, origin + on.interval / 2);
        co_await begin.async_wait(asio::use_awaitable);
    }

    struct result {
        span time;
        std::uint64_t slept = 0;
    };

    asio::awaitable<void> drive(house& all, phased_time& time, arrivals& prompts, const cadence& on,
                                result& found) const {
        co_await spawn_all(all, time, prompts, on);
        found.slept = sleeps();
        const stopwatch watch;
        co_await prompts.finished();
        found.time = watch.stop();
        found.slept = sleeps() - found.slept;
    }

    outcome run() const {
        const cadence on{sessions, ticks,
                         std::chrono::milliseconds(static_cast<std::int64_t>(interval_ms)),
                         phase == "spread"};
        asio::io_context context(static_cast<int>(threads));
        phased_time time(context.get_executor());
        arrivals prompts(on, context.get_executor());
        runtime_options options = lean_options();
        options.checkpoint = checkpoint_policy(on.interval);
        options.checkpoint.leeway = std::chrono::milliseconds(static_cast<std::int64_t>(leeway_ms));
        options.time = &time;
        house all(context, threads, options, hand_over::one_by_one, &prompts);
        result found;
        all.run(drive(all, time, prompts, on, found));
        const auto totals = all.state().totals;
        const auto fired = totals.value_or_zero(counter::checkpoint_ticks_total);
        return outcome(sessions * ticks, prompts.bytes(), found.time)
            .cpu_per_operation("cpu_ns_per_tick")
            .ratio("read_lock_wait_ns_per_tick",
                   totals.value_or_zero(counter::checkpoint_loop_read_lock_wait_nanos_total), fired)
            .ratio("send_ns_per_tick", totals.value_or_zero(counter::checkpoint_send_nanos_total),
                   fired)
            .count("process_sleeps", found.slept)
            .percentiles("lateness", prompts.lateness())
            .value("drift_ns", prompts.drift_ns());
    }
};

} // namespace

void add_checkpoint(registry& all) {
    all.add<checkpoint>("checkpoint", "The runtime prompts every session on its cadence");
}

} // namespace muster::work
