#pragma once

#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/prefer.hpp>

#include <type_traits>
#include <utility>

namespace muster::detail {

namespace asio = boost::asio;

/// Outstanding work on an executor, as an `executor_work_guard` keeps it, in one word less: an
/// executor whose copies are outstanding work. Move it to give the work up later than its owner.
template <typename Executor>
class tracked_work {
    using tracked_executor = std::decay_t<decltype(asio::prefer(
        std::declval<const Executor&>(), asio::execution::outstanding_work.tracked))>;

public:
    explicit tracked_work(const Executor& executor)
        : executor_{asio::prefer(executor, asio::execution::outstanding_work.tracked)} {}

    [[nodiscard]] const tracked_executor& get_executor() const noexcept { return executor_; }

private:
    tracked_executor executor_;
};

template <typename Executor, bool HasProperties>
struct select_work {
    using type = tracked_work<Executor>;
};
/// Executors of the Networking TS have functions for it instead of properties.
template <typename Executor>
struct select_work<Executor, false> {
    using type = asio::executor_work_guard<Executor>;
};

template <typename Executor>
using outstanding_work =
    typename select_work<Executor, asio::execution::is_executor<Executor>::value>::type;

} // namespace muster::detail
