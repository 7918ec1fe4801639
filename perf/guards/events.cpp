// What a worker says, from the worker to the subscribers of the runtime.

#include "guards/rig.hpp"
#include "guards/talker.hpp"
#include "harness/session_load.hpp"

#include <muster/runtime.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>

namespace muster::guards {
namespace {

constexpr std::size_t burst = 32;
/// Fits into the string itself, so that an event is one block.
constexpr const char* words = "a line\n";

runtime_options without_checkpoints() {
    runtime_options options;
    options.checkpoint = checkpoint_policy::off();
    return options;
}

/// One session; each round, its worker pushes a burst of output, one event at a time.
class event_rig : public round_rig {
protected:
    event_rig() : round_rig{burst} {
        finish(context_, perf::spawn_all(supervisor_, 1));
        context_.restart();
        context_.poll(); // the worker's coroutine has its sink
    }

    runtime& running() noexcept { return supervisor_; }
    virtual void said() { round_done(); }

private:
    void start_round() override {
        asio::post(workers_->all.front()->executor(), [this] {
            for (std::size_t i = 0; i < burst; ++i) {
                workers_->all.front()->sink->push(event{output{words}});
            }
            said();
        });
    }

    std::shared_ptr<talkers> workers_ = std::make_shared<talkers>();
    runtime supervisor_{context_, workers_, without_checkpoints()};
};

class nobody_listens final : public event_rig {};

class somebody_is_idle final : public event_rig {
    global_subscription idle_ = running().subscribe_all(subscribe_options{256});
};

/// One subscriber of the session and one of the runtime, both of which read in batches.
class delivered final : public event_rig {
public:
    delivered() {
        finish(context_, subscribe());
        asio::co_spawn(context_, read(one_), asio::detached);
        asio::co_spawn(context_, read(all_), asio::detached);
    }

private:
    asio::awaitable<void> subscribe() {
        one_ = co_await running().subscribe(perf::session_name(0), subscribe_options{256});
        all_ = running().subscribe_all(subscribe_options{256});
    }
    template <typename Reader>
    asio::awaitable<void> read(Reader& from) {
        for (;;) {
            const auto batch = co_await from.async_receive_batch(asio::use_awaitable);
            missing_ -= batch.size();
            if (missing_ == 0) {
                missing_ = 2 * burst;
                round_done();
            }
        }
    }
    void said() override {}

    session_subscription one_;
    global_subscription all_;
    std::size_t missing_ = 2 * burst;
};

} // namespace

void add_event_paths(path_list& paths) {
    paths.push_back(
        {"event.nobody", "an event made, pushed, counted and freed", make_rig<nobody_listens>});
    paths.push_back({"event.idle_global", "an event made and pushed to an idle global subscriber",
                     make_rig<somebody_is_idle>});
    paths.push_back({"event.delivered",
                     "an event made, pushed, and delivered to a session and a global subscriber",
                     make_rig<delivered>});
}

} // namespace muster::guards
