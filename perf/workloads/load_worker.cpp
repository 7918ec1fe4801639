#include "workloads/load_worker.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <utility>

namespace muster::work {

load_worker::load_worker(load_backend& owner, std::uint64_t number, session_id id,
                         session_executor executor)
    : owner_(owner), number_(number), id_(std::move(id)), executor_(std::move(executor)) {
    owner_.alive_.fetch_add(1, std::memory_order_relaxed);
}

load_worker::~load_worker() {
    owner_.alive_.fetch_sub(1, std::memory_order_release);
}

void load_worker::say(std::vector<event> burst) {
    executor_.post([this, burst = std::move(burst)]() mutable { push(burst); });
}

void load_worker::push(std::vector<event>& burst) {
    if (events_ == nullptr) {
        return;
    }
    if (owner_.how_ == hand_over::together) {
        events_->push(burst);
        return;
    }
    for (event& one : burst) {
        events_->push(std::move(one));
    }
}

bool load_worker::try_run(event_sink& events) {
    if (owner_.form_ == worker_form::coroutine) {
        return false;
    }
    events_ = &events;
    return true;
}

session_awaitable<> load_worker::run(event_sink& events) {
    events_ = &events;
    while (!ended_) {
        auto wait = ended_by_.async_wait(executor_, asio::as_tuple(asio::deferred));
        co_await std::move(wait);
    }
    events_ = nullptr;
}

bool load_worker::try_send_input(std::string_view bytes) {
    if (owner_.listener_ != nullptr) {
        owner_.listener_->arrived(number_, bytes);
    }
    return true;
}

session_awaitable<> load_worker::send_input(std::string bytes) {
    try_send_input(bytes);
    co_return;
}

session_awaitable<> load_worker::kill() {
    end();
    co_return;
}

void load_worker::end() noexcept {
    ended_ = true;
    if (owner_.form_ == worker_form::coroutine) {
        ended_by_.wake_all();
    } else if (auto* const events = std::exchange(events_, nullptr)) {
        events->end(nullptr);
    }
}

session_awaitable<std::unique_ptr<worker>> load_backend::spawn(const spawn_request& request,
                                                               session_executor executor) {
    auto made =
        std::make_unique<load_worker>(*this, workers_.size(), request.id, std::move(executor));
    workers_.push_back(made.get());
    co_return made;
}

} // namespace muster::work
