#pragma once

#include "guardian_wire.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

/// The guardian's own side. It runs in a fork of a process that may have had many threads: from
/// there on only system calls and its own memory are used, no allocation, no locale, no exception.
namespace muster::detail {

/// What the last look into /proc found in a group.
enum class group_state : std::uint8_t { unknown, zombies, living };

/// A child's process group, from its start until it is empty.
struct guard_slot {
    std::uint64_t token;
    pid_t pid;    ///< of the child and of its group; 0: the slot is free
    bool exited;  ///< the child was reaped
    bool release; ///< the group is being killed
    group_state seen = group_state::unknown;
};

/// Groups by slot. Fixed reserve of address space; memory is used up to the highest slot in use.
class guard_table {
public:
    static constexpr std::int32_t capacity = 1 << 20;

    /// False if the system refuses the address space.
    bool reserve() noexcept;

    /// A free slot, or -1.
    [[nodiscard]] std::int32_t allocate() noexcept;
    void set(std::int32_t slot, std::uint64_t token, pid_t pid) noexcept;
    void free(std::int32_t slot) noexcept;

    [[nodiscard]] std::int32_t end() const noexcept { return end_; }
    [[nodiscard]] guard_slot& at(std::int32_t slot) noexcept { return slots_[slot]; }
    /// The slot that `token` still uses, or null.
    [[nodiscard]] guard_slot* find(std::int32_t slot, std::uint64_t token) noexcept;
    /// The slot of a group; -1 if there is none. Linear, over a dense array.
    [[nodiscard]] std::int32_t find_pid(pid_t pid) const noexcept;

private:
    guard_slot* slots_ = nullptr;
    pid_t* pids_ = nullptr;        // the slots' pids, dense for find_pid
    std::int32_t* free_ = nullptr; // a stack of freed slots
    std::int32_t free_count_ = 0;
    std::int32_t end_ = 0;
};

/// The result of an attempt to start a child.
struct spawn_result {
    pid_t pid = -1;
    std::int32_t error = 0; ///< errno, 0 on success
    spawn_step step = spawn_step::prepare;
};

/// Where the guardian has its end of the socket.
inline constexpr int socket_fd = 3;

/// Starts a child from a request's descriptors (`spawn_fds` of them, see spawn_fd). Before it is
/// the program it reports itself as `token`, starting.
spawn_result spawn_child(const int* fds, std::uint64_t token, bool terminal) noexcept;

/// exit_group(2) itself: a fork must not run what others hooked into the end of a process (a
/// sanitizer flushes the supervisor's buffers there).
[[noreturn]] void leave(int code) noexcept;

/// Becomes the guardian of whoever holds the other end of `socket`; returns never. `supervisor` is
/// a pidfd of the process to outlive, or -1 (then the end of `socket` alone tells).
[[noreturn]] void run_guardian(int socket, int supervisor) noexcept;

} // namespace muster::detail
