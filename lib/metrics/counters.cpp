#include <muster/metrics/counters.hpp>

#include <memory>

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
    session_counter_values values;
    const auto take = [&](std::size_t index, std::uint64_t raw) {
        const auto which = static_cast<counter>(index);
        values.set(which, traits_of(which).kind == counter_kind::nanos ? clock.to_nanos(raw) : raw);
    };
    for (std::size_t i = 0; i < dispatch_words; ++i) {
        take(i, dispatch_[i].load(std::memory_order_relaxed));
    }
    for (std::size_t i = dispatch_words; i < hot_words; ++i) {
        take(i, checkpoint_[i - dispatch_words].load(std::memory_order_relaxed));
    }
    take(hot_words, session_receivers_.load(std::memory_order_relaxed));
    take(hot_words + 1, global_receivers_.load(std::memory_order_relaxed));
    // acquire: pairs with install_rare.
    const auto* rare = rare_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < rare_counter_count; ++i) {
        take(hot_counter_count + i,
             rare != nullptr ? rare->words[i].load(std::memory_order_relaxed) : 0);
    }
    return values;
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
