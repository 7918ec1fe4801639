#pragma once

#include <muster/metrics/counters.hpp>

namespace muster::detail {

/// Counts one call of the facade: a request now, and a failure unless it was said to have
/// succeeded.
template <counter Requests, counter Failures>
class counted_call {
public:
    explicit counted_call(total_counters& totals) noexcept : totals_{totals} {
        totals_.add<Requests>();
    }
    counted_call(const counted_call&) = delete;
    counted_call& operator=(const counted_call&) = delete;
    ~counted_call() {
        if (!succeeded_) {
            totals_.add<Failures>();
        }
    }

    void succeed() noexcept { succeeded_ = true; }
    /// The same, where successes are counted as well.
    template <counter Successes>
    void succeed_as() noexcept {
        totals_.add<Successes>();
        succeed();
    }

private:
    total_counters& totals_;
    bool succeeded_ = false;
};

using spawn_call = counted_call<counter::spawn_requests_total, counter::spawn_failures_total>;
using kill_call = counted_call<counter::kill_requests_total, counter::kill_failures_total>;
using input_call =
    counted_call<counter::send_input_requests_total, counter::send_input_failures_total>;
using resize_call = counted_call<counter::resize_requests_total, counter::resize_failures_total>;
using respond_call = counted_call<counter::respond_requests_total, counter::respond_failures_total>;
using focus_call = counted_call<counter::focus_requests_total, counter::focus_failures_total>;
using subscribe_call =
    counted_call<counter::subscribe_session_calls_total, counter::subscribe_session_failures_total>;

} // namespace muster::detail
