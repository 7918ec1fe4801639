#pragma once

#include <muster/time/detail/wheel_state.hpp>

#include <boost/asio/execution_context.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <mutex>
#include <vector>

namespace muster::detail {

/// Tells the wheel services on an execution context that it is going down, as Asio's own timers are
/// told: only so can a coroutine be freed that waits for a timer in its own frame.
class context_watch final : public asio::execution_context::service {
public:
    using key_type = context_watch;
    static asio::execution_context::id id;

    explicit context_watch(asio::execution_context& context) : service{context} {}

    void add(boost::intrusive_ptr<wheel_state> state) {
        const std::lock_guard lock{mutex_};
        states_.push_back(std::move(state));
    }

    void remove(const wheel_state& state) noexcept {
        const std::lock_guard lock{mutex_};
        std::erase_if(states_, [&](const auto& each) { return each.get() == &state; });
    }

private:
    void shutdown() override {
        std::vector<boost::intrusive_ptr<wheel_state>> states;
        {
            const std::lock_guard lock{mutex_};
            states.swap(states_);
        }
        for (const auto& state : states) {
            state->abandon();
        }
    }

    std::mutex mutex_;
    std::vector<boost::intrusive_ptr<wheel_state>> states_;
};

} // namespace muster::detail
