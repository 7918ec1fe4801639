#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <type_traits>

/// The payloads of the channel workloads: a number, or a shared pointer to a new event of 64 bytes.
/// The pointer is one word and counts in the event, by atomic operations, as Rust's Arc does; the
/// only owner needs none to let go, as with `std::shared_ptr`.
namespace muster::work {

struct shared_event {
    explicit shared_event(std::uint64_t n) : number(n) { text.fill('a'); }

    /// From malloc at once, as Arc's: the way through libstdc++ and back is 3.5 ns of 16.
    static void* operator new(std::size_t size) {
        if (void* const place = std::malloc(size)) {
            return place;
        }
        throw std::bad_alloc();
    }
    static void operator delete(void* place) { std::free(place); }

    mutable std::atomic<std::uint32_t> references{1}; // of who makes it
    std::uint64_t number;
    std::array<char, 56> text;
};

inline void intrusive_ptr_add_ref(const shared_event* event) noexcept {
    event->references.fetch_add(1, std::memory_order_relaxed);
}
inline void intrusive_ptr_release(const shared_event* event) noexcept {
    // acquire, acq_rel: the last owner sees what every other one did.
    if (event->references.load(std::memory_order_acquire) == 1 ||
        event->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        delete event;
    }
}

using inline_payload = std::uint64_t;
using shared_payload = boost::intrusive_ptr<const shared_event>;

template <class Payload>
Payload make(std::uint64_t number) {
    if constexpr (std::is_same_v<Payload, inline_payload>) {
        return number;
    } else {
        return shared_payload(new shared_event(number), false);
    }
}

inline std::uint64_t number_of(inline_payload payload) {
    return payload;
}
inline std::uint64_t number_of(const shared_payload& payload) {
    return payload->number;
}

} // namespace muster::work
