#pragma once

#include <muster/sync/light_strand.hpp>
#include <muster/sync/shared_mutex.hpp>

#include "handler_probe.hpp"
#include "manual_loop.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>

#include <array>

namespace muster::test {

using asio::cancellation_type;

using shared_probe = handler_probe<shared_lock>;
using unique_probe = handler_probe<unique_lock>;

inline constexpr std::array all_cancellations{cancellation_type::terminal,
                                              cancellation_type::partial, cancellation_type::total};

/// A mutex on a loop that is driven by hand, and an executor that is not the mutex's.
struct mutex_fixture {
    manual_loop loop;
    light_strand strand{loop.context()};
    shared_mutex mutex{loop.context()};
    asio::cancellation_signal signal;
};

} // namespace muster::test
