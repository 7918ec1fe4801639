// The reader/writer lock while it is free: what every tick and every call of the facade takes.

#include "guards/rig.hpp"

#include <muster/sync/shared_mutex.hpp>

#include <boost/asio/awaitable.hpp>

namespace muster::guards {
namespace {

class lock_by_await final : public rig {
public:
    void run(std::size_t operations) override { finish(context_, lock(operations)); }

private:
    asio::awaitable<void> lock(std::size_t times) {
        for (std::size_t i = 0; i < times; ++i) {
            const shared_lock reading = co_await mutex_.async_lock_shared();
        }
    }

    asio::io_context context_{1};
    shared_mutex mutex_{context_};
};

class lock_by_try final : public rig {
public:
    void run(std::size_t operations) override {
        for (std::size_t i = 0; i < operations; ++i) {
            const shared_lock reading = mutex_.try_lock_shared();
        }
    }

private:
    asio::io_context context_{1};
    shared_mutex mutex_{context_};
};

} // namespace

void add_lock_paths(path_list& paths) {
    paths.push_back({"lock.shared_await",
                     "a free lock taken for reading by co_await, and given back",
                     make_rig<lock_by_await>});
    paths.push_back({"lock.shared_try", "the same by try_lock_shared", make_rig<lock_by_try>});
}

} // namespace muster::guards
