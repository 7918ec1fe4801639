#pragma once

#include <muster/fanout/broadcast.hpp>

#include <handler_probe.hpp>
#include <manual_loop.hpp>

#include <cstdint>

namespace muster::test {

using int_channel = broadcast<int>;
using int_subscription = int_channel::subscription_type;
using one_probe = handler_probe<delivery<int>>;
using batch_probe = handler_probe<event_batch<int>>;

/// A channel of numbers on a loop that is driven by hand.
struct broadcast_fixture {
    manual_loop loop;
    int_channel channel{loop.get_executor()};

    int_subscription subscribe(std::uint64_t capacity = 8) {
        return channel.subscribe(subscribe_options{"reader", capacity});
    }
    void publish(int count) {
        for (int i = 0; i < count; ++i) {
            channel.publish(i, 1);
        }
    }
};

} // namespace muster::test
