#pragma once

#include <muster/backend/backend.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::guards {

/// A worker that says what its driver wants, when it wants, and counts what it is sent: the
/// cheapest that a worker can be, so that what is counted is the runtime's.
class talker final : public worker {
public:
    talker(session_id id, session_executor executor, std::function<void()>& on_input)
        : id_{std::move(id)}, executor_{std::move(executor)}, on_input_{on_input} {}

    [[nodiscard]] const session_id& id() const noexcept override { return id_; }
    bool try_run(event_sink& events) override {
        sink = &events;
        return true;
    }
    bool try_send_input(std::string_view) override {
        on_input_();
        return true;
    }
    session_awaitable<> send_input(std::string) override { co_return; }
    session_awaitable<> kill() override {
        end();
        co_return;
    }
    void abandon() noexcept override { end(); }

    [[nodiscard]] const session_executor& executor() const noexcept { return executor_; }
    event_sink* sink = nullptr; ///< while it runs; to be used on its executor

private:
    void end() noexcept {
        if (auto* const events = std::exchange(sink, nullptr)) {
            events->end(nullptr);
        }
    }

    session_id id_;
    session_executor executor_;
    std::function<void()>& on_input_;
};

/// Makes talkers, and remembers them.
class talkers final : public backend {
public:
    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor executor) override {
        auto made = std::make_unique<talker>(request.id, std::move(executor), on_input);
        all.push_back(made.get());
        co_return made;
    }

    std::function<void()> on_input = [] {
    };
    std::vector<talker*> all; ///< in the order of their spawns; valid while nobody is killed
};

} // namespace muster::guards
