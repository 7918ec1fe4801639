#include <muster/error.hpp>
#include <muster/runtime/options.hpp>

#include <cmath>

namespace muster {
namespace {

constexpr double min_spawns_per_second = 1e-9; // what is between two must fit into nanoseconds

[[noreturn]] void reject(const char* what) {
    throw error{errc::configuration, what};
}

} // namespace

void restart_policy::validate() const {
    if (when == mode::never) {
        return;
    }
    if (initial_delay.count() <= 0 || max_delay < initial_delay) {
        reject("a restart policy needs 0 < initial_delay <= max_delay");
    }
    if (max_restarts == 0 || window.count() <= 0) {
        reject("a restart policy needs at least one restart in a positive window; or use never");
    }
}

void admission_limits::validate() const {
    const bool in_range =
        max_spawns_per_second >= min_spawns_per_second && std::isfinite(max_spawns_per_second);
    if (max_spawns_per_second != 0 && !in_range) {
        reject("the spawn rate must be at least 1e-9 a second; 0 means no limit");
    }
}

void runtime_options::validate() const {
    checkpoint.validate();
    admission.validate();
    if (terminal.max_age.count() < 0) {
        reject("the age at which terminal sessions are removed must not be negative");
    }
}

void spawn_options::validate() const {
    if (checkpoint) {
        checkpoint->validate();
    }
    restart.validate();
    if (silence.after.count() < 0) {
        reject("a silence limit must not be negative: 0 turns the watchdog off");
    }
}

} // namespace muster
