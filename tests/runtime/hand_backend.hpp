#pragma once

#include "runtime_fixture.hpp"

#include <muster/detail/wake_list.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::test {

/// Workers whose every operation waits until the test lets it pass. For one thread.
class hand_backend final : public backend {
public:
    /// Operations pass while it is open, others wait.
    struct gate {
        bool is_open = true;
    };

    gate spawning;
    gate sending;
    gate killing;
    gate ending; ///< of the stream, once the worker was killed
    bool kills_fail = false;
    std::size_t spawns = 0; ///< calls of `spawn`
    std::size_t alive = 0;

    void open(gate& opened) {
        opened.is_open = true;
        changed_.wake_all();
    }

    /// Every worker's stream ends by itself.
    void end_streams() {
        streams_end_ = true;
        changed_.wake_all();
    }

    /// The worker that was spawned last says all this in one breath.
    void say(std::vector<event> words) { last_->say(std::move(words)); }

    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor executor) override {
        ++spawns;
        while (!spawning.is_open) {
            auto change = changed_.async_wait(executor, asio::deferred);
            co_await std::move(change);
        }
        auto made = std::make_unique<hand_worker>(*this, request.id, executor);
        last_ = made.get();
        co_return made;
    }

private:
    class hand_worker final : public worker {
    public:
        hand_worker(hand_backend& owner, session_id id, session_executor executor)
            : owner_{owner}, id_{std::move(id)}, executor_{std::move(executor)} {
            ++owner_.alive;
        }
        ~hand_worker() override { --owner_.alive; }

        const session_id& id() const noexcept override { return id_; }
        session_awaitable<> run(event_sink& events) override {
            events_ = &events;
            while (!abandoned_ && !owner_.streams_end_ && !(ended_ && owner_.ending.is_open)) {
                co_await change();
            }
        }
        void say(std::vector<event> words) {
            asio::post(executor_,
                       [this, words = std::move(words)]() mutable { events_->push(words); });
        }
        /// Waits at the gate; a kill closes the input at once, as a real one would.
        session_awaitable<> send_input(std::string) override {
            while (!owner_.sending.is_open && !input_closed_) {
                co_await change();
            }
            if (input_closed_) {
                throw error{errc::input_closed, "session '" + id_.str() + "': closed"};
            }
        }
        session_awaitable<> kill() override {
            input_closed_ = true;
            owner_.changed_.wake_all();
            while (!owner_.killing.is_open && !ended_) {
                co_await change();
            }
            if (owner_.kills_fail) {
                throw error{errc::process, "session '" + id_.str() + "': it lives on"};
            }
            end();
        }
        void abandon() noexcept override {
            abandoned_ = true;
            end();
        }

    private:
        session_awaitable<> change() {
            auto change = owner_.changed_.async_wait(executor_, asio::as_tuple(asio::deferred));
            co_await std::move(change);
        }
        void end() noexcept {
            input_closed_ = ended_ = true;
            owner_.changed_.wake_all();
        }

        hand_backend& owner_;
        session_id id_;
        session_executor executor_;
        event_sink* events_ = nullptr;
        bool input_closed_ = false;
        bool ended_ = false;
        bool abandoned_ = false;
    };

    detail::wake_list changed_;
    hand_worker* last_ = nullptr;
    bool streams_end_ = false;
};

/// A runtime over such workers, in virtual time.
class hand_fixture : public runtime_fixture {
public:
    explicit hand_fixture(runtime_options options = {}) {
        options.time = &clock;
        subject.emplace(context, workers, options);
    }
    ~hand_fixture() {
        subject.reset();
        settle();
    }

    std::shared_ptr<hand_backend> workers = std::make_shared<hand_backend>();
};

} // namespace muster::test
