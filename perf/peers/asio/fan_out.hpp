#pragma once

#include "workload.hpp"

#include "workloads/shared/loop.hpp"
#include "workloads/shared/payload.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace muster::work::peer {

/// What a subscriber received, or lost: the sum of the numbers and of the lost events.
struct tally {
    std::uint64_t sum = 0;
    std::uint64_t lost = 0;
    std::uint64_t fresh = 0;
};

template <class Payload>
struct subscriber {
    subscriber(executor where, std::uint64_t capacity) : events(where, capacity) {}
    channel<Payload> events;
    tally taken;
    bool closed = false;
};

/// A concurrent_channel per subscriber: publishing sends to each, and drops the oldest event of one
/// that is full, which is what the broadcast of the others does.
template <class Payload>
class fan_out {
public:
    fan_out(asio::io_context& context, std::uint64_t subscribers, std::uint64_t capacity) {
        for (std::uint64_t index = 0; index < subscribers; ++index)
            all_.push_back(std::make_unique<subscriber<Payload>>(context.get_executor(), capacity));
    }

    void publish(std::uint64_t number) {
        const Payload payload = make<Payload>(number);
        for (auto& one : all_)
            send(*one, payload);
    }

    void close() {
        for (auto& one : all_)
            one->events.close();
    }

    std::uint64_t checksum() const {
        std::uint64_t sum = 0;
        for (const auto& one : all_)
            sum += one->taken.sum + one->taken.lost;
        return sum;
    }

    auto& subscribers() { return all_; }

private:
    static void send(subscriber<Payload>& one, const Payload& payload) {
        while (!one.events.try_send(error_code(), payload)) {
            one.events.try_receive([](error_code, const Payload&) {});
            ++one.taken.lost;
        }
    }

    std::vector<std::unique_ptr<subscriber<Payload>>> all_;
};

} // namespace muster::work::peer
