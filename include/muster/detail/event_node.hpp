#pragma once

#include <muster/detail/record_memory.hpp>
#include <muster/detail/ref_counter.hpp>
#include <muster/detail/single_threaded.hpp>
#include <muster/session/payloads.hpp>
#include <muster/session/session_id.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace muster::detail {

/// Header of every event: who said it and when (written once, by publication), and what it is.
struct event_node {
    std::atomic<std::uint32_t> references{1}; // of who makes it
    std::uint32_t output_bytes = 0;
    event_kind kind;
    std::uint64_t sequence = 0; ///< 0 until published
    std::uint64_t received_ns = 0;
    std::optional<session_id> session;

    explicit event_node(event_kind new_kind) noexcept : kind{new_kind} {}
};

template <typename Payload>
struct event_node_of final : event_node {
    Payload payload;

    template <typename Source>
    explicit event_node_of(Source&& source)
        : event_node{Payload::kind}, payload{std::forward<Source>(source)} {
        if constexpr (std::is_same_v<Payload, output>) {
            output_bytes = static_cast<std::uint32_t>(payload.bytes.size());
        }
    }

    static void* operator new(std::size_t size) { return allocate_record(size); }
    static void operator delete(void* place, std::size_t size) noexcept {
        deallocate_record(place, size);
    }
};

/// Calls `visitor` with the node as its own type; `kind` selects it.
template <typename Node, typename Visitor>
decltype(auto) visit_concrete(Node& node, Visitor&& visitor) {
    const auto as = [&]<typename Payload>(std::type_identity<Payload>) -> decltype(auto) {
        using target = event_node_of<Payload>;
        using qualified = std::conditional_t<std::is_const_v<Node>, const target, target>;
        return visitor(static_cast<qualified&>(node));
    };
    switch (node.kind) {
    case event_kind::output: return as(std::type_identity<output>{});
    case event_kind::checkpoint: return as(std::type_identity<checkpoint>{});
    case event_kind::needs_input: return as(std::type_identity<needs_input>{});
    case event_kind::blocked: return as(std::type_identity<blocked>{});
    case event_kind::artifact: return as(std::type_identity<artifact>{});
    case event_kind::turn_state: return as(std::type_identity<turn_state>{});
    case event_kind::restarted: return as(std::type_identity<restarted>{});
    case event_kind::done: return as(std::type_identity<done>{});
    case event_kind::crashed: return as(std::type_identity<crashed>{});
    case event_kind::killed: break;
    }
    return as(std::type_identity<killed>{});
}

template <typename Visitor>
decltype(auto) visit_node(const event_node& node, Visitor&& visitor) {
    return visit_concrete(
        node, [&](const auto& concrete) -> decltype(auto) { return visitor(concrete.payload); });
}

template <typename Payload>
const Payload* payload_if(const event_node& node) noexcept {
    return node.kind == Payload::kind ? &static_cast<const event_node_of<Payload>&>(node).payload
                                      : nullptr;
}

inline void intrusive_ptr_add_ref(event_node* node) noexcept {
    fetch_add(node->references, std::uint32_t{1}, std::memory_order_relaxed);
}

/// Frees a node that nobody refers to any more.
void destroy(event_node* node) noexcept;

inline void intrusive_ptr_release(event_node* node) noexcept {
    if (drop_reference(node->references)) {
        destroy(node);
    }
}

using event_node_ptr = boost::intrusive_ptr<event_node>;

} // namespace muster::detail
