#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <array>
#include <cstdint>
#include <type_traits>

/// The payloads of the channel workloads: a number, or a shared pointer to a new event of 64 bytes.
/// The pointer is one word and counts in the event, by atomic operations, as Rust's Arc does.
namespace muster::work {

struct shared_event : boost::intrusive_ref_counter<shared_event> {
    explicit shared_event(std::uint64_t n) : number(n) { text.fill('a'); }
    std::uint64_t number;
    std::array<char, 56> text;
};

using inline_payload = std::uint64_t;
using shared_payload = boost::intrusive_ptr<const shared_event>;

template <class Payload>
Payload make(std::uint64_t number) {
    if constexpr (std::is_same_v<Payload, inline_payload>) {
        return number;
    } else {
        return shared_payload(new shared_event(number));
    }
}

inline std::uint64_t number_of(inline_payload payload) {
    return payload;
}
inline std::uint64_t number_of(const shared_payload& payload) {
    return payload->number;
}

} // namespace muster::work
