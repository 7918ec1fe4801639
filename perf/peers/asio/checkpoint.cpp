#include "workload.hpp"
#include "workloads/shared/prompts.hpp"

#include <boost/asio/steady_timer.hpp>
#include <memory>

// A steady_timer per session, each re-armed on its own cadence by a handler object.

namespace muster::work::peer {

namespace {

using timer = asio::steady_timer::rebind_executor<executor>::other;

/// Fires `left` times, `interval` apart from its first expiry on; then it is quiet.
template <class Fire>
class periodic_timer {
public:
    periodic_timer(executor where, Fire fire, std::uint64_t left, clock::duration interval)
        : timer_(where), fire_(fire), left_(left), interval_(interval) {}

    void start(clock::time_point first) {
        timer_.expires_at(first);
        arm();
    }

private:
    struct expired {
        void operator()(error_code) const { self->fired(); }
        periodic_timer* self;
    };

    void arm() { timer_.async_wait(expired{this}); }

    void fired() {
        fire_();
        if (--left_ == 0)
            return;
        timer_.expires_at(timer_.expiry() + interval_);
        arm();
    }

    timer timer_;
    Fire fire_;
    std::uint64_t left_;
    clock::duration interval_;
};

struct count_fire {
    void operator()() const { ++*fired; }
    std::uint64_t* fired;
};

struct send_prompt {
    void operator()() const { to->arrived(session, prompt); }
    prompts* to;
    std::uint64_t session;
};

/// From half an interval after the cadence's origin until the last timer has fired.
span run_cadence(asio::io_context& context, clock::time_point begin, std::uint64_t& slept) {
    context.run_until(begin);
    slept = sleeps();
    const stopwatch watch;
    context.run();
    const span time = watch.stop();
    slept = sleeps() - slept;
    return time;
}

struct cadence_options {
    std::uint64_t interval_ms = 1'000;
    std::string phase = "spread";

    void declare_cadence(param_set& params) {
        params.number("interval_ms", interval_ms, 1, 3'600'000, "cadence");
        params.choice("phase", phase, {"spread", "together"},
                      "deadlines over the interval, or all at once");
    }

    cadence make(std::uint64_t sessions, std::uint64_t ticks) const {
        return {sessions, ticks, std::chrono::milliseconds(static_cast<std::int64_t>(interval_ms)),
                phase == "spread"};
    }
};

struct timer_periodic : cadence_options {
    std::uint64_t timers = 100'000;
    std::uint64_t fires = 2;

    void declare(param_set& params) {
        params.number("timers", timers, 1, 10'000'000, "timers");
        params.number("fires", fires, 1, 1U << 20U, "fires of each");
        declare_cadence(params);
    }

    outcome run() const {
        asio::io_context context(1);
        const cadence on = make(timers, fires);
        const auto origin = clock::now() + on.lead();
        std::uint64_t fired = 0;
        std::vector<std::unique_ptr<periodic_timer<count_fire>>> all;
        for (std::uint64_t index = 0; index < timers; ++index) {
            all.push_back(std::make_unique<periodic_timer<count_fire>>(
                context.get_executor(), count_fire{&fired}, fires, on.interval));
            all.back()->start(origin + on.offset(index) + on.interval);
        }
        std::uint64_t slept = 0;
        const span time = run_cadence(context, origin + on.interval / 2, slept);
        return outcome(timers * fires, fired, time).cpu_per_operation("cpu_ns_per_fire");
    }
};

struct checkpoint : cadence_options {
    std::uint64_t sessions = 1'000;
    std::uint64_t ticks = 2;

    void declare(param_set& params) {
        params.number("sessions", sessions, 1, 10'000'000, "sessions");
        params.number("ticks", ticks, 1, 1U << 20U, "prompts to each");
        declare_cadence(params);
    }

    outcome run() const {
        asio::io_context context(1);
        const cadence on = make(sessions, ticks);
        const auto origin = clock::now() + on.lead();
        prompts arrivals(on, origin);
        std::vector<std::unique_ptr<periodic_timer<send_prompt>>> all;
        for (std::uint64_t session = 0; session < sessions; ++session) {
            all.push_back(std::make_unique<periodic_timer<send_prompt>>(
                context.get_executor(), send_prompt{&arrivals, session}, ticks, on.interval));
            all.back()->start(arrivals.first_due(session));
        }
        std::uint64_t slept = 0;
        const span time = run_cadence(context, origin + on.interval / 2, slept);
        return outcome(sessions * ticks, arrivals.bytes(), time)
            .cpu_per_operation("cpu_ns_per_tick")
            .count("process_sleeps", slept)
            .percentiles("lateness", arrivals.lateness());
    }
};

} // namespace

void add_checkpoint(registry& all) {
    all.add<timer_periodic>("timer_periodic", "Periodic timers that fire and are re-armed");
    all.add<checkpoint>("checkpoint", "A timer per session that hands a prompt to its worker");
}

} // namespace muster::work::peer
