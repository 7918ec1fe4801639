#pragma once

#include <muster/session/event.hpp>
#include <muster/session/session_id.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace muster {

/// An event that has been published: who said it, when, and its number in the runtime. A handle,
/// one pointer.
///
/// Sequence numbers start at 1 and are unique in the runtime; a marker that one subscription makes
/// for itself (the truncation notice) repeats the number of the first event that it stands for.
/// Thread safety: as `std::shared_ptr<const …>`.
class envelope {
public:
    /// An empty handle; `bool` tells. Every other member needs a non-empty one.
    envelope() noexcept = default;

    /// Takes `source` for publication; `stamp` must follow. `source` must be the only handle to an
    /// unpublished event; see `is_publishable`. Does not allocate.
    envelope(event source, const session_id& session, std::chrono::nanoseconds received) noexcept
        : node_{std::move(source.node_)} {
        node_->received_ns = static_cast<std::uint64_t>(received.count());
        node_->session = session;
    }

    /// A published event in one step.
    envelope(event source, const session_id& session, std::uint64_t sequence,
             std::chrono::nanoseconds received) noexcept
        : envelope{std::move(source), session, received} {
        stamp(sequence);
    }

    /// Gives the event its number (> 0), once, before anybody else can see it.
    void stamp(std::uint64_t sequence) noexcept { node_->sequence = sequence; }

    /// Whether the event can be published as it is: one handle, never published. Otherwise `clone`
    /// it first.
    [[nodiscard]] static bool is_publishable(const event& source) noexcept {
        return source.node_->sequence == 0 &&
               source.node_->references.load(std::memory_order_relaxed) == 1;
    }

    /// A new, unpublished event with a copy of the payload; the one copy that muster can make, and
    /// it is counted.
    [[nodiscard]] static event clone(const event& source);

    explicit operator bool() const noexcept { return static_cast<bool>(node_); }

    [[nodiscard]] std::uint64_t sequence() const noexcept { return node_->sequence; }
    [[nodiscard]] const session_id& session() const noexcept { return *node_->session; }
    /// Monotonic, since the runtime's start.
    [[nodiscard]] std::chrono::nanoseconds received() const noexcept {
        return std::chrono::nanoseconds{node_->received_ns};
    }
    [[nodiscard]] event_kind kind() const noexcept { return node_->kind; }
    [[nodiscard]] std::size_t output_bytes() const noexcept { return node_->output_bytes; }
    [[nodiscard]] event shared_event() const noexcept { return event{node_}; }

    /// The payload if the event is of that kind, else null.
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
    detail::event_node_ptr node_;
};

} // namespace muster
