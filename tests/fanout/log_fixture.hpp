#pragma once

#include <muster/fanout/broadcast_log.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::test {

/// A value that counts its living instances.
class counted {
public:
    counted() noexcept { ++alive_; }
    explicit counted(std::uint64_t number) noexcept : number_{number} { ++alive_; }
    counted(const counted& other) noexcept : number_{other.number_} { ++alive_; }
    counted(counted&& other) noexcept : number_{other.number_} { ++alive_; }
    counted& operator=(const counted&) noexcept = default;
    ~counted() { --alive_; }

    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] static std::int64_t alive() noexcept { return alive_; }

private:
    std::uint64_t number_ = 0;
    inline static std::int64_t alive_ = 0;
};

/// A log with small segments and what a channel would add around it, without the lock.
template <typename T, std::size_t Slots = 4>
class log_fixture : public detail::fanout::conflation_home<T> {
public:
    using log_type = broadcast_log<T, Slots>;
    using cursor = typename log_type::cursor;
    using piece = typename log_type::piece;
    using waste = typename log_type::waste;
    using found = typename log_type::found;

    struct received {
        std::uint64_t sequence;
        T value;
    };

    explicit log_fixture(retention keep = {}, std::uint64_t retired_limit = unlimited)
        : log{keep, retired_limit} {}

    void retire(detail::fanout::conflation_node<T>& node) noexcept override {
        waste freed;
        log.retire(node, freed);
    }
    void publish(T value, std::uint64_t weight = 0, conflation_slot<T>* key = nullptr) {
        publish_at(log.last_sequence() + 1, std::move(value), weight, key);
    }
    /// The short way where there is one, as a channel does.
    void publish_at(std::uint64_t sequence, T value, std::uint64_t weight = 0,
                    conflation_slot<T>* key = nullptr) {
        if (key != nullptr || !log.has_room()) {
            waste freed;
            log.append(sequence, std::move(value), weight, freed, key, this);
        } else if (log.has_former_value()) {
            static_cast<void>(log.overwrite(sequence, std::move(value), weight));
        } else {
            log.fill(sequence, std::move(value), weight);
        }
    }
    subscribe_failure subscribe(cursor& reader, std::uint64_t capacity,
                                start_position start = start_position::latest()) {
        reader.capacity = capacity;
        return log.subscribe(reader, start);
    }
    void unsubscribe(cursor& reader) {
        waste freed;
        log.unsubscribe(reader, freed);
    }
    found look(cursor& reader, piece& out) {
        waste freed;
        found result = log.look(reader, out, freed);
        while (result == found::unfinished) {
            result = log.look(reader, out, freed);
        }
        return result;
    }
    /// Takes at most `limit` events of one piece; `missing` is what was lost before them.
    std::vector<received> take(cursor& reader, std::uint32_t limit, gap& missing) {
        std::vector<received> out;
        piece read;
        missing = {};
        const found result = look(reader, read);
        missing = read.missing;
        if (result == found::events) {
            const std::uint32_t count = std::min(limit, read.count);
            for (std::uint32_t i = 0; i < count; ++i) {
                const auto& slot = read.source->slots[read.first + i];
                out.push_back({slot.sequence, slot.value});
            }
            waste freed;
            log.consume(reader, read, count, freed);
        }
        return out;
    }
    /// Everything that is there, gaps added up.
    std::vector<received> drain(cursor& reader, gap& missing) {
        std::vector<received> all;
        missing = {};
        for (;;) {
            gap part;
            const auto taken = take(reader, Slots, part);
            if (part) {
                missing.first_sequence = missing ? missing.first_sequence : part.first_sequence;
                missing.last_sequence = part.last_sequence;
                missing.events += part.events;
                missing.bytes += part.bytes;
            }
            if (taken.empty()) {
                return all;
            }
            all.insert(all.end(), taken.begin(), taken.end());
        }
    }
    subscriber_info info(const cursor& reader) const {
        subscriber_info out;
        log.inspect(reader, out);
        return out;
    }

    log_type log;
};

} // namespace muster::test
