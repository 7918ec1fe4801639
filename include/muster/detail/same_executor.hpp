#pragma once

#include <type_traits>

namespace muster::detail {

/// Whether two executors of possibly different types are the same one; false when unsure.
template <typename A, typename B>
[[nodiscard]] bool same_executor(const A& a, const B& b) noexcept {
    if constexpr (std::is_same_v<A, B>) {
        return a == b;
    } else if constexpr (requires { a.template target<B>(); }) {
        const auto* const inner = a.template target<B>();
        return inner != nullptr && *inner == b;
    } else if constexpr (requires { b.template target<A>(); }) {
        const auto* const inner = b.template target<A>();
        return inner != nullptr && *inner == a;
    } else {
        return false;
    }
}

} // namespace muster::detail
