#pragma once

#include <boost/asio/recycling_allocator.hpp>

#include <cstddef>

namespace muster::detail {

/// Memory for what comes and goes in great numbers, events and pending operations: of the common
/// size from an arena of the process while there is room (6 MB, for the first 65,536 that are alive
/// at a time; pages that were never needed are not there), else from malloc. A steady flow does not
/// reach malloc, also where one thread makes what another frees, and what is kept for later does
/// not lie between other people's blocks, which would then never become whole again.
///
/// Each thread keeps up to two batches of free records, and goes to the arena and its lock once a
/// batch (Bonwick and Adams, "Magazines and Vmem", 2001). O(1), any thread. Under AddressSanitizer
/// every record is allocated, so that it finds what is used too late.
[[nodiscard]] void* allocate_record(std::size_t size);
/// Takes back what `allocate_record(size)` gave.
void deallocate_record(void* place, std::size_t size) noexcept;

inline constexpr std::size_t common_record_size = 96;
inline constexpr std::size_t records_in_batch = 128;
inline constexpr std::size_t records_in_arena = 512 * records_in_batch;

/// The allocator of operations whose handlers bring none of their own: record memory for what fits,
/// however many there are at a time, and Asio's per-thread recycling for the others. One object at
/// a time.
template <typename T>
class record_allocator {
public:
    using value_type = T;

    record_allocator() noexcept = default;
    template <typename U>
    record_allocator(const record_allocator<U>& /*other*/) noexcept {}

    [[nodiscard]] T* allocate(std::size_t count) {
        if constexpr (fits()) {
            return static_cast<T*>(allocate_record(count * sizeof(T)));
        } else {
            return boost::asio::recycling_allocator<T>{}.allocate(count);
        }
    }
    void deallocate(T* place, std::size_t count) noexcept {
        if constexpr (fits()) {
            deallocate_record(place, count * sizeof(T));
        } else {
            boost::asio::recycling_allocator<T>{}.deallocate(place, count);
        }
    }

    template <typename U>
    friend bool operator==(const record_allocator&, const record_allocator<U>&) noexcept {
        return true;
    }

private:
    [[nodiscard]] static constexpr bool fits() noexcept {
        return sizeof(T) <= common_record_size && alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
    }
};

} // namespace muster::detail
