#pragma once

#include "property_history.hpp"

#include <muster/runtime.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace muster::test {

/// One subscription under test: reads it, and holds every delivery against the history.
class checked_reader {
public:
    using any_subscription = std::variant<global_subscription, session_subscription>;

    /// Gets what is published from `first` on; `session` empty: of all sessions.
    checked_reader(any_subscription subscription, std::optional<session_id> session,
                   std::uint64_t first, bool strict)
        : subscription_{std::move(subscription)}, session_{std::move(session)}, first_{first},
          last_read_{first - 1}, strict_{strict} {}

    [[nodiscard]] const std::optional<session_id>& session() const { return session_; }

    /// The terminal event of the session's life that the subscription belongs to, or the last event
    /// so far: ids are used again.
    [[nodiscard]] std::uint64_t end_of_life(const history& known) const {
        for (auto each = known.lower_bound(first_); each != known.end(); ++each) {
            if (each->second.session == *session_ && is_terminal(each->second.kind)) {
                return each->first;
            }
        }
        return known.empty() ? 0 : known.rbegin()->first;
    }

    /// At most `most` receives, single ones or batches.
    void read(const history& known, std::uint64_t most, bool in_batches) {
        for (; most != 0 && !closed_; --most) {
            sys::error_code ec;
            std::visit(
                [&](auto& from) { in_batches ? batch(known, from, ec) : single(known, from, ec); },
                subscription_);
            if (ec == asio::error::would_block) {
                return;
            }
            closed_ = ec == errc::stream_closed;
            if (ec == errc::subscriber_lagged) {
                cut_off_at_ = gaps_.back().last_sequence;
            }
            BOOST_REQUIRE((!ec || closed_ || (strict_ && ec == errc::subscriber_lagged)));
        }
    }

    /// At any time: what was delivered, lost and is unread is what was published since its start.
    void check_account(const history& known, std::uint64_t end) const {
        const auto info = std::visit([](const auto& from) { return from.info(); }, subscription_);
        std::uint64_t events = 0;
        std::uint64_t bytes = 0;
        for_each(known, end, [&](const auto& each) {
            ++events;
            bytes += each.second.bytes;
        });
        BOOST_TEST(info.delivered_events + info.lagged_events + info.unread_events == events);
        BOOST_TEST(info.delivered_bytes + info.lagged_bytes + info.unread_bytes == bytes);
        BOOST_TEST(info.delivered_events == given_.size());
    }

    /// After its end: each gap is exactly what was not given between its ends, nothing else is
    /// missing, and no status event that was not replaced by a later one of its kind.
    void check_end(const history& known, std::uint64_t end) const {
        std::set<std::uint64_t> missing;
        for_each(known, end, [&](const auto& each) {
            if (given_.count(each.first) == 0) {
                missing.insert(each.first);
                BOOST_TEST((strict_ || each.second.kind == event_kind::output ||
                            is_replaced(known, each.first, end)),
                           "status event " << each.first << " was lost");
            }
        });
        std::uint64_t told = 0;
        for (const auto& each : gaps_) {
            check_gap(known, each, missing);
            told += each.events;
        }
        BOOST_TEST(told == missing.size());
        BOOST_TEST((closed_ || missing.empty()));
    }

private:
    template <typename Subscription>
    void single(const history& known, Subscription& from, sys::error_code& ec) {
        const auto got = from.try_receive(ec);
        note_gap(got.missing);
        if (ec) {
            return;
        }
        BOOST_REQUIRE(got.sequence == got.value.sequence());
        if (session_ && got.missing) {
            check_marker(got);
        } else {
            check_event(known, got.value, got.sequence);
        }
    }

    template <typename Subscription>
    void batch(const history& known, Subscription& from, sys::error_code& ec) {
        const auto got = from.try_receive_batch(ec);
        note_gap(got.missing());
        for (const auto& [value, sequence] : got) {
            check_event(known, value, sequence);
        }
    }

    void note_gap(const gap& missing) {
        if (missing) {
            BOOST_TEST((gaps_.empty() || missing.first_sequence > gaps_.back().last_sequence));
            gaps_.push_back(missing);
        }
    }

    /// It stands for the gap, has a number that no event of this reader has, and is in its place.
    void check_marker(const event_delivery& got) {
        const auto* text = got.value.get_if<output>();
        BOOST_REQUIRE(text != nullptr);
        BOOST_TEST(text->bytes == "[muster] output truncated: dropped " +
                                      std::to_string(got.missing.events) +
                                      " events due to stream pressure\n");
        BOOST_TEST((text->stream == output_stream::standard_error));
        BOOST_TEST((got.value.session() == *session_));
        BOOST_TEST(got.sequence == got.missing.first_sequence);
        BOOST_TEST(got.sequence > last_read_);
        last_read_ = got.sequence;
    }

    void check_event(const history& known, const envelope& got, std::uint64_t sequence) {
        const auto found = known.find(sequence);
        BOOST_REQUIRE((found != known.end()));
        BOOST_TEST(sequence > last_read_);
        BOOST_TEST((found->second.kind == got.kind()));
        BOOST_TEST((found->second.session == got.session()));
        BOOST_TEST((!session_ || *session_ == got.session()));
        last_read_ = sequence;
        given_.insert(sequence);
    }

    static void check_gap(const history& known, const gap& told,
                          const std::set<std::uint64_t>& missing) {
        BOOST_TEST(missing.count(told.first_sequence) == 1u);
        BOOST_TEST(missing.count(told.last_sequence) == 1u);
        const auto first = missing.lower_bound(told.first_sequence);
        const auto last = missing.upper_bound(told.last_sequence);
        std::uint64_t bytes = 0;
        std::for_each(first, last, [&](std::uint64_t each) { bytes += known.at(each).bytes; });
        BOOST_TEST(told.events == static_cast<std::uint64_t>(std::distance(first, last)));
        BOOST_TEST(told.bytes == bytes);
    }

    /// Every event that this reader is concerned with, up to and including `end`.
    template <typename Visit>
    void for_each(const history& known, std::uint64_t end, Visit visit) const {
        const auto last = std::min(end, cut_off_at_);
        for (auto each = known.lower_bound(first_); each != known.end() && each->first <= last;
             ++each) {
            if (!session_ || each->second.session == *session_) {
                visit(*each);
            }
        }
    }

    bool is_replaced(const history& known, std::uint64_t lost, std::uint64_t end) const {
        bool replaced = false;
        for_each(known, end, [&](const auto& each) {
            replaced |= each.first > lost && each.second.session == known.at(lost).session &&
                        each.second.kind == known.at(lost).kind;
        });
        return replaced;
    }

    any_subscription subscription_;
    std::optional<session_id> session_;
    std::uint64_t first_;
    std::uint64_t last_read_;
    bool strict_;                          ///< disconnects rather than lose
    std::uint64_t cut_off_at_ = unlimited; ///< the last event before it was disconnected
    bool closed_ = false;
    std::set<std::uint64_t> given_;
    std::vector<gap> gaps_;
};

} // namespace muster::test
