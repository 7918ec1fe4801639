#pragma once

#include <cstddef>
#include <cstdint>

/// What the supervisor and its guardian say to each other: one struct a message, on a sequenced
/// packet socket that never leaves the machine. A session is named by the supervisor's token; the
/// guardian answers with the slot it uses, which the supervisor repeats to be found at once.
namespace muster::detail {

enum class guard_verb : std::uint32_t {
    spawn,   ///< start a child; carries a command_image and `spawn_fds` (see there)
    signal,  ///< send `signal` to the group
    release, ///< kill the group, until it is empty
};

struct guard_request {
    guard_verb verb = guard_verb::spawn;
    std::int32_t slot = -1;
    std::uint64_t token = 0;
    std::int32_t signal = 0;
    std::uint32_t terminal = 0; ///< spawn: the streams are a terminal, which is to control it
};

enum class guard_news : std::uint32_t {
    /// About to become the program, in a group of its own, `pid`. Said by the child itself, so that
    /// the group is known before anything in it runs, whatever becomes of the guardian; left out
    /// where the socket is full.
    starting,
    spawned, ///< runs as `pid`
    refused, ///< `step` failed with errno `value`; nothing was started
    exited,  ///< the child was reaped with wait status `value`
    gone,    ///< its group is empty; the slot is free. The last word about a token
};

/// What a child does before it becomes the program.
enum class spawn_step : std::int32_t {
    prepare,
    fork,
    group,
    directory,
    terminal,
    streams,
    execute
};

struct guard_report {
    guard_news news = guard_news::gone;
    std::int32_t slot = -1;
    std::uint64_t token = 0;
    std::int32_t pid = 0;
    std::int32_t value = 0;
    spawn_step step = spawn_step::prepare;
    std::int32_t reserved = 0;
};

/// The descriptors of a spawn request, in this order.
enum spawn_fd : std::size_t { fd_image, fd_directory, fd_in, fd_out, fd_err, spawn_fds };

/// Head of a command image: a memory file with tables of string offsets (from the image's start,
/// each table ended by 0), which the guardian turns into pointers in place.
struct image_head {
    std::uint64_t programs = 0;    ///< paths to try in order
    std::uint64_t arguments = 0;   ///< argv
    std::uint64_t environment = 0; ///< envp
};

static_assert(sizeof(void*) == sizeof(std::uint64_t), "command images hold 64-bit pointers");

} // namespace muster::detail
