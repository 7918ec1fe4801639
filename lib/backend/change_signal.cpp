#include "change_signal.hpp"

#include <muster/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace muster::detail {

/// A timer's place in the list, for as long as its coroutine waits, or until its frame dies.
class change_signal::listed {
public:
    listed(std::vector<timer*>& list, timer& entry) : list_{list}, entry_{entry} {
        list_.push_back(&entry_);
    }
    listed(const listed&) = delete;
    listed& operator=(const listed&) = delete;
    ~listed() { list_.erase(std::find(list_.begin(), list_.end(), &entry_)); }

private:
    std::vector<timer*>& list_;
    timer& entry_;
};

session_awaitable<> change_signal::wait_until(clock::time_point deadline) {
    timer sleeper{executor_, deadline};
    const listed place{waiting_, sleeper};
    co_await sleeper.async_wait(asio::as_tuple(asio::deferred));
}

void change_signal::notify() {
    for (timer* sleeper : waiting_) {
        sleeper->cancel();
    }
}

session_awaitable<bool> is_cancelled() {
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

session_awaitable<> throw_if_cancelled() {
    const bool cancelled = co_await is_cancelled();
    if (cancelled) {
        throw sys::system_error{asio::error::operation_aborted};
    }
}

} // namespace muster::detail
