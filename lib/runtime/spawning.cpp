#include "spawning.hpp"

#include <muster/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <exception>
#include <utility>

namespace muster::detail {
namespace {

/// Takes the id and a place, or throws. Under the write lock.
void reserve(runtime_core& core, const session_ptr& added, const unique_lock& /*held*/) {
    if (core.closing()) {
        throw error{errc::shutting_down,
                    "session '" + added->id().str() + "': the runtime is shutting down"};
    }
    const auto limit = core.options().admission.max_sessions;
    if (limit != 0 && core.sessions.size() >= limit) {
        throw error{errc::admission_refused,
                    "session '" + added->id().str() + "': there are " + std::to_string(limit) +
                        " sessions already, the runtime's limit: remove one, or raise it"};
    }
    if (!core.sessions.insert(added)) {
        throw error{errc::session_exists, "session '" + added->id().str() +
                                              "' exists: use another id, or remove it first"};
    }
}

/// A turn among those who spawn, if the runtime limits that.
class admitted {
public:
    explicit admitted(runtime_core& core) noexcept : core_{core} {}
    admitted(const admitted&) = delete;
    admitted& operator=(const admitted&) = delete;
    ~admitted() {
        if (core_.admission().limits_anything()) {
            core_.admission().finished();
        }
    }

    [[nodiscard]] bool must_wait() const noexcept { return core_.admission().limits_anything(); }
    [[nodiscard]] auto wait(session& added) const {
        return core_.admission().async_admit(added.executor(), added.ticket(),
                                             asio::as_tuple(asio::deferred));
    }

private:
    runtime_core& core_;
};

session_awaitable<> forget(core_ptr core, session_ptr added) {
    auto waiting = core->lock.async_lock(asio::as_tuple(asio::deferred));
    const auto [aborted, writing] = co_await std::move(waiting);
    core->forget(*added);
}

} // namespace

session_awaitable<> spawn_session(core_ptr core, session_ptr added, spawn_request request) {
    reserve(*core, added, co_await core->lock.async_lock());
    std::exception_ptr failed;
    const admitted turn{*core};
    try {
        if (turn.must_wait()) {
            co_await turn.wait(*added);
        }
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
