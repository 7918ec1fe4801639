#pragma once

#include <muster/detail/same_executor.hpp>
#include <muster/fanout/detail/channel_state.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace muster::detail::fanout {

/// A pending receive. Lives from its initiation until its completion runs on the handler's
/// executor, or until it is abandoned; the subscriber points to it as long.
template <typename T, std::size_t Slots, typename Executor>
class receive_op_base {
public:
    using channel_type = channel_state<T, Slots, Executor>;
    using reader_type = subscriber<T, Slots, Executor>;
    using guard = typename channel_type::guard;

    receive_op_base(channel_type& channel, reader_type& reader) noexcept
        : channel_{&channel}, reader_{&reader} {}
    receive_op_base(const receive_op_base&) = delete;
    receive_op_base& operator=(const receive_op_base&) = delete;

    [[nodiscard]] channel_type& channel() const noexcept { return *channel_; }
    void mark_aborted() noexcept { aborted_ = true; }

    /// Whether a function that runs on the channel's executor may call the handler in place.
    /// Of an operation that waits.
    [[nodiscard]] bool runs_on_channels() const noexcept { return runs_on_channels_; }
    /// Has `run` called on the handler's executor. Without the lock.
    virtual void post() noexcept = 0;
    /// Completes, or waits on if another receive was quicker. With the lock, which it releases.
    virtual void run(guard held) = 0;
    /// Destroys the handler uncalled. Without the lock; already out of every list.
    virtual void abandon() noexcept = 0;

protected:
    ~receive_op_base() = default;

    channel_type* channel_;
    reader_type* reader_;
    bool aborted_ = false;
    bool runs_on_channels_ = false;
};

template <typename Take, typename Handler, typename T, std::size_t Slots, typename Executor>
class receive_op final : public receive_op_base<T, Slots, Executor> {
    using base = receive_op_base<T, Slots, Executor>;
    using typename base::channel_type;
    using typename base::guard;
    using typename base::reader_type;
    using executor_type = asio::associated_executor_t<Handler, Executor>;
    using allocator_type = asio::associated_allocator_t<Handler>;
    static constexpr bool default_allocator =
        std::is_same_v<typename std::allocator_traits<allocator_type>::template rebind_alloc<char>,
                       std::allocator<char>>;

public:
    template <typename H>
    receive_op(channel_type& channel, reader_type& reader, H&& handler)
        : base{channel, reader}, handler_{std::forward<H>(handler)} {}

    /// Makes an operation; its memory comes from the handler's allocator, or if that is the
    /// standard one, from the subscription's last operation.
    template <typename H>
    [[nodiscard]] static receive_op* make(channel_type& channel, reader_type& reader, H&& handler) {
        if constexpr (default_allocator) {
            void* const memory = reader.memory.allocate(sizeof(receive_op));
            return ::new (memory) receive_op{channel, reader, std::forward<H>(handler)};
        } else {
            auto allocator = rebound(asio::get_associated_allocator(handler));
            auto* const memory = std::allocator_traits<decltype(allocator)>::allocate(allocator, 1);
            return ::new (memory) receive_op{channel, reader, std::forward<H>(handler)};
        }
    }

    /// Completes by post if there is something to get, waits otherwise.
    void start() {
        bind_cancellation();
        auto& channel = *this->channel_;
        auto& reader = *this->reader_;
        guard held = channel.lock();
        reader.op = this;
        if (channel.has_something(reader)) {
            reader.wait = wait_state::posted;
            held.unlock();
            post();
        } else {
            wait();
        }
    }

    void post() noexcept override { asio::post(own_executor(), runner{*this}); }

    void run(guard held) override {
        if constexpr (Take::takes_one) {
            const auto* const next = this->channel_->next_here(*this->reader_);
            if (next != nullptr && !this->aborted_) [[likely]] {
                return complete_here(held, *next);
            }
        }
        look(std::move(held));
    }

    void abandon() noexcept override {
        unbind_cancellation();
        const auto work = std::move(work_);
        const Handler dies_last{std::move(handler_)};
        guard held = this->channel_->lock();
        const bool last = leave(*this->reader_);
        held.unlock();
        dispose(asio::get_associated_allocator(dies_last), last);
    }

private:
    void complete_here(guard& held, const typename Take::slot_type& next) {
        auto& reader = *this->reader_;
        if constexpr (leaves_in_place<Take>) {
            const bool last = leave(reader);
            held.unlock();
            const wait_result<typename Take::taking> found{&reader, &next, nullptr};
            complete(last, &found);
        } else {
            auto taken = take_here<Take>(reader, next);
            const bool last = leave(reader);
            held.unlock();
            complete(last, sys::error_code{}, std::move(taken));
        }
    }

    // What `run` does where the next event cannot simply be taken.
    [[gnu::noinline]] void look(guard held) {
        auto& channel = *this->channel_;
        auto& reader = *this->reader_;
        typename Take::result result;
        typename channel_type::waste freed;
        auto status = poll_result::empty;
        if (!this->aborted_) {
            status = channel.template poll<Take>(held, reader, result, freed);
            if (status == poll_result::empty) {
                wait();
                return channel.settle(held, freed);
            }
        }
        const bool last = leave(reader);
        channel.settle(held, freed);
        if (status == poll_result::closed || Take::missing(result)) [[unlikely]] {
            channel.report(reader, status, Take::missing(result));
        }
        if constexpr (leaves_in_place<Take>) {
            received<typename Take::taking> all{error_of(status), std::move(result)};
            const wait_result<typename Take::taking> found{nullptr, nullptr, &all};
            complete(last, &found);
        } else {
            complete(last, error_of(status), std::move(result));
        }
    }

    /// What is posted to the handler's executor.
    class runner {
    public:
        using allocator_type = receive_op::allocator_type;

        explicit runner(receive_op& op) noexcept : op_{&op} {}
        runner(runner&& other) noexcept : op_{std::exchange(other.op_, nullptr)} {}
        runner& operator=(runner&&) = delete;
        ~runner() {
            if (op_ != nullptr) {
                op_->abandon();
            }
        }
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return asio::get_associated_allocator(op_->handler_);
        }
        void operator()() {
            receive_op& op = *std::exchange(op_, nullptr);
            op.run(op.channel_->lock());
        }

    private:
        receive_op* op_;
    };

    struct canceller {
        channel_type* channel;
        reader_type* reader;
        void operator()(asio::cancellation_type type) const noexcept {
            constexpr auto any = asio::cancellation_type::terminal |
                                 asio::cancellation_type::partial | asio::cancellation_type::total;
            if ((type & any) != asio::cancellation_type::none) {
                channel->cancel(*reader);
            }
        }
    };

    [[nodiscard]] static auto rebound(const allocator_type& allocator) {
        return typename std::allocator_traits<allocator_type>::template rebind_alloc<receive_op>{
            allocator};
    }

    void bind_cancellation() {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected()) {
            slot.template emplace<canceller>(canceller{this->channel_, this->reader_});
        }
    }
    void unbind_cancellation() noexcept {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected()) {
            slot.clear();
        }
    }

    template <typename... Arguments>
    void complete(bool last, Arguments&&... arguments) {
        unbind_cancellation();
        const auto work = std::move(work_);
        Handler handler{std::move(handler_)};
        dispose(asio::get_associated_allocator(handler), last);
        std::move(handler)(std::forward<Arguments>(arguments)...);
    }

    [[nodiscard]] static sys::error_code error_of(poll_result status) noexcept {
        switch (status) {
        case poll_result::taken: return {};
        case poll_result::closed: return errc::stream_closed;
        case poll_result::lagged: return errc::subscriber_lagged;
        case poll_result::empty: break;
        }
        return asio::error::operation_aborted;
    }

    [[nodiscard]] executor_type own_executor() const noexcept {
        return asio::get_associated_executor(handler_, this->channel_->settings().executor);
    }

    // Called with the lock. What waits is outstanding work: of the channel's executor for all its
    // waiters together, of another executor for each.
    void wait() {
        auto& channel = *this->channel_;
        const executor_type own = own_executor();
        this->runs_on_channels_ = same_executor(own, channel.settings().executor);
        if (!this->runs_on_channels_) {
            work_.emplace(own);
        }
        channel.wait_for_event(*this->reader_);
    }

    // Called with the lock. True: the subscription is gone, the subscriber is ours to bury.
    [[nodiscard]] static bool leave(reader_type& reader) noexcept {
        reader.op = nullptr;
        reader.wait = wait_state::none;
        return reader.dropped;
    }

    void dispose(const allocator_type& allocator, bool last) noexcept {
        auto& channel = *this->channel_;
        auto& reader = *this->reader_;
        release_memory(reader, allocator);
        if (last) {
            channel.bury(reader);
        }
    }

    void release_memory(reader_type& reader, const allocator_type& allocator) noexcept {
        this->~receive_op();
        if constexpr (default_allocator) {
            reader.memory.deallocate(this, sizeof(receive_op));
        } else {
            auto rebound_allocator = rebound(allocator);
            std::allocator_traits<decltype(rebound_allocator)>::deallocate(rebound_allocator, this,
                                                                           1);
        }
    }

    Handler handler_;
    std::optional<asio::executor_work_guard<executor_type>> work_;
};

} // namespace muster::detail::fanout
