#pragma once

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <thread>
#include <tuple>
#include <utility>

namespace muster::test {

namespace asio = boost::asio;

/// What a `counting_allocator` was asked for.
struct allocation_counts {
    std::size_t allocations = 0;
    std::size_t deallocations = 0;
    std::size_t live_bytes = 0;
};

/// Counts into an `allocation_counts` that outlives it. Not thread-safe.
template <typename T>
class counting_allocator {
public:
    using value_type = T;

    explicit counting_allocator(allocation_counts& counts) noexcept : counts_{&counts} {}
    template <typename U>
    counting_allocator(const counting_allocator<U>& other) noexcept : counts_{other.counts_} {}

    T* allocate(std::size_t count) {
        ++counts_->allocations;
        counts_->live_bytes += count * sizeof(T);
        return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{alignof(T)}));
    }
    void deallocate(T* memory, std::size_t count) noexcept {
        ++counts_->deallocations;
        counts_->live_bytes -= count * sizeof(T);
        ::operator delete (memory, std::align_val_t{alignof(T)});
    }

    template <typename U>
    friend bool operator==(const counting_allocator& a, const counting_allocator<U>& b) noexcept {
        return a.counts_ == b.counts_;
    }

private:
    template <typename>
    friend class counting_allocator;
    allocation_counts* counts_;
};

/// Hands out completion handlers for `void(error_code, Results...)` and records what became of
/// them: how often they were called, with what, on which thread, and whether on the executor they
/// were bound to. Handlers may outlive the probe.
///
///     handler_probe<> probe;
///     timer.async_wait(probe.handler());                     // plain
///     timer.async_wait(probe.bound(strand));                 // with an executor
///     timer.async_wait(probe.bound(strand, signal.slot()));  // and a cancellation slot
///     timer.async_wait(asio::bind_allocator(counting, probe.bound(strand)));
template <typename... Results>
class handler_probe {
    struct record {
        std::size_t calls = 0;
        std::size_t abandoned = 0; // destroyed without having been called
        boost::system::error_code error;
        std::tuple<Results...> results;
        std::thread::id thread;
        bool on_executor = false;
        std::function<bool()> is_on_executor;
        std::function<void()> then;
    };

    class callable {
    public:
        explicit callable(std::shared_ptr<record> target) noexcept : record_{std::move(target)} {}
        callable(callable&&) noexcept = default;
        callable& operator=(callable&&) = delete;
        ~callable() {
            if (record_) {
                ++record_->abandoned;
            }
        }

        void operator()(boost::system::error_code error, Results... results) {
            const auto record = std::exchange(record_, nullptr);
            ++record->calls;
            record->error = error;
            record->results = std::tuple<Results...>{std::move(results)...};
            record->thread = std::this_thread::get_id();
            record->on_executor = record->is_on_executor && record->is_on_executor();
            if (record->then) {
                record->then();
            }
        }

    private:
        std::shared_ptr<record> record_;
    };

public:
    /// A handler without associations.
    [[nodiscard]] callable handler() const { return callable{record_}; }

    /// A handler bound to `executor`, which must offer `running_in_this_thread()`.
    template <typename Executor>
    [[nodiscard]] auto bound(const Executor& executor) const {
        record_->is_on_executor = [executor] {
            return executor.running_in_this_thread();
        };
        return asio::bind_executor(executor, handler());
    }

    /// A handler with a cancellation slot.
    [[nodiscard]] auto bound(asio::cancellation_slot slot) const {
        return asio::bind_cancellation_slot(slot, handler());
    }

    /// A handler with both.
    template <typename Executor>
    [[nodiscard]] auto bound(const Executor& executor, asio::cancellation_slot slot) const {
        return asio::bind_cancellation_slot(slot, bound(executor));
    }

    /// Calls `action` at the end of each completion, inside the handler.
    void then(std::function<void()> action) { record_->then = std::move(action); }

    [[nodiscard]] std::size_t calls() const noexcept { return record_->calls; }
    [[nodiscard]] bool called_once() const noexcept { return record_->calls == 1; }
    /// Handlers that were destroyed uncalled, as a dying context does.
    [[nodiscard]] std::size_t abandoned() const noexcept { return record_->abandoned; }
    /// The last completion's error.
    [[nodiscard]] boost::system::error_code error() const noexcept { return record_->error; }
    /// The last completion's other arguments; movable out of.
    [[nodiscard]] std::tuple<Results...>& results() noexcept { return record_->results; }
    template <std::size_t Index = 0>
    [[nodiscard]] auto& result() noexcept {
        return std::get<Index>(record_->results);
    }
    /// Whether the last completion ran on the bound executor.
    [[nodiscard]] bool ran_on_executor() const noexcept { return record_->on_executor; }
    [[nodiscard]] std::thread::id thread() const noexcept { return record_->thread; }

private:
    std::shared_ptr<record> record_ = std::make_shared<record>();
};

} // namespace muster::test
