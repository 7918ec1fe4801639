#pragma once

#include <muster/detail/record_memory.hpp>
#include <muster/sync/light_strand_state.hpp>

#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>

#include <cassert>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace muster {

/// A serial executor: in go functions from any thread, out they come one at a time, in order, on
/// the inner executor; a handle owns a share of the state.
///
/// Takes the place of `asio::strand` where hops are frequent and strands are many: one word a
/// handle, 40 bytes the state, one queue operation a hop and one trip through the inner executor
/// per batch. Meets Asio's executor requirements (`co_spawn`, `any_io_executor`, I/O objects).
///
/// Guarantees
/// - No two functions of one strand at once; each happens before the next; first in, first out.
/// - After `run_budget` (8) functions in a row the inner executor gets its thread back.
/// - What a dispatched function leaves queued may run next on the same thread, before its context
///   is asked for more; at most 32 such steps in a row.
/// - `dispatch` inside the strand runs at once, before what is queued. `dispatch` on an idle strand
///   runs at once if the inner executor would (the caller runs its context), unless the caller is
///   inside another strand: chains of dispatches do not nest. `post` and `defer` never run inside.
/// - A function that throws lets the exception pass to whoever runs the context (or dispatched);
///   the strand goes on with the next.
/// - When the context dies, queued functions are destroyed without running; what their
///   destructors queue goes the same way.
/// - The state is freed with the last handle, queued function and turn.
///
/// Allocations: one per strand (none on an embedded state), and per queued function one block,
/// from the function's associated allocator, by default from record memory.
///
/// Thread-safe: distinct handles of one strand. A single handle is as a `shared_ptr`.
template <typename InnerExecutor, typename Allocator = std::allocator<void>, bool Tracked = false>
class basic_light_strand {
public:
    using inner_executor_type = InnerExecutor;
    using state_type = basic_light_strand_state<InnerExecutor>;

    /// A new strand over `inner`. Allocates the state.
    template <typename Executor>
        requires(!std::is_same_v<Executor, basic_light_strand> &&
                 !std::is_convertible_v<Executor&, asio::execution_context&> &&
                 std::is_convertible_v<const Executor&, InnerExecutor>)
    explicit basic_light_strand(const Executor& inner)
        : basic_light_strand{*new own_state{inner}} {}

    /// A new strand over the executor of `context`. Allocates the state.
    template <typename ExecutionContext>
        requires std::is_convertible_v<ExecutionContext&, asio::execution_context&>
    explicit basic_light_strand(ExecutionContext& context)
        : basic_light_strand{context.get_executor()} {}

    /// A handle to the strand that `state` carries; adds a reference.
    explicit basic_light_strand(state_type& state) noexcept;

    basic_light_strand(const basic_light_strand& other) noexcept;
    basic_light_strand(basic_light_strand&& other) noexcept;
    basic_light_strand& operator=(const basic_light_strand& other) noexcept;
    basic_light_strand& operator=(basic_light_strand&& other) noexcept;
    ~basic_light_strand();

    /// Handles are equal when they lead to the same strand with the same run-time properties.
    friend bool operator==(const basic_light_strand& a, const basic_light_strand& b) noexcept {
        return a.target_ == b.target_;
    }

    [[nodiscard]] const InnerExecutor& get_inner_executor() const noexcept {
        return state().inner_executor();
    }
    [[nodiscard]] decltype(auto) context() const noexcept {
        return asio::query(get_inner_executor(), asio::execution::context);
    }
    /// Whether the caller is inside a function of this strand.
    [[nodiscard]] bool running_in_this_thread() const noexcept {
        return state().running_in_this_thread();
    }

    /// Runs `function()` on the strand: queued, or at once where the class comment allows it and
    /// `blocking` is `possibly`, as it is by default. Throws what the allocation throws.
    template <typename Function>
    void execute(Function&& function) const;

    /// Runs `function()` before it returns if `dispatch` would; false: it would be queued, and has
    /// not been moved from.
    template <typename Function>
    [[nodiscard]] bool try_run(Function&& function) const;

    /// Queues `function()`, as `asio::post(strand, function)` would, without copying the handle.
    template <typename Function>
    void post(Function&& function) const {
        enqueue(std::forward<Function>(function));
    }

    // Properties, as Asio asks for them.
    [[nodiscard]] decltype(auto) query(asio::execution::context_t) const noexcept {
        return context();
    }
    [[nodiscard]] asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept {
        return is(never_blocking) ? asio::execution::blocking_t(asio::execution::blocking.never)
                                  : asio::execution::blocking_t(asio::execution::blocking.possibly);
    }
    [[nodiscard]] asio::execution::relationship_t
    query(asio::execution::relationship_t) const noexcept {
        return is(continuation)
                   ? asio::execution::relationship_t(asio::execution::relationship.continuation)
                   : asio::execution::relationship_t(asio::execution::relationship.fork);
    }
    [[nodiscard]] static constexpr asio::execution::outstanding_work_t
    query(asio::execution::outstanding_work_t) noexcept {
        return Tracked ? asio::execution::outstanding_work_t(
                             asio::execution::outstanding_work_t::tracked_t{})
                       : asio::execution::outstanding_work_t(
                             asio::execution::outstanding_work_t::untracked_t{});
    }
    template <typename OtherAllocator>
    [[nodiscard]] Allocator query(asio::execution::allocator_t<OtherAllocator>) const noexcept {
        return allocator_;
    }

    [[nodiscard]] auto require(asio::execution::blocking_t::never_t) const& noexcept {
        return basic_light_strand{*this}.with(never_blocking);
    }
    [[nodiscard]] auto require(asio::execution::blocking_t::never_t) && noexcept {
        return with(never_blocking);
    }
    [[nodiscard]] auto require(asio::execution::blocking_t::possibly_t) const& noexcept {
        return basic_light_strand{*this}.without(never_blocking);
    }
    [[nodiscard]] auto require(asio::execution::blocking_t::possibly_t) && noexcept {
        return without(never_blocking);
    }
    [[nodiscard]] auto require(asio::execution::relationship_t::continuation_t) const& noexcept {
        return basic_light_strand{*this}.with(continuation);
    }
    [[nodiscard]] auto require(asio::execution::relationship_t::continuation_t) && noexcept {
        return with(continuation);
    }
    [[nodiscard]] auto require(asio::execution::relationship_t::fork_t) const& noexcept {
        return basic_light_strand{*this}.without(continuation);
    }
    [[nodiscard]] auto require(asio::execution::relationship_t::fork_t) && noexcept {
        return without(continuation);
    }
    [[nodiscard]] auto require(asio::execution::outstanding_work_t::tracked_t) const& noexcept {
        return basic_light_strand<InnerExecutor, Allocator, true>{basic_light_strand{*this},
                                                                  allocator_};
    }
    [[nodiscard]] auto require(asio::execution::outstanding_work_t::untracked_t) const& noexcept {
        return basic_light_strand<InnerExecutor, Allocator, false>{basic_light_strand{*this},
                                                                   allocator_};
    }
    template <typename OtherAllocator>
    [[nodiscard]] auto
    require(asio::execution::allocator_t<OtherAllocator> property) const& noexcept {
        return basic_light_strand<InnerExecutor, OtherAllocator, Tracked>{basic_light_strand{*this},
                                                                          property.value()};
    }
    template <typename OtherAllocator>
    [[nodiscard]] auto require(asio::execution::allocator_t<OtherAllocator> property) && noexcept {
        return basic_light_strand<InnerExecutor, OtherAllocator, Tracked>{std::move(*this),
                                                                          property.value()};
    }
    [[nodiscard]] auto require(asio::execution::allocator_t<void>) const& noexcept {
        return basic_light_strand<InnerExecutor, std::allocator<void>, Tracked>{
            basic_light_strand{*this}, std::allocator<void>{}};
    }

private:
    template <typename, typename, bool>
    friend class basic_light_strand;

    class own_state;
    template <typename Function>
    class function_op;

    // target_: the state's address and, in the bits that its alignment leaves free:
    static constexpr std::uintptr_t never_blocking = 1;
    static constexpr std::uintptr_t continuation = 2;
    static constexpr std::uintptr_t all_bits = 3;
    static_assert(alignof(state_type) > all_bits);

    struct no_work {
        explicit no_work(const InnerExecutor&) noexcept {}
    };
    using tracked_inner = std::decay_t<decltype(asio::prefer(
        std::declval<const InnerExecutor&>(), asio::execution::outstanding_work.tracked))>;
    struct counted_work {
        explicit counted_work(const InnerExecutor& inner)
            : inner_{asio::prefer(inner, asio::execution::outstanding_work.tracked)} {}
        tracked_inner inner_;
    };
    using work_type = std::conditional_t<Tracked, counted_work, no_work>;

    template <typename OtherAllocator, bool OtherTracked>
    basic_light_strand(basic_light_strand<InnerExecutor, OtherAllocator, OtherTracked>&& other,
                       const Allocator& allocator) noexcept;

    [[nodiscard]] state_type& state() const noexcept {
        assert(target_ != 0 && "a moved-from strand can only be assigned to or destroyed");
        return *reinterpret_cast<state_type*>(target_ & ~all_bits);
    }
    [[nodiscard]] bool is(std::uintptr_t bit) const noexcept { return (target_ & bit) != 0; }
    [[nodiscard]] basic_light_strand with(std::uintptr_t bit) noexcept {
        target_ |= bit;
        return std::move(*this);
    }
    [[nodiscard]] basic_light_strand without(std::uintptr_t bit) noexcept {
        target_ &= ~bit;
        return std::move(*this);
    }
    template <typename Function>
    void enqueue(Function&& function) const;

    std::uintptr_t target_;
    [[no_unique_address]] work_type work_;
    [[no_unique_address]] Allocator allocator_;
};

/// The strand over an `io_context`, which is what muster's sessions run on.
using light_strand = basic_light_strand<asio::io_context::executor_type>;
using light_strand_state = light_strand::state_type;

// ---------------------------------------------------------------------------------------------
// implementation

template <typename InnerExecutor, typename Allocator, bool Tracked>
class basic_light_strand<InnerExecutor, Allocator, Tracked>::own_state final : public state_type {
public:
    explicit own_state(const InnerExecutor& inner) : state_type{inner} {}

private:
    void dispose() noexcept override { delete this; }
};

template <typename InnerExecutor, typename Allocator, bool Tracked>
template <typename Function>
class basic_light_strand<InnerExecutor, Allocator, Tracked>::function_op final
    : public detail::strand_op {
    // std::allocator stands for "no preference"; then it is ours.
    using base_allocator = std::conditional_t<std::is_same_v<Allocator, std::allocator<void>>,
                                              detail::record_allocator<void>, Allocator>;
    using op_allocator =
        typename std::allocator_traits<base_allocator>::template rebind_alloc<function_op>;

public:
    template <typename Argument>
    static function_op* make(Argument&& argument, const Allocator& allocator) {
        op_allocator memory = rebind(allocator);
        struct block {
            op_allocator& memory_;
            function_op* place_;
            ~block() {
                if (place_ != nullptr) {
                    memory_.deallocate(place_, 1);
                }
            }
        } fresh{memory, memory.allocate(1)};
        new (fresh.place_) function_op{std::forward<Argument>(argument), allocator};
        return std::exchange(fresh.place_, nullptr);
    }

private:
    template <typename Argument>
    function_op(Argument&& argument, const Allocator& allocator)
        : strand_op{&function_op::act}, function_{std::forward<Argument>(argument)},
          allocator_{allocator} {}

    static op_allocator rebind(const Allocator& allocator) {
        if constexpr (std::is_constructible_v<op_allocator, const Allocator&>) {
            return op_allocator{allocator};
        } else {
            return op_allocator{};
        }
    }

    /// The memory goes back first, so that what the function queues can have it.
    static void act(strand_op* base, bool run) {
        auto* self = static_cast<function_op*>(base);
        op_allocator memory = rebind(self->allocator_);
        Function function{std::move(self->function_)};
        self->~function_op();
        memory.deallocate(self, 1);
        if (run) {
            function();
        }
    }

    Function function_;
    [[no_unique_address]] Allocator allocator_;
};

template <typename InnerExecutor, typename Allocator, bool Tracked>
basic_light_strand<InnerExecutor, Allocator, Tracked>::basic_light_strand(
    state_type& state) noexcept
    : target_{reinterpret_cast<std::uintptr_t>(&state)}, work_{state.inner_executor()} {
    state.add_ref();
}

template <typename InnerExecutor, typename Allocator, bool Tracked>
basic_light_strand<InnerExecutor, Allocator, Tracked>::basic_light_strand(
    const basic_light_strand& other) noexcept
    : target_{other.target_}, work_{other.work_}, allocator_{other.allocator_} {
    if (target_ != 0) {
        state().add_ref();
    }
}

template <typename InnerExecutor, typename Allocator, bool Tracked>
basic_light_strand<InnerExecutor, Allocator, Tracked>::basic_light_strand(
    basic_light_strand&& other) noexcept
    : target_{std::exchange(other.target_, 0)}, work_{std::move(other.work_)},
      allocator_{other.allocator_} {}

template <typename InnerExecutor, typename Allocator, bool Tracked>
template <typename OtherAllocator, bool OtherTracked>
basic_light_strand<InnerExecutor, Allocator, Tracked>::basic_light_strand(
    basic_light_strand<InnerExecutor, OtherAllocator, OtherTracked>&& other,
    const Allocator& allocator) noexcept
    : target_{std::exchange(other.target_, 0)}, work_{state().inner_executor()}, allocator_{
                                                                                     allocator} {}

template <typename InnerExecutor, typename Allocator, bool Tracked>
basic_light_strand<InnerExecutor, Allocator, Tracked>&
basic_light_strand<InnerExecutor, Allocator, Tracked>::operator=(
    const basic_light_strand& other) noexcept {
    basic_light_strand copy{other};
    return *this = std::move(copy);
}

template <typename InnerExecutor, typename Allocator, bool Tracked>
basic_light_strand<InnerExecutor, Allocator, Tracked>&
basic_light_strand<InnerExecutor, Allocator, Tracked>::operator=(
    basic_light_strand&& other) noexcept {
    std::swap(target_, other.target_);
    std::swap(work_, other.work_);
    std::swap(allocator_, other.allocator_);
    return *this;
}

template <typename InnerExecutor, typename Allocator, bool Tracked>
basic_light_strand<InnerExecutor, Allocator, Tracked>::~basic_light_strand() {
    if (target_ != 0) {
        state().release();
    }
}

template <typename InnerExecutor, typename Allocator, bool Tracked>
template <typename Function>
void basic_light_strand<InnerExecutor, Allocator, Tracked>::execute(Function&& function) const {
    if (is(never_blocking) || !try_run(std::forward<Function>(function))) {
        enqueue(std::forward<Function>(function)); // which nobody has moved from
    }
}

template <typename InnerExecutor, typename Allocator, bool Tracked>
template <typename Function>
bool basic_light_strand<InnerExecutor, Allocator, Tracked>::try_run(Function&& function) const {
    if (running_in_this_thread()) {
        // A copy, for the original may live in what it destroys.
        std::decay_t<Function> local{std::forward<Function>(function)};
        local();
        return true;
    }
    if (state_type& strand = state(); strand.try_enter_inline()) {
        const typename state_type::reference keep{strand};
        const typename state_type::turn here{strand, true};
        std::decay_t<Function> local{std::forward<Function>(function)};
        local();
        return true;
    }
    return false;
}

template <typename InnerExecutor, typename Allocator, bool Tracked>
template <typename Function>
void basic_light_strand<InnerExecutor, Allocator, Tracked>::enqueue(Function&& function) const {
    using op = function_op<std::decay_t<Function>>;
    state().enqueue(op::make(std::forward<Function>(function), allocator_), is(continuation));
}

} // namespace muster
