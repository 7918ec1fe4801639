// Sessions and subscriptions that come and go, and the snapshot over those that are there.

#include "guards/rig.hpp"
#include "harness/session_load.hpp"

#include <muster/runtime.hpp>

#include <utility>

namespace muster::guards {
namespace {

script idle_script() {
    script idle;
    idle.idle();
    return idle;
}

class lifecycle_rig : public rig {
protected:
    explicit lifecycle_rig(std::size_t sessions) {
        finish(context_, perf::spawn_all(supervisor_, sessions));
    }

    asio::io_context context_{1};
    runtime supervisor_{context_, perf::scripted(idle_script())};
};

class subscribe_and_drop final : public lifecycle_rig {
public:
    subscribe_and_drop() : lifecycle_rig{16} {}
    void run(std::size_t operations) override { finish(context_, churn(operations)); }

private:
    asio::awaitable<void> churn(std::size_t times) {
        const session_id id = perf::session_name(7);
        for (std::size_t i = 0; i < times; ++i) {
            const auto dropped = co_await supervisor_.async_subscribe(id, subscribe_options{8});
        }
    }
};

class spawn_and_kill final : public lifecycle_rig {
public:
    spawn_and_kill() : lifecycle_rig{0} {}
    void run(std::size_t operations) override { finish(context_, churn(operations)); }

private:
    asio::awaitable<void> churn(std::size_t times) {
        const session_id id = perf::session_name(7);
        for (std::size_t i = 0; i < times; ++i) {
            spawn_request request{id};
            co_await supervisor_.spawn(std::move(request));
            co_await supervisor_.kill(id);
            co_await supervisor_.remove(id);
        }
    }
};

class snapshot final : public lifecycle_rig {
public:
    snapshot() : lifecycle_rig{sessions} {}
    void run(std::size_t operations) override { finish(context_, take(operations / sessions)); }

private:
    static constexpr std::size_t sessions = 1'024;

    asio::awaitable<void> take(std::size_t times) {
        for (std::size_t i = 0; i < times; ++i) {
            const auto state = co_await supervisor_.snapshot();
        }
    }
};

} // namespace

void add_lifecycle_paths(path_list& paths) {
    paths.push_back({"subscription.subscribe_drop", "a session's subscriber that comes and goes",
                     make_rig<subscribe_and_drop>});
    paths.push_back(
        {"session.spawn_kill", "a session spawned, killed and removed", make_rig<spawn_and_kill>});
    paths.push_back(
        {"snapshot.per_session", "one session of 1,024 in a snapshot", make_rig<snapshot>});
}

} // namespace muster::guards
