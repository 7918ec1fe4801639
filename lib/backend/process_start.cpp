#include "command_image.hpp"
#include "process_child.hpp"

#include <muster/error.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

namespace muster::detail {
namespace {

const char* name_of(spawn_step step) {
    switch (step) {
    case spawn_step::prepare: return "passing on the command";
    case spawn_step::fork: return "starting a process";
    case spawn_step::group: return "making a process group";
    case spawn_step::directory: return "entering the working directory";
    case spawn_step::terminal: return "taking the terminal";
    case spawn_step::streams: return "connecting the streams";
    case spawn_step::execute: return "executing the program";
    }
    return "starting";
}

errc kind_of(const guard_report& refusal) {
    if (refusal.step == spawn_step::directory) {
        return errc::configuration;
    }
    if (refusal.step != spawn_step::execute) {
        return errc::process;
    }
    switch (refusal.value) {
    case ENOENT:
    case ENOTDIR: return errc::dependency_unavailable;
    case EACCES:
    case ENOEXEC:
    case ELOOP:
    case ENAMETOOLONG:
    case E2BIG:
    case EISDIR: return errc::configuration;
    default: return errc::process;
    }
}

} // namespace

/// The right to hold the descriptors of a spawn; waits in line for it.
class process_child::permit {
public:
    explicit permit(process_child& child) : child_{child} {
        child_.wants_permit_ = true;
        child_.admitted_ = child_.guardian_->admit(child_.shared_from_this());
    }
    permit(const permit&) = delete;
    permit& operator=(const permit&) = delete;
    ~permit() {
        child_.wants_permit_ = false;
        if (child_.admitted_) {
            child_.guardian_->dismiss();
        }
    }

private:
    process_child& child_;
};

session_awaitable<> process_child::start(const spawn_request& request) {
    const auto self = shared_from_this();
    const permit right{*this};
    co_await until(&process_child::is_admitted, clock::time_point::max());
    co_await throw_if_cancelled();
    pass_on(request);
    co_await until(&process_child::is_answered, clock::time_point::max());
    co_await throw_if_cancelled();
    if (pid_ == 0) {
        refuse(request);
    }
}

void process_child::pass_on(const spawn_request& request) {
    unique_fd directory = open_workdir(request);
    unique_fd image = make_command_file(request);
    child_streams streams = make_streams(id_, settings_);
    guardian_link::spawn_descriptors fds;
    fds[fd_image] = std::move(image);
    fds[fd_directory] = std::move(directory);
    fds[fd_in] = std::move(streams.child[0]);
    fds[fd_out] = std::move(streams.child[1]);
    fds[fd_err] = std::move(streams.child[2]);
    take_streams(streams);
    token_ =
        guardian_->spawn(shared_from_this(), std::move(fds), settings_.mode == process_mode::pty);
}

void process_child::take_streams(child_streams& streams) {
    input_ = std::make_shared<child_input>(executor_, id_, std::move(streams.input),
                                           settings_.mode == process_mode::pty);
    terminal_ = std::move(streams.terminal);
    sources_[0].fd.assign(streams.output.get());
    (void)streams.output.release();
    if (streams.errors) {
        sources_[1].fd.assign(streams.errors.get());
        (void)streams.errors.release();
    }
}

void process_child::refuse(const spawn_request& request) const {
    const std::string session = "session '" + id_.str() + "': ";
    if (!refusal_) {
        throw error{errc::process, session + "the guardian of child processes was killed: retry"};
    }
    throw error{kind_of(*refusal_), session + "program '" + request.command.front() +
                                        "': " + name_of(refusal_->step) + ": " +
                                        std::generic_category().message(refusal_->value)};
}

void process_child::hear_admitted() {
    asio::post(executor_, [self = shared_from_this()] { self->note_admitted(); });
}

void process_child::note_admitted() {
    if (!wants_permit_) {
        guardian_->dismiss(); // who waited for it has given up
        return;
    }
    admitted_ = true;
    changed_.notify();
}

} // namespace muster::detail
