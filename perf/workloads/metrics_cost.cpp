// End to end with the metrics on, against the same with them off.

#include "workloads/end_to_end.hpp"
#include "workloads/workloads.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace muster::work {
namespace {

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Runs both in turn, the one that goes first in turn too, so that what drifts meets both alike.
struct metrics_cost : end_to_end {
    std::uint64_t pairs = 15;

    metrics_cost() { events = 1'600; }

    void declare(param_set& params) {
        end_to_end::declare(params);
        params.number("pairs", pairs, 1, 10'000,
                      "runs with the metrics on, and as many with them off");
    }

    struct sums {
        std::uint64_t operations = 0;
        std::uint64_t checksum = 0;
        span time;

        void add(const outcome& one) {
            operations += one.operations();
            checksum += one.checksum();
            time.wall_ns += one.time().wall_ns;
            time.cpu_ns += one.time().cpu_ns;
        }
    };

    outcome run() const {
        check();
        static_cast<void>(measure(true)); // the first one grows the heap
        sums on;
        sums off;
        std::vector<double> ratios;
        for (std::uint64_t pair = 0; pair < pairs; ++pair) {
            const bool first = pair % 2 == 0;
            const outcome a = measure(first);
            const outcome b = measure(!first);
            on.add(first ? a : b);
            off.add(first ? b : a);
            const auto cpu_on = static_cast<double>((first ? a : b).time().cpu_ns);
            const auto cpu_off = static_cast<double>((first ? b : a).time().cpu_ns);
            ratios.push_back(cpu_on / std::max(cpu_off, 1.0));
        }
        if (on.checksum != off.checksum) {
            throw std::runtime_error("the work differs with the metrics off");
        }
        return outcome(on.operations, on.checksum, on.time)
            .ratio("on_cpu_ns_per_delivery", on.time.cpu_ns, on.operations)
            .ratio("off_cpu_ns_per_delivery", off.time.cpu_ns, off.operations)
            .value("on_to_off_ratio", median(ratios));
    }
};

} // namespace

void add_metrics_cost(registry& all) {
    all.add<metrics_cost>("metrics_cost", "End to end with the metrics on against off, in pairs");
}

} // namespace muster::work
