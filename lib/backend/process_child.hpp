#pragma once

#include "change_signal.hpp"
#include "child_input.hpp"
#include "child_streams.hpp"
#include "guardian_link.hpp"

#include <muster/backend/process.hpp>
#include <muster/backend/protocol.hpp>
#include <muster/error.hpp>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace muster::detail {

/// One child from its start until its group is empty: its streams go into the session's sink, its
/// end is heard from the guardian. Strand-bound, but for the guardian_listener's members.
///
/// Kept alive by its own pending handlers; the worker that owns it calls `abandon` when it dies.
class process_child final : public guardian_listener,
                            public std::enable_shared_from_this<process_child> {
public:
    process_child(const session_executor& executor, session_id id,
                  std::shared_ptr<const process_options> options, process_settings settings,
                  std::shared_ptr<guardian_link> guardian);

    [[nodiscard]] const session_id& id() const noexcept { return id_; }
    [[nodiscard]] const process_settings& settings() const noexcept { return settings_; }
    [[nodiscard]] child_input& input() noexcept { return *input_; }

    /// Returns when the child runs. Throws `error`; then there is none.
    session_awaitable<> start(const spawn_request& request);

    /// See `worker`.
    session_awaitable<> run(event_sink& sink);
    session_awaitable<> kill();
    void resize(terminal_size size);

    /// Kills the group without waiting and lets go of everything; what waits here ends soon.
    void abandon() noexcept;

    void hear(const guard_report& report) override;
    void hear_lost() override;
    void hear_admitted() override;

private:
    using clock = change_signal::clock;
    using descriptor = asio::posix::basic_stream_descriptor<session_executor>;
    using condition = bool (process_child::*)() const;

    struct output_source {
        descriptor fd;
        output_stream stream;
    };
    class permit;
    class reading;
    class climbing;

    // starting (process_start.cpp)
    void pass_on(const spawn_request& request);
    void take_streams(child_streams& streams);
    [[noreturn]] void refuse(const spawn_request& request) const;

    // reading (process_output.cpp)
    void start_reading(event_sink& sink);
    void stop_reading() noexcept;
    void arm(output_source& source);
    void on_readable(output_source& source);
    std::size_t read_some(output_source& source);
    void end_of(output_source& source);
    void read_rest();
    void deliver(output_stream stream, std::string_view bytes);
    void deliver_decoded();

    // ending (process_child.cpp)
    session_awaitable<bool> until(condition met, clock::time_point deadline);
    session_awaitable<bool> gone_within(std::chrono::nanoseconds grace);
    session_awaitable<> climb();
    session_awaitable<bool> signal_step(int signal, std::chrono::nanoseconds grace);
    session_awaitable<> settle();
    void conclude();
    void note(const guard_report& report);
    void note_lost();
    void note_admitted();
    void close_streams();
    void report_end();
    process_report make_report() const;

    bool is_admitted() const { return admitted_; }
    bool is_answered() const { return pid_ != 0 || refusal_ || is_settled(); }
    bool is_over() const { return exited_ || is_settled() || terminal_seen_ || failure_; }
    bool is_drained() const {
        return is_settled() || (!sources_[0].fd.is_open() && !sources_[1].fd.is_open());
    }
    bool is_settled() const { return gone_ || lost_ || abandoned_; }
    bool is_kill_over() const { return is_settled() || !climbing_; }

    session_executor executor_;
    session_id id_;
    std::shared_ptr<const process_options> options_;
    process_settings settings_;
    std::shared_ptr<guardian_link> guardian_;
    change_signal changed_;

    std::array<output_source, 2> sources_;
    /// Until the child's exit. A terminal that nobody has open reads as ended, though a child that
    /// has closed its streams may open it again.
    unique_fd terminal_;
    std::shared_ptr<child_input> input_;
    std::optional<protocol_decoder> decoder_;
    std::vector<event> decoded_;
    event_sink* sink_ = nullptr; // while `run` runs

    std::uint64_t token_ = 0;
    std::int32_t slot_ = -1;
    int pid_ = 0;
    int status_ = 0;
    std::optional<guard_report> refusal_;
    std::optional<sys::error_code> failure_; // of a stream
    clock::time_point exit_time_{};

    bool wants_permit_ = false;
    bool admitted_ = false;
    bool exited_ = false;
    bool gone_ = false;          // the group is proven empty
    bool lost_ = false;          // the guardian died
    bool abandoned_ = false;     // the worker dies
    bool terminal_seen_ = false; // the protocol said done or crashed
    bool climbing_ = false;      // a kill is on the ladder
    bool killed_ = false;        // the child ended while one was, or after its SIGKILL
    bool reported_ = false;
};

} // namespace muster::detail
