#include <muster/metrics/snapshot.hpp>

namespace muster {

std::uint64_t rate_per_sec_x1000(std::uint64_t count, std::chrono::nanoseconds age) noexcept {
    if (age.count() <= 0) {
        return 0;
    }
    __extension__ using wide = unsigned __int128;
    constexpr std::uint64_t milli_per_nano = 1'000'000'000'000;
    const wide rate =
        static_cast<wide>(count) * milli_per_nano / static_cast<std::uint64_t>(age.count());
    return rate > UINT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(rate);
}

std::optional<std::uint64_t> session_row::events_received_rate_per_sec_x1000() const noexcept {
    const auto received = counters.get(counter::events_received_total);
    return received ? std::optional{rate_per_sec_x1000(*received, age)} : std::nullopt;
}

std::optional<std::uint64_t> runtime_snapshot::events_received_rate_per_sec_x1000() const noexcept {
    const auto received = totals.get(counter::events_received_total);
    return received ? std::optional{rate_per_sec_x1000(*received, uptime)} : std::nullopt;
}

void runtime_snapshot::add(session_row row) {
    sessions.push_back(std::move(row));
    count(sessions.back());
}

void runtime_snapshot::count(const session_row& row) noexcept {
    ++sessions_by_status[static_cast<std::size_t>(row.status)];
    totals.add(row.counters);
}

} // namespace muster
