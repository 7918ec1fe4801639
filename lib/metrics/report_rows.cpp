#include "metrics/report_rows.hpp"

#include "metrics/row_writer.hpp"

#include <algorithm>
#include <tuple>

namespace muster::detail {
namespace {

void write(row_writer& out, const session_row& session) {
    out.text("id", session.id.str());
    out.word("status", to_string(session.status));
    out.word("visibility", to_string(session.visibility));
    out.field("age_ns", session.age);
    for (std::size_t i = 0; i < session_counter_count; ++i) {
        out.field(counter_table[i].name, session.counters.get(static_cast<counter>(i)));
    }
    out.field("events_received_rate_per_sec_x1000", session.events_received_rate_per_sec_x1000());
}

void write(row_writer& out, const subscriber_row& subscriber) {
    out.text("name", subscriber.name);
    if (subscriber.session) {
        out.word("scope", "session");
        out.text("session_id", subscriber.session->str());
    } else {
        out.word("scope", "global");
        out.null("session_id");
    }
    out.field("cursor_sequence", subscriber.cursor);
    out.field("backlog_events", subscriber.backlog_events);
    out.field("backlog_bytes", subscriber.backlog_bytes);
    out.field("oldest_unread_age_ns", subscriber.oldest_unread_age);
    out.field("lagged_events", subscriber.lagged_events);
    out.field("lagged_bytes", subscriber.lagged_bytes);
    out.field("since_last_poll_ns", subscriber.since_last_poll);
    out.field("delivered_events", subscriber.delivered_events);
}

/// Greater is worse; equal ones are listed by name.
auto badness(const session_row& row) {
    const auto value = [&](counter which) {
        return row.counters.value_or_zero(which);
    };
    return std::tuple{value(counter::queue_pressure_dropped_events_total),
                      value(counter::checkpoint_send_failures_total) +
                          value(counter::checkpoint_send_timeouts_total),
                      value(counter::event_dispatch_nanos_total)};
}

auto badness(const subscriber_row& row) {
    return std::tuple{row.lagged_events, row.backlog_events};
}

const session_id& name_of(const session_row& row) {
    return row.id;
}
const std::string& name_of(const subscriber_row& row) {
    return row.name;
}

template <typename Row>
std::vector<const Row*> worst_first(const std::vector<Row>& all, std::size_t kept) {
    std::vector<const Row*> order(all.size());
    std::transform(all.begin(), all.end(), order.begin(), [](const Row& row) { return &row; });
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                      [](const Row* left, const Row* right) {
                          const auto a = badness(*left);
                          const auto b = badness(*right);
                          return a != b ? a > b : name_of(*left) < name_of(*right);
                      });
    order.resize(kept);
    return order;
}

template <typename Row>
std::string text_of(const std::vector<Row>& all, std::size_t max_rows) {
    const std::size_t kept = std::min(max_rows, all.size());
    std::string text{"{\n    \"rows\": "};
    row_writer out{text};
    for (const Row* const row : worst_first(all, kept)) {
        out.begin();
        write(out, *row);
        out.end();
    }
    out.finish();
    text += ",\n    \"omitted\": " + std::to_string(all.size() - kept);
    text += "\n  }";
    return text;
}

} // namespace

std::string rows_of(const std::vector<session_row>& all, std::size_t max_rows) {
    return text_of(all, max_rows);
}

std::string rows_of(const std::vector<subscriber_row>& all, std::size_t max_rows) {
    return text_of(all, max_rows);
}

} // namespace muster::detail
