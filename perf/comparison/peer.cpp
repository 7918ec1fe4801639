#include "comparison/peer.hpp"

namespace muster::perf {

std::string_view to_string(peer which) noexcept {
    switch (which) {
    case peer::reference: return "reference";
    case peer::successor: return "successor";
    case peer::tokio: return "tokio";
    case peer::asio: break;
    }
    return "asio";
}

std::optional<peer> peer_named(std::string_view name) noexcept {
    for (const peer each : all_peers) {
        if (to_string(each) == name) {
            return each;
        }
    }
    return std::nullopt;
}

std::string program_of(peer which) {
    return "peer-" + std::string{to_string(which)};
}

} // namespace muster::perf
