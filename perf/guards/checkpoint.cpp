// A checkpoint that is due: from the wheel over the registry's lock and the session's strand to
// the worker, and the receipt.

#include "guards/manual_time.hpp"
#include "guards/rig.hpp"
#include "guards/talker.hpp"
#include "harness/session_load.hpp"

#include <muster/runtime.hpp>

#include <chrono>
#include <memory>

namespace muster::guards {
namespace {

constexpr std::size_t sessions = 64;

class checkpoint_tick final : public round_rig {
public:
    checkpoint_tick() : round_rig{sessions} {
        workers_->on_input = [this] {
            prompted();
        };
        finish(context_, perf::spawn_all(supervisor_, sessions));
        context_.restart();
        context_.poll();
    }

private:
    void start_round() override {
        prompted_ = 0;
        time_.go_to_alarm();
    }
    void prompted() {
        if (++prompted_ == sessions) {
            round_done();
        }
    }
    runtime_options options() {
        runtime_options chosen;
        chosen.checkpoint = checkpoint_policy{std::chrono::seconds{1}};
        chosen.time = &time_;
        return chosen;
    }

    manual_time time_{context_};
    std::size_t prompted_ = 0;
    std::shared_ptr<talkers> workers_ = std::make_shared<talkers>();
    runtime supervisor_{context_, workers_, options()};
};

} // namespace

void add_checkpoint_paths(path_list& paths) {
    paths.push_back({"checkpoint.tick", "a tick of one of 64 sessions in phase, its prompt sent",
                     make_rig<checkpoint_tick>});
}

} // namespace muster::guards
