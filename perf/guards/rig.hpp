#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace muster::guards {

namespace asio = boost::asio;

/// One hot path, set up and ready to be run any number of times.
class rig {
public:
    rig() = default;
    rig(const rig&) = delete;
    rig& operator=(const rig&) = delete;
    virtual ~rig() = default;

    /// Goes down the path `operations` times, a multiple of `quantum`.
    virtual void run(std::size_t operations) = 0;

    /// Every path does whole bursts, rounds and scans: their sizes divide this.
    static constexpr std::size_t quantum = 4'096;
};

/// A path whose operations come in rounds of `each`; all of its own code runs in handlers, so that
/// Asio recycles its memory as it does in a program that runs.
class round_rig : public rig {
public:
    void run(std::size_t operations) final;

protected:
    explicit round_rig(std::size_t each) noexcept : each_{each} {}

    /// Starts one round; whoever ends it calls `round_done`, once, from a handler.
    virtual void start_round() = 0;
    void round_done();

    asio::io_context context_{1};

private:
    std::size_t each_;
    std::size_t left_ = 0;
};

/// Runs `work` and all that it sets off until it has ended; throws what it throws.
void finish(asio::io_context& context, asio::awaitable<void> work);

/// `subject.run(operations)`, for callgrind, which counts while this function runs and writes its
/// count down at the end of it. Known by its name.
extern "C" void muster_guards_measured(rig& subject, std::size_t operations);

/// A path that is guarded.
struct hot_path {
    std::string_view name;
    std::string_view operation; ///< what is counted as one
    std::unique_ptr<rig> (*make)();
};

template <typename Rig>
std::unique_ptr<rig> make_rig() {
    return std::make_unique<Rig>();
}

/// One for each file of paths.
using path_list = std::vector<hot_path>;
void add_channel_paths(path_list& paths);
void add_receive_paths(path_list& paths);
void add_event_paths(path_list& paths);
void add_checkpoint_paths(path_list& paths);
void add_lock_paths(path_list& paths);
void add_timer_paths(path_list& paths);
void add_lifecycle_paths(path_list& paths);

} // namespace muster::guards
