#pragma once

#include <atomic>

namespace muster::detail::fanout {

/// A number that one thread at a time writes, and any may read meanwhile: what they see may be a
/// little old. Costs what a plain one does.
template <typename T>
class single_writer {
public:
    single_writer(T value) noexcept : value_{value} {}
    single_writer(const single_writer&) = delete;

    // relaxed: nothing is published with it.
    [[gnu::always_inline]] operator T() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }
    [[gnu::always_inline]] single_writer& operator=(T value) noexcept {
        value_.store(value, std::memory_order_relaxed);
        return *this;
    }
    single_writer& operator=(const single_writer& other) noexcept { return *this = T{other}; }
    [[gnu::always_inline]] single_writer& operator+=(T more) noexcept {
        return *this = T{*this} + more;
    }

private:
    std::atomic<T> value_;
};

} // namespace muster::detail::fanout
