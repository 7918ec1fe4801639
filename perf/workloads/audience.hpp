#pragma once

#include "workloads/shared/loop.hpp"
#include "workloads/shared/params.hpp"
#include "workloads/shared/payload.hpp"

#include <muster/fanout/broadcast.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// What the channel workloads have in common: a muster::broadcast and its subscribers.
namespace muster::work {

template <class Payload>
using fan_out = broadcast<Payload, executor>;
template <class Payload>
using reader = subscription<Payload, executor>;

/// A subscriber, and what it received or lost.
template <class Payload>
struct subscriber {
    explicit subscriber(reader<Payload> place) : events(std::move(place)) {}

    /// How many events it took or lost since it was last asked.
    std::uint64_t fresh() {
        const std::uint64_t all = taken + lost;
        return all - std::exchange(told, all);
    }

    void take(const delivery<Payload>& one) {
        sum += number_of(one.value);
        ++taken;
        // Added without the question, the compiler would load it together with the value, 16 bytes
        // at once that were written 8 at a time: such a load waits until the stores are done.
        if (one.missing) {
            lost += one.missing.events;
        }
    }
    void take(const event_batch<Payload>& batch) {
        for (const auto& one : batch) {
            sum += number_of(one.value);
        }
        lost += batch.missing().events;
        taken += batch.size();
    }

    reader<Payload> events;
    std::uint64_t sum = 0;
    std::uint64_t lost = 0;
    std::uint64_t taken = 0;
    std::uint64_t told = 0;
};

/// A channel with its subscribers.
template <class Payload>
struct audience {
    audience(asio::io_context& context, std::uint64_t count, std::uint64_t capacity)
        : channel(context.get_executor()) {
        subscribers.reserve(count);
        for (std::uint64_t index = 0; index < count; ++index) {
            subscribers.emplace_back(channel.subscribe(subscribe_options(capacity)));
        }
    }

    std::uint64_t checksum() const {
        std::uint64_t sum = 0;
        for (const auto& one : subscribers) {
            sum += one.sum + one.lost;
        }
        return sum;
    }

    fan_out<Payload> channel;
    std::vector<subscriber<Payload>> subscribers;
};

struct channel_options {
    std::uint64_t events = 0;
    std::uint64_t subscribers = 1;
    std::uint64_t capacity = 1024;
    std::string payload = "inline";

    void declare_common(param_set& params) {
        params.number("events", events, 1, std::uint64_t(1) << 32U, "events published");
        params.number("subscribers", subscribers, 0, 100'000, "subscribers");
        params.number("capacity", capacity, 1, 1U << 20U, "events that a subscriber may lag");
        params.choice("payload", payload, {"inline", "shared"},
                      "a u64, or a shared_ptr to a new event each");
    }
};

} // namespace muster::work
