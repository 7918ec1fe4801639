#include "comparison/row_set.hpp"

#include <array>

// Publishing to, and receiving from, a channel with 1 to 512 subscribers.

namespace muster::perf {
namespace {

using enum better;

const std::vector<peer> primitives{peer::tokio, peer::asio};
constexpr std::array<std::size_t, 4> subscriber_counts{1, 8, 64, 512};

std::string plural(std::size_t subscribers) {
    return text(subscribers) + (subscribers == 1 ? " subscriber" : " subscribers");
}

void add_publish(row_set& all) {
    add(all, "publish", "a number to an idle subscriber")
        .work("channel_publish", {{"events", "4000000"}}, {{"events", "1000000"}})
        .against(primitives)
        .compare("publish_ns", lower, {itself(10)});
    add(all, "publish_shared", "a shared object, allocated in the region, to an idle subscriber")
        .work("channel_publish", {{"events", "4000000"}, {"payload", "shared"}},
              {{"events", "1000000"}})
        .against(primitives)
        .compare("publish_ns", lower);
    for (const std::size_t subscribers : subscriber_counts) {
        add(all, "publish_waiting_" + text(subscribers),
            "the call alone, while a receive sleeps in each of " + plural(subscribers))
            .work("channel_publish_waiting",
                  {{"events", "2000"}, {"subscribers", text(subscribers)}}, {{"events", "500"}})
            .against(primitives)
            .compare("publish_p50_ns", lower, {itself(60)});
    }
}

/// Bursts to `subscribers`, `deliveries` in all.
row& add_delivery(row_set& all, const std::string& name, const std::string& what,
                  std::size_t deliveries, std::size_t burst, std::size_t subscribers,
                  work_parameters more) {
    const auto events = [&](std::size_t share) {
        return text(deliveries / share / burst / subscribers * burst);
    };
    work_parameters load{
        {"events", events(1)}, {"burst", text(burst)}, {"subscribers", text(subscribers)}};
    load.insert(load.end(), more.begin(), more.end());
    return add(all, name, what)
        .work("channel_delivery", std::move(load), {{"events", events(8)}})
        .against(primitives);
}

struct receive_mode {
    const char* name;
    const char* what;
    std::size_t deliveries;
    double target_ns;
};

void add_bursts(row_set& all) {
    const receive_mode modes[] = {
        {"batch", "taken in batches (the peers: until empty)", 6'400'000, 5},
        {"try", "taken until empty, then awaited", 6'400'000, 10},
        {"await", "awaited one by one", 1'600'000, 50},
    };
    for (const auto& mode : modes) {
        for (const std::size_t subscribers : subscriber_counts) {
            auto& added =
                add_delivery(all, std::string{"delivery_"} + mode.name + '_' + text(subscribers),
                             "bursts of 40, " + plural(subscribers) + ", " + mode.what,
                             mode.deliveries, 40, subscribers, {{"receive", mode.name}});
            added.compare("cpu_ns_per_delivery", lower,
                          subscribers >= 8 ? std::vector{itself(mode.target_ns)}
                                           : std::vector<target>{});
        }
    }
}

void add_other_deliveries(row_set& all) {
    add_delivery(all, "delivery_long_bursts", "bursts of 1024, 64 subscribers, in batches",
                 6'553'600, 1'024, 64, {})
        .compare("cpu_ns_per_delivery", lower, {itself(5)});
    add_delivery(all, "delivery_2_producers", "bursts of 40 from each, 64 subscribers", 3'200'000,
                 40, 64, {{"producers", "2"}})
        .compare("cpu_ns_per_delivery", lower);
    add_delivery(all, "delivery_2_threads", "the same on two threads", 3'200'000, 40, 64,
                 {{"producers", "2"}, {"threads", "2"}})
        .compare("cpu_ns_per_delivery", lower)
        .compare("wall_ns_per_delivery", lower);
    for (const std::size_t subscribers : subscriber_counts) {
        add_delivery(all, "singles_" + text(subscribers),
                     "one event at a time to " + plural(subscribers) + " asleep", 1'024'000, 1,
                     subscribers, {{"receive", "await"}})
            .compare("cpu_ns_per_delivery", lower,
                     subscribers >= 64 ? std::vector{itself(45)} : std::vector<target>{});
    }
}

} // namespace

void add_channel_rows(row_set& all) {
    add_publish(all);
    add_bursts(all);
    add_other_deliveries(all);
}

} // namespace muster::perf
