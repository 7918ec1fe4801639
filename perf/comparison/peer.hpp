#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace muster::perf {

/// The alternatives that muster is compared with; perf/peers has them as programs.
enum class peer { reference, successor, tokio, asio };

inline constexpr std::array all_peers{peer::reference, peer::successor, peer::tokio, peer::asio};

/// As the command line names it: "tokio".
[[nodiscard]] std::string_view to_string(peer which) noexcept;

/// The peer of that name; nothing if there is none.
[[nodiscard]] std::optional<peer> peer_named(std::string_view name) noexcept;

/// Its program's name: "peer-tokio".
[[nodiscard]] std::string program_of(peer which);

} // namespace muster::perf
