#pragma once

#include <muster/fanout/detail/conflation_list.hpp>

#include <utility>

namespace muster {

/// A publisher's key: of the values published with it, the latest reaches every subscriber.
///
/// One pointer, empty until the first value that a channel has to keep; from then on it owns one
/// node in that channel, which holds a copy of the latest value. A slot belongs to one channel.
/// Destroying it (or `retire`) gives the key up: its latest value stays until every subscriber of
/// that moment has passed it, or until more than the channel's `retired_limit` of such values have
/// piled up, when the longest retired one is dropped and counted as lost. Memory of a channel is
/// thus bounded by its live slots plus that limit.
///
/// Movable. Not thread-safe by itself: one owner publishes with it and destroys it. It may outlive
/// its channel.
template <typename T>
class conflation_slot {
public:
    conflation_slot() noexcept = default;
    conflation_slot(conflation_slot&& other) noexcept
        : node_{std::exchange(other.node_, nullptr)} {}
    conflation_slot& operator=(conflation_slot&& other) noexcept {
        if (this != &other) {
            retire();
            node_ = std::exchange(other.node_, nullptr);
        }
        return *this;
    }
    ~conflation_slot() { retire(); }

    /// Gives the key up; the slot may be used afresh.
    void retire() noexcept {
        if (auto* node = std::exchange(node_, nullptr)) {
            node->home->retire(*node);
        }
    }

    /// Whether a channel holds a node for this key.
    [[nodiscard]] bool attached() const noexcept { return node_ != nullptr; }

private:
    template <typename, std::size_t>
    friend class broadcast_log;

    detail::fanout::conflation_node<T>* node_ = nullptr;
};

} // namespace muster
