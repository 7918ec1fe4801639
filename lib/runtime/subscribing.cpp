#include <muster/runtime/subscribe_operation.hpp>

#include "counted_call.hpp"
#include "runtime_core.hpp"
#include "subscribing.hpp"

#include <muster/error.hpp>

#include <utility>

namespace muster::detail {
namespace {

/// `reading`: the registry's lock; let go of as soon as the session is found.
inline session_subscription subscribe_to(runtime_core& core, shared_lock& reading,
                                         const session_id& id, const subscribe_options& options) {
    session_ptr found = core.sessions.get(id);
    reading.unlock();
    if (found->status() == session_status::starting) {
        found->require_running();
    }
    try {
        session_channel& channel = found->channel();
        return {channel, options, std::move(found)};
    } catch (const expired& e) {
        throw expired{"session '" + id.str() + "': " + e.what(), e.oldest_kept()};
    } catch (const error& e) {
        throw error{e.code(), "session '" + id.str() + "': " + e.what()};
    }
}

template <typename Executor>
asio::awaitable<session_subscription, Executor> subscribe_on(core_ptr core, session_id id,
                                                             subscribe_options options) {
    subscribe_call call{core->totals};
    shared_lock reading = co_await core->lock.async_lock_shared();
    auto made = subscribe_to(*core, reading, id, options);
    call.succeed();
    co_return made;
}

} // namespace

asio::awaitable<session_subscription> subscribe_session(core_ptr core, session_id id,
                                                        subscribe_options options) {
    return subscribe_on<asio::any_io_executor>(std::move(core), std::move(id), std::move(options));
}

asio::awaitable<session_subscription, light_strand> subscribe_operation::as_coroutine() && {
    return subscribe_on<light_strand>(core_ptr{core_}, std::move(id_), std::move(options_));
}

asio::io_context& subscribe_operation::context() const noexcept {
    return core_->context();
}

auto subscribe_operation::waiting() const -> lock_wait {
    return core_->lock.async_lock_shared().waiting();
}

subscribe_operation::outcome::outcome(subscribe_operation& asked)
    : asked_{&asked}, reading_{asked.core_->lock.try_lock_shared()}, waited_{!reading_} {
    asked.core_->totals.add<counter::subscribe_session_calls_total>();
    if (waited_) {
        intrusive_ptr_add_ref(asked.core_);
    }
}

session_subscription subscribe_operation::outcome::take() {
    const auto& [core, id, options] = *asked_;
    session_subscription made = subscribe_to(*core, reading_, id, options);
    succeeded_ = true;
    return made;
}

void subscribe_operation::outcome::settle() noexcept {
    runtime_core* const core = asked_->core_;
    if (!succeeded_) {
        core->totals.add<counter::subscribe_session_failures_total>();
    }
    if (waited_) {
        reading_.unlock(); // still held if there was no such session; the core may go with its lock
        intrusive_ptr_release(core);
    }
}

} // namespace muster::detail
