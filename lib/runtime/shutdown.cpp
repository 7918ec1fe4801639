#include "shutdown.hpp"

#include <muster/error.hpp>
#include <muster/time/wheel_timer.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace muster::detail {
namespace {

/// What the kills under way report to; on the shutdown's strand.
struct progress {
    session_executor strand;
    std::size_t left = 0;
    std::map<session_id, std::string> ended; ///< and what went wrong
    basic_wheel_timer<session_executor> deadline;

    progress(session_executor own, const wheel_service& timers)
        : strand{std::move(own)}, deadline{strand, timers} {}

    void one_ended(const session_id& id, std::string problem) {
        ended.emplace(id, std::move(problem));
        if (--left == 0) {
            deadline.cancel();
        }
    }
};

/// Ends one session, on its own strand, and tells the shutdown.
session_awaitable<> end_one(session_ptr ending, std::shared_ptr<progress> shared) {
    std::string problem;
    try {
        co_await ending->end_for_good();
    } catch (const std::exception& e) {
        problem = e.what();
    }
    asio::post(shared->strand, [shared, id = ending->id(), problem = std::move(problem)]() mutable {
        shared->one_ended(id, std::move(problem));
    });
}

session_awaitable<> wait_for_all(progress& shared) {
    if (shared.left != 0) {
        auto passed = shared.deadline.async_wait(asio::as_tuple(asio::deferred));
        co_await std::move(passed);
    }
}

void report_all(const std::vector<session_ptr>& all, const progress& shared,
                shutdown_report& report) {
    for (const auto& each : all) {
        const auto found = shared.ended.find(each->id());
        const bool ended = found != shared.ended.end() && found->second.empty();
        std::string problem = found != shared.ended.end() ? found->second : "did not end in time";
        report.sessions.emplace_back(each->id(), each->status(), ended, std::move(problem));
    }
    std::sort(report.sessions.begin(), report.sessions.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
}

} // namespace

session_awaitable<> shut_down(core_ptr core, session_executor strand,
                              std::chrono::nanoseconds deadline, shutdown_report& report) {
    std::vector<session_ptr> all;
    {
        auto waiting = core->lock.async_lock_shared(asio::deferred);
        const shared_lock reading = co_await std::move(waiting);
        all = core->sessions.all();
    }
    auto shared = std::make_shared<progress>(strand, core->timers());
    shared->left = all.size();
    shared->deadline.expires_after(deadline);
    for (const auto& each : all) {
        asio::co_spawn(each->executor(), end_one(each, shared), asio::detached);
    }
    co_await wait_for_all(*shared);
    report_all(all, *shared, report);
    report.workers_left = core->live_workers();
}

} // namespace muster::detail
