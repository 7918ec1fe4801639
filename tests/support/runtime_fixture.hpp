#pragma once

#include "virtual_clock.hpp"

#include <muster/backend/script.hpp>
#include <muster/error.hpp>
#include <muster/runtime.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::test {

using namespace std::chrono_literals;

/// A runtime over scripted sessions in virtual time, driven by hand.
class runtime_fixture {
public:
    explicit runtime_fixture(script every_session = script{}.idle(), runtime_options options = {})
        : runtime_fixture{std::make_shared<script_backend>(std::move(every_session)),
                          std::move(options)} {}

    explicit runtime_fixture(script_backend::script_source source, runtime_options options = {})
        : runtime_fixture{std::make_shared<script_backend>(std::move(source)), std::move(options)} {
    }

    runtime_fixture(std::shared_ptr<script_backend> workers, runtime_options options)
        : clock{context}, backend{std::move(workers)} {
        options.time = &clock;
        subject.emplace(context, backend, options);
    }

    /// Runs handlers until none is ready; time stands still.
    void settle() { clock.advance(0ns); }

    /// Starts `work` and lets everything run that can; the result must be there then.
    template <typename T>
    T wait(asio::awaitable<T> work) {
        auto started = start(std::move(work));
        settle();
        return started.get();
    }

    /// A call that was started and not waited for.
    template <typename T>
    class pending {
    public:
        [[nodiscard]] bool ready() const { return state_->done; }
        T get() {
            BOOST_REQUIRE_MESSAGE(state_->done, "the call has not completed");
            if (state_->failure) {
                std::rethrow_exception(state_->failure);
            }
            if constexpr (!std::is_void_v<T>) {
                return std::move(*state_->value);
            }
        }

    private:
        friend class runtime_fixture;
        struct shared {
            bool done = false;
            std::exception_ptr failure;
            std::conditional_t<std::is_void_v<T>, bool,
                               std::optional<std::conditional_t<std::is_void_v<T>, int, T>>>
                value{};
        };
        std::shared_ptr<shared> state_ = std::make_shared<shared>();
    };

    template <typename T>
    pending<T> start(asio::awaitable<T> work) {
        pending<T> started;
        asio::co_spawn(context, keep(std::move(work), started.state_),
                       [state = started.state_](std::exception_ptr failure) {
                           state->failure = std::move(failure);
                           state->done = true;
                       });
        return started;
    }

    void spawn(const char* id, spawn_options options = {}) {
        wait(subject->spawn(spawn_request{id}, std::move(options)));
    }

    /// The code with which `work` fails; success is a test failure.
    template <typename T>
    sys::error_code failure_of(asio::awaitable<T> work) {
        try {
            wait(std::move(work));
        } catch (const sys::system_error& e) {
            last_message = e.what();
            return e.code();
        }
        BOOST_ERROR("the call succeeded");
        return {};
    }

    [[nodiscard]] std::uint64_t total(counter which) {
        return wait(subject->snapshot()).totals.get(which).value();
    }

    /// Everything that `reader` gets without waiting; the error that ended it goes to `last_error`.
    template <typename Subscription>
    std::vector<event_delivery> drain(Subscription& reader) {
        std::vector<event_delivery> all;
        for (;;) {
            auto next = reader.try_receive(last_error);
            if (last_error) {
                return all;
            }
            all.push_back(std::move(next));
        }
    }

    asio::io_context context;
    virtual_clock clock;
    std::shared_ptr<script_backend> backend;
    std::optional<runtime> subject;
    std::string last_message;
    sys::error_code last_error;

private:
    template <typename T, typename Shared>
    static asio::awaitable<void> keep(asio::awaitable<T> work, std::shared_ptr<Shared> state) {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(work);
        } else {
            state->value.emplace(co_await std::move(work));
        }
    }
};

} // namespace muster::test
