#include "spawning.hpp"

#include <muster/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <exception>
#include <utility>

namespace muster::detail {
namespace {

session_awaitable<> reserve(core_ptr core, session_ptr added) {
    auto waiting = core->lock.async_lock(asio::deferred);
    const unique_lock writing = co_await std::move(waiting);
    if (core->closing()) {
        throw error{errc::shutting_down,
                    "session '" + added->id().str() + "': the runtime is shutting down"};
    }
    if (!core->sessions.insert(added)) {
        throw error{errc::session_exists, "session '" + added->id().str() +
                                              "' exists: use another id, or remove it first"};
    }
}

session_awaitable<> forget(core_ptr core, session_ptr added) {
    auto waiting = core->lock.async_lock(asio::as_tuple(asio::deferred));
    const auto [aborted, writing] = co_await std::move(waiting);
    core->forget(*added);
}

} // namespace

session_awaitable<> spawn_session(core_ptr core, session_ptr added, spawn_request request) {
    co_await reserve(core, added);
    std::exception_ptr failed;
    try {
        co_await added->start(std::move(request));
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) {
        co_await forget(core, added);
        std::rethrow_exception(failed);
    }
}

} // namespace muster::detail
