#pragma once

#include <muster/detail/spin_lock.hpp>
#include <muster/error.hpp>
#include <muster/fanout/conflation_slot.hpp>
#include <muster/fanout/detail/channel_state.hpp>
#include <muster/fanout/options.hpp>
#include <muster/fanout/settings.hpp>
#include <muster/fanout/subscription.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace muster {

/// A bounded broadcast channel: values go in and never wait, every subscription gets each of them
/// or is told exactly what it lost. Owns the shared log of recent events.
///
/// - `publish` never waits and wakes nobody directly: however many subscriptions wait, it posts at
///   most one flush per burst to the channel's executor.
/// - Values are shared, not copied per subscriber (a single receive copies T, a batch does not). T
///   should be small, such as a pointer to an immutable record.
/// - Without subscribers and retention an event is counted and gone; the object is then one cache
///   line, all else is allocated with the first subscription or the first event to be retained.
/// - Memory: the widest capacity or the retention, whichever is more, in segments of `Slots` events
///   (a power of two, at most 128); plus one segment per subscriber that stopped reading, and one
///   per batch held; plus the latest value of each conflation key (see `conflation_slot`).
/// - Per-capacity accounting is exact: at any time, for each subscriber,
///   delivered + lost + unread = published since its start.
///
/// Thread-safe: any member from any thread, except destruction. Destroying it closes it;
/// subscriptions live on and drain.
template <typename T, typename Executor = asio::any_io_executor, std::size_t Slots = 64>
class broadcast {
    using state_type = detail::fanout::channel_state<T, Slots, Executor>;
    using reader_type = detail::fanout::subscriber<T, Slots, Executor>;
    using guard = detail::spin_guard;

public:
    using executor_type = Executor;
    using settings_type = broadcast_settings<Executor>;
    using subscription_type = subscription<T, Executor, Slots>;
    using slot_type = conflation_slot<T>;

    /// A channel with settings of its own.
    explicit broadcast(const Executor& executor, retention keep = {})
        : broadcast{boost::intrusive_ptr<const settings_type>{new settings_type{executor, keep}}} {}
    /// A channel that shares its settings with others.
    explicit broadcast(boost::intrusive_ptr<const settings_type> settings) noexcept
        : settings_{std::move(settings)} {}
    broadcast(const broadcast&) = delete;
    broadcast& operator=(const broadcast&) = delete;
    ~broadcast() {
        close();
        if (state_type* const state = state_.load(std::memory_order_acquire)) {
            state->release_hold(state->lock());
        }
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return settings_->executor; }

    /// Publishes `value` under the next sequence (last + 1, from 1) and returns that; 0 when the
    /// channel is closed. `weight` is what byte bounds count. `value` is copied or moved from only
    /// if it is kept. Throws what allocating a segment and copying throw; then nothing happened.
    template <typename U>
    std::uint64_t publish(U&& value, std::uint64_t weight = 0) {
        return append(std::forward<U>(value), weight, nullptr, next_sequence{}, no_stamp{});
    }
    /// The same; `value` becomes the latest of `key`, and reaches every subscriber unless a newer
    /// value of that key replaces it first. T must be copyable.
    template <typename U>
    std::uint64_t publish(U&& value, std::uint64_t weight, slot_type& key) {
        return append(std::forward<U>(value), weight, &key, next_sequence{}, no_stamp{});
    }
    /// Publishes under a sequence of the caller's, greater than any before.
    template <typename U>
    std::uint64_t publish_at(std::uint64_t sequence, U&& value, std::uint64_t weight = 0,
                             slot_type* key = nullptr) {
        return append(std::forward<U>(value), weight, key, given_sequence{sequence}, no_stamp{});
    }
    /// Publishes under the next sequence; `stamp(sequence)` is called first, in the order of the
    /// sequences, before anybody can see the value, also if nobody will. It runs under the
    /// channel's lock: it must be short, must not throw and must not use the channel.
    template <typename U, typename Stamp>
    std::uint64_t publish_stamped(U&& value, Stamp&& stamp, std::uint64_t weight = 0,
                                  slot_type* key = nullptr) {
        return append(std::forward<U>(value), weight, key, next_sequence{},
                      std::forward<Stamp>(stamp));
    }

    /// Subscribes; on failure `why` says so and the result is empty. Failures: `configuration` (a
    /// capacity of zero), `stream_closed`, `stream_expired` (with `oldest_kept`). Starting in the
    /// past is one atomic step.
    [[nodiscard]] subscription_type subscribe(const subscribe_options& options,
                                              subscribe_failure& why);
    /// The same, failing with `muster::error`.
    [[nodiscard]] subscription_type
    subscribe(const subscribe_options& options = subscribe_options{});

    /// Publishes as `publish_at` and closes, in one step: without subscribers there is nobody who
    /// could ever read it, so that nothing is kept or allocated.
    template <typename U>
    void close_with(std::uint64_t sequence, U&& value, std::uint64_t weight = 0,
                    slot_type* key = nullptr);

    /// Ends the stream: subscriptions drain, then get `stream_closed`; what is published later is
    /// ignored; nothing is retained for anybody new. Idempotent.
    void close() noexcept;
    [[nodiscard]] bool closed() const noexcept;

    /// Calls `visit(const subscriber_info&)` for each subscription, without their help and under
    /// the channel's lock: be short, and do not use the channel. Disconnected ones are not visited
    /// once they know.
    template <typename Visitor>
    void for_each_subscriber(Visitor&& visit) const {
        if (const state_type* const state = shared_state()) {
            state->for_each(std::forward<Visitor>(visit));
        }
    }
    /// One atomic read or two.
    [[nodiscard]] std::size_t subscriber_count() const noexcept {
        const state_type* const state = shared_state();
        return state == nullptr ? 0 : state->subscriber_count();
    }
    [[nodiscard]] channel_totals totals() const noexcept;
    /// From this sequence on everything is kept for a start in the past.
    [[nodiscard]] std::uint64_t oldest_kept() const noexcept;

private:
    struct next_sequence {
        std::uint64_t operator()(std::uint64_t last) const noexcept { return last + 1; }
    };
    struct given_sequence {
        std::uint64_t sequence;
        std::uint64_t operator()(std::uint64_t last) const noexcept {
            assert(sequence > last);
            static_cast<void>(last);
            return sequence;
        }
    };
    struct no_stamp {
        void operator()(std::uint64_t) const noexcept {}
    };

    [[nodiscard]] state_type* shared_state() const noexcept {
        // acquire pairs with make_state's release: the state is complete.
        return state_.load(std::memory_order_acquire);
    }
    template <typename U, typename SequenceAfter, typename Stamp>
    std::uint64_t append(U&& value, std::uint64_t weight, slot_type* key,
                         const SequenceAfter& sequence_after, Stamp&& stamp);
    [[nodiscard]] state_type& make_state();

    boost::intrusive_ptr<const settings_type> settings_;
    std::atomic<state_type*> state_{nullptr};
    // Until there is a state: the counts, and their lock. Handed over to it when it is made.
    mutable detail::spin_lock lock_;
    bool closed_ = false;
    std::uint64_t events_ = 0;
    std::uint64_t weight_ = 0;
    std::uint64_t last_sequence_ = 0;
};

// --- implementation -----------------------------------------------------------------------------

template <typename T, typename Executor, std::size_t Slots>
template <typename U, typename SequenceAfter, typename Stamp>
std::uint64_t broadcast<T, Executor, Slots>::append(U&& value, std::uint64_t weight, slot_type* key,
                                                    const SequenceAfter& sequence_after,
                                                    Stamp&& stamp) {
    state_type* state = shared_state();
    if (state == nullptr) {
        if (settings_->keep.events != 0) {
            state = &make_state();
        } else {
            const guard held{lock_};
            state = shared_state();
            if (state == nullptr) {
                if (closed_) {
                    return 0;
                }
                last_sequence_ = sequence_after(last_sequence_);
                stamp(last_sequence_);
                weight_ += weight;
                ++events_;
                return last_sequence_;
            }
        }
    }
    return state->publish(std::forward<U>(value), weight, key, sequence_after,
                          std::forward<Stamp>(stamp));
}

template <typename T, typename Executor, std::size_t Slots>
auto broadcast<T, Executor, Slots>::make_state() -> state_type& {
    if (state_type* const state = shared_state()) {
        return *state;
    }
    auto fresh = std::make_unique<state_type>(settings_);
    const guard held{lock_};
    if (state_type* const state = shared_state()) {
        return *state; // somebody was quicker
    }
    fresh->resume(events_, weight_, last_sequence_, closed_);
    state_.store(fresh.get(), std::memory_order_release);
    return *fresh.release();
}

template <typename T, typename Executor, std::size_t Slots>
auto broadcast<T, Executor, Slots>::subscribe(const subscribe_options& options,
                                              subscribe_failure& why) -> subscription_type {
    if (options.capacity == 0 || options.capacity_bytes == 0) {
        why = {make_error_code(errc::configuration), 0};
        return {};
    }
    state_type* state = shared_state();
    if (state == nullptr) { // a state knows for itself whether it is closed
        if (closed()) {
            why = {make_error_code(errc::stream_closed), 0};
            return {};
        }
        state = &make_state();
    }
    auto reader = std::make_unique<reader_type>(options);
    if (!state->subscribe(*reader, options.start, why)) {
        return {};
    }
    why = {};
    return subscription_type{*state, *reader.release()};
}

template <typename T, typename Executor, std::size_t Slots>
auto broadcast<T, Executor, Slots>::subscribe(const subscribe_options& options)
    -> subscription_type {
    subscribe_failure why;
    auto result = subscribe(options, why);
    if (result) {
        return result;
    }
    if (why.code == errc::configuration) {
        throw error{why.code, "a subscription's capacity must not be zero"};
    }
    if (why.code == errc::stream_expired) {
        throw expired{"the requested start is no longer kept; the oldest is sequence " +
                          std::to_string(why.oldest_kept),
                      why.oldest_kept};
    }
    throw error{why.code, "the channel is closed"};
}

template <typename T, typename Executor, std::size_t Slots>
template <typename U>
void broadcast<T, Executor, Slots>::close_with(std::uint64_t sequence, U&& value,
                                               std::uint64_t weight, slot_type* key) {
    guard held{lock_};
    if (std::exchange(closed_, true)) {
        return;
    }
    if (state_type* const state = shared_state()) {
        held.unlock();
        state->close_with(sequence, std::forward<U>(value), weight, key);
        return;
    }
    assert(sequence > last_sequence_);
    last_sequence_ = sequence;
    weight_ += weight;
    ++events_;
}

template <typename T, typename Executor, std::size_t Slots>
void broadcast<T, Executor, Slots>::close() noexcept {
    guard held{lock_};
    closed_ = true;
    state_type* const state = shared_state();
    held.unlock();
    if (state != nullptr) {
        state->close();
    }
}

template <typename T, typename Executor, std::size_t Slots>
bool broadcast<T, Executor, Slots>::closed() const noexcept {
    const guard held{lock_};
    return closed_;
}

template <typename T, typename Executor, std::size_t Slots>
channel_totals broadcast<T, Executor, Slots>::totals() const noexcept {
    if (const state_type* const state = shared_state()) {
        return state->totals();
    }
    const guard held{lock_};
    channel_totals out;
    out.published_events = events_;
    out.published_bytes = weight_;
    out.last_sequence = last_sequence_;
    return out;
}

template <typename T, typename Executor, std::size_t Slots>
std::uint64_t broadcast<T, Executor, Slots>::oldest_kept() const noexcept {
    if (const state_type* const state = shared_state()) {
        return state->oldest_kept();
    }
    const guard held{lock_};
    return last_sequence_ + 1;
}

} // namespace muster
