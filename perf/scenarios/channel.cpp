// One channel and its subscribers: publishing, bursts and single events, every way to receive.

#include "harness/work_scenario.hpp"

#include <algorithm>

namespace muster::perf {
namespace {

/// Some 1.3 million deliveries, whatever the number of subscribers.
work_params deliveries(std::size_t subscribers, std::uint64_t burst) {
    return {{"burst", std::to_string(burst)}, {"events", share_of(1'310'720, subscribers, burst)}};
}

/// Every subscriber gets the numbers 1 to n.
std::uint64_t all_numbers(const work_values& values) {
    const auto events = values.number("events") * values.number("producers");
    return values.number("subscribers") * (events * (events + 1) / 2);
}

work_scenario delivery(std::uint64_t burst) {
    work_scenario what;
    what.name = "channel";
    what.workload = "channel_delivery";
    what.count_param = what.counted = "subscribers";
    what.session_counts = {1, 8, 64, 512};
    what.max_sessions = 100'000;
    what.bytes_each = 2'000;
    what.headlines = {"cpu_ns_per_delivery", "wall_ns_per_delivery"};
    what.scale = [burst](std::size_t subscribers) {
        return deliveries(subscribers, burst);
    };
    what.checksum = all_numbers;
    return what;
}

bool enlist_bursts() {
    auto bursts = delivery(40);
    bursts.variants = {
        {"batch_40", "bursts of 40, received in batches", {}, {}},
        {"try_40", "bursts of 40, try_receive until empty", {{"receive", "try"}}, {}},
        {"await_40", "bursts of 40, a wait for every event", {{"receive", "await"}}, {}},
        {"batch_40_shared",
         "bursts of 40 shared pointers, in batches",
         {{"payload", "shared"}},
         {}},
        {"batch_40_two_producers", "bursts of 40 from each of two tasks", {{"producers", "2"}}, {}},
        {"batch_40_two_threads", "bursts of 40 on two threads", {{"threads", "2"}}, {}},
        {"batch_40_two_and_two",
         "two producers on two threads",
         {{"producers", "2"}, {"threads", "2"}},
         {}},
    };
    enlist_at_scale(bursts);
    auto large = delivery(1'024);
    large.variants = {
        {"batch_1024", "bursts of 1024, received in batches", {}, {}},
        {"try_1024", "bursts of 1024, try_receive until empty", {{"receive", "try"}}, {}},
    };
    enlist_at_scale(large);
    auto singles = delivery(1);
    singles.scale = [](std::size_t subscribers) {
        return work_params{{"burst", "1"}, {"events", share_of(320'000, subscribers, 1)}};
    };
    singles.variants = {
        {"singles", "one event at a time to sleeping subscribers", {}, {}},
        {"singles_two_threads", "one event at a time, on two threads", {{"threads", "2"}}, {}},
    };
    return enlist_at_scale(singles);
}

/// With exact capacity: what is kept of the numbers, and the count of what is lost.
std::uint64_t kept_and_lost(const work_values& values) {
    const auto events = values.number("events");
    const auto kept = std::min(values.number("capacity"), events);
    const auto sum = kept * (events - kept + 1 + events) / 2;
    return values.number("subscribers") * (sum + events - kept);
}

bool enlist_publishing() {
    auto idle = delivery(1);
    idle.workload = "channel_publish";
    idle.headlines = {"publish_ns"};
    idle.scale = nullptr;
    idle.checksum = kept_and_lost;
    idle.variants = {
        {"publish", "publish to subscribers that never read", {}, {}},
        {"publish_shared", "the same with shared pointers", {{"payload", "shared"}}, {}},
    };
    enlist_at_scale(idle);
    auto waiting = delivery(1);
    waiting.workload = "channel_publish_waiting";
    waiting.headlines = {"publish_p50_ns", "publish_p99_ns"};
    waiting.scale = nullptr;
    waiting.checksum = [](const work_values& values) {
        const auto events = values.number("events");
        return values.number("subscribers") * (events * (events + 1) / 2);
    };
    waiting.variants = {
        {"publish_waiting", "the publish alone while all subscribers sleep", {}, {}},
    };
    return enlist_at_scale(waiting);
}

const bool enlisted = enlist_bursts() && enlist_publishing();

} // namespace
} // namespace muster::perf
