#pragma once

#include "manual_loop.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace muster::test {

/// What is destroyed first when a scenario is cut off.
enum class destroy_order {
    scenario_first, ///< objects go, their context follows: the usual order
    context_first,  ///< the context goes; only for scenarios that hold nothing bound to it
};

template <typename Setup>
std::size_t cut_off_after_every_nth_handler(Setup& setup, destroy_order order, std::size_t limit) {
    for (std::size_t count = 0; count < limit; ++count) {
        auto loop = std::make_unique<manual_loop>();
        auto scenario = std::make_optional(setup(*loop));
        const std::size_t ran = loop->run(count);
        if (order == destroy_order::context_first) {
            loop.reset();
        }
        scenario.reset();
        loop.reset();
        if (ran < count) {
            return ran;
        }
    }
    throw std::runtime_error("destroy_after_every_nth_handler: the scenario does not end");
}

/// Cuts a scenario off after 0, 1, 2, … handlers and destroys everything, until it has ended by
/// itself; first as it is, then with every step in a handler of its own. Returns how many handlers
/// that took.
///
/// `setup(manual_loop&)` starts the scenario and returns what it owns (any movable value). That
/// nothing leaks, dangles or runs twice is for the sanitizers to say; what must hold besides is for
/// the scenario's own destructors. More than `limit` handlers: `std::runtime_error`.
template <typename Setup>
std::size_t destroy_after_every_nth_handler(Setup setup,
                                            destroy_order order = destroy_order::scenario_first,
                                            std::size_t limit = 10'000) {
    cut_off_after_every_nth_handler(setup, order, limit);
    const single_steps all_of_them;
    return cut_off_after_every_nth_handler(setup, order, limit);
}

} // namespace muster::test
