#pragma once

#include <muster/detail/record_memory.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <type_traits>
#include <utility>

namespace muster::detail {

namespace asio = boost::asio;

/// A function that is due: run it, or only destroy it.
struct due_function {
    void (*act)(void* data, bool run) = nullptr;
    void* data = nullptr;
};

/// What the handler that this thread is in leaves to be done next, before the `io_context` is asked
/// for more work: at most one function.
///
/// An `io_context` polls its reactor once for each turn of its queue. Where one thing leads to
/// another, a queue of one, that is a system call for every step. A step that goes next costs none
/// (a kill consists of two such steps). `budget` of them, then the context has its thread back;
/// Tokio's LIFO slot is the same idea. A stopped context gets it back at once.
///
/// A handler that lets others go next opens a scope and calls `run_rest` at its end. Whoever wants
/// to go next offers; it is refused outside of a scope, in one of another context, and when
/// somebody else is next already. Offer only at the end of what runs: until that is over, no other
/// thread can have what goes next.
class next_up {
public:
    static constexpr int budget = 32;

    explicit next_up(asio::io_context& context) noexcept
        : context_{context}, outer_{std::exchange(innermost_, this)}, left_{budget_here_} {}
    next_up(const next_up&) = delete;
    next_up& operator=(const next_up&) = delete;
    // Out of memory while handing over what is due would lose it: noexcept, and so fatal.
    ~next_up() {
        innermost_ = outer_;
        if (due_.act != nullptr) {
            asio::post(context_, posted{context_, due_});
        }
    }

    void run_rest() {
        while (due_.act != nullptr && !context_.stopped()) {
            const due_function next = std::exchange(due_, {});
            next.act(next.data, true);
        }
    }

    [[nodiscard]] static bool is_free(const asio::io_context& context) noexcept {
        return innermost_ != nullptr && &innermost_->context_ == &context &&
               innermost_->due_.act == nullptr && innermost_->left_ > 0;
    }
    /// Whether somebody is next on this thread.
    [[nodiscard]] static bool taken() noexcept {
        return innermost_ != nullptr && innermost_->due_.act != nullptr;
    }
    /// False: not accepted.
    static bool offer(const asio::io_context& context, due_function next) noexcept {
        if (!is_free(context)) {
            return false;
        }
        innermost_->due_ = next;
        --innermost_->left_;
        return true;
    }
    /// This thread's budget from now on, for tests that stop after every step: with 0 all goes by
    /// way of the context. Returns the former.
    static int set_budget(int steps) noexcept { return std::exchange(budget_here_, steps); }

    /// As `asio::post(context, function)`, but next if possible.
    template <typename Function>
    static void post(asio::io_context& context, Function&& function) {
        using stored = held<std::decay_t<Function>>;
        if (is_free(context)) {
            offer(context, {&stored::act, stored::make(std::forward<Function>(function))});
        } else {
            asio::post(context,
                       entry<std::decay_t<Function>>{&context, std::forward<Function>(function)});
        }
    }

private:
    /// A function on its way through the context.
    template <typename Function>
    struct entry {
        asio::io_context* context;
        Function function;

        void operator()() {
            next_up scope{*context};
            std::move(function)();
            scope.run_rest();
        }
    };

    /// What was next when the context stopped or a handler threw, on its way through the context.
    class posted {
    public:
        posted(asio::io_context& context, due_function due) noexcept
            : context_{context}, due_{due} {}
        posted(posted&& other) noexcept
            : context_{other.context_}, due_{std::exchange(other.due_, {})} {}
        posted& operator=(posted&&) = delete;
        ~posted() {
            if (due_.act != nullptr) {
                due_.act(due_.data, false);
            }
        }
        void operator()() {
            const due_function now = std::exchange(due_, {});
            next_up scope{context_};
            now.act(now.data, true);
            scope.run_rest();
        }

    private:
        asio::io_context& context_;
        due_function due_;
    };

    template <typename Function>
    struct held {
        Function function;

        template <typename Argument>
        static held* make(Argument&& argument) {
            record_allocator<held> memory;
            held* const place = memory.allocate(1);
            try {
                return ::new (static_cast<void*>(place)) held{std::forward<Argument>(argument)};
            } catch (...) {
                memory.deallocate(place, 1);
                throw;
            }
        }
        /// The memory goes back first, so that what the function posts can have it.
        static void act(void* data, bool run) {
            auto* const self = static_cast<held*>(data);
            Function function{std::move(self->function)};
            self->~held();
            record_allocator<held>{}.deallocate(self, 1);
            if (run) {
                std::move(function)();
            }
        }
    };

    [[gnu::tls_model("initial-exec")]] // see lib/DESIGN.md
    static constinit inline thread_local next_up* innermost_ = nullptr;
    [[gnu::tls_model("initial-exec")]] static constinit inline thread_local int budget_here_ =
        budget;

    asio::io_context& context_;
    next_up* outer_;
    int left_; // of the budget
    due_function due_;
};

/// The context of an executor that is an `io_context`'s own, plain one; null for any other.
template <typename Executor>
[[nodiscard]] asio::io_context* plain_context(const Executor& executor) noexcept {
    using plain = asio::io_context::executor_type;
    if constexpr (std::is_same_v<Executor, plain>) {
        return &executor.context();
    } else if constexpr (requires { executor.template target<plain>(); }) {
        const plain* const inner = executor.template target<plain>();
        return inner != nullptr ? &inner->context() : nullptr;
    } else {
        return nullptr;
    }
}

} // namespace muster::detail
