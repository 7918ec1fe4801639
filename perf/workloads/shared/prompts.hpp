#pragma once

#include "workloads/shared/loop.hpp"
#include "workloads/shared/measure.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace muster::work {

inline constexpr std::string_view prompt = "Emit a checkpoint now.\n";

/// Session i is due at `origin + offset(i) + k * interval`, k = 1, 2, ...
struct cadence {
    std::uint64_t sessions;
    std::uint64_t ticks;
    clock::duration interval;
    bool spread;

    clock::duration offset(std::uint64_t session) const {
        const auto share = static_cast<double>(session) / static_cast<double>(sessions);
        const auto part = static_cast<double>(interval.count()) * (spread ? share : 0.0);
        return clock::duration(static_cast<clock::rep>(part));
    }

    /// Long enough to arm all timers before the cadence begins.
    clock::duration lead() const {
        return std::chrono::milliseconds(100) +
               std::chrono::microseconds(4) * static_cast<clock::rep>(sessions);
    }
};

/// Where checkpoint prompts arrive: counts them per session and notes how late each was.
class prompts {
public:
    prompts(const cadence& on, clock::time_point origin)
        : cadence_(on), origin_(origin), counts_(on.sessions), lateness_(on.sessions * on.ticks) {
        lateness_.clear(); // written once, so that no page fault is measured
    }

    clock::time_point first_due(std::uint64_t session) const {
        return origin_ + cadence_.offset(session) + cadence_.interval;
    }

    void arrived(std::uint64_t session, std::string_view bytes) {
        const auto due = first_due(session) + cadence_.interval * counts_[session]++;
        lateness_.push_back(nanos(clock::now() - due));
        bytes_ += bytes.size();
    }

    std::uint64_t bytes() const { return bytes_; }
    samples lateness() const { return samples(lateness_); }

private:
    cadence cadence_;
    clock::time_point origin_;
    std::vector<std::uint32_t> counts_;
    std::vector<std::uint64_t> lateness_;
    std::uint64_t bytes_ = 0;
};

} // namespace muster::work
