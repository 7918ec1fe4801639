#include <muster/metrics/counters.hpp>

#include <memory>
#include <type_traits>

namespace muster {

session_counters::rare_cells& session_counters::install_rare() {
    auto fresh = std::make_unique<rare_cells>();
    rare_cells* present = nullptr;
    // release: pairs with the acquire in rare(); acquire on failure: another thread was first.
    if (rare_.compare_exchange_strong(present, fresh.get(), std::memory_order_release,
                                      std::memory_order_acquire)) {
        return *fresh.release();
    }
    return *present;
}

session_counter_values session_counters::read(const tick_clock& clock) const noexcept {
    // acquire: pairs with install_rare.
    const auto* const rare = rare_.load(std::memory_order_acquire);
    return session_counter_values::all([&]<counter Which>(std::integral_constant<counter, Which>) {
        std::uint64_t raw = 0;
        if constexpr (index_of(Which) < hot_counter_count) {
            raw = hot<Which>();
        } else if (rare != nullptr) {
            raw = rare->words[index_of(Which) - hot_counter_count].load(std::memory_order_relaxed);
        }
        return traits_of(Which).kind == counter_kind::nanos ? clock.to_nanos(raw) : raw;
    });
}

void total_counters::fold(const session_counter_values& session) noexcept {
    for (std::size_t i = 0; i < session_counter_count; ++i) {
        const auto which = static_cast<counter>(i);
        if (traits_of(which).kind != counter_kind::gauge) {
            cells_[i].fetch_add(session.value_or_zero(which), std::memory_order_relaxed);
        }
    }
}

total_counter_values total_counters::read() const noexcept {
    total_counter_values values;
    for (std::size_t i = 0; i < counter_count; ++i) {
        values.set(static_cast<counter>(i), cells_[i].load(std::memory_order_relaxed));
    }
    return values;
}

} // namespace muster
