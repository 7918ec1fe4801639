#pragma once

#include <muster/detail/event_node.hpp>
#include <muster/session/payloads.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace muster {

/// What a session says: a shared, immutable payload of one of the kinds in payloads.hpp.
///
/// An `event` is a handle (one pointer). Copies share the payload; nothing in muster ever copies a
/// payload that has been made, and what would have to (publishing the same event twice) is counted
/// as `event_clone_ops_total`. A moved-from event may only be assigned to or destroyed. Thread
/// safety: as `std::shared_ptr<const …>`.
class event {
public:
    /// Makes an event of the payload's kind: one block, which most often is that of an event that
    /// has ended on this thread.
    template <typename Payload>
        requires event_payload<std::remove_cvref_t<Payload>> event(Payload&& payload)
            : node_{new detail::event_node_of<std::remove_cvref_t<Payload>>{
                        std::forward<Payload>(payload)},
                    false} {} // its first reference is ours

        [[nodiscard]] event_kind kind() const noexcept {
            return node_->kind;
        }

        /// Bytes of output that the event carries; 0 for every kind but `output`.
        [[nodiscard]] std::size_t output_bytes() const noexcept {
            return node_->output_bytes;
        }

        /// The payload if the event is of that kind, else null. Valid as long as any handle to the
        /// event lives.
        template <event_payload Payload>
        [[nodiscard]] const Payload* get_if() const noexcept {
            return detail::payload_if<Payload>(*node_);
        }

        /// Calls `visitor(const Payload&)` with the payload's own type and returns its result.
        template <typename Visitor>
        decltype(auto) visit(Visitor&& visitor) const {
            return detail::visit_node(*node_, std::forward<Visitor>(visitor));
        }

    private:
        friend class envelope;
        explicit event(detail::event_node_ptr node) noexcept : node_{std::move(node)} {}

        detail::event_node_ptr node_;
};

} // namespace muster
