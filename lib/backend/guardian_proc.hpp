#pragma once

#include <dirent.h>
#include <sys/types.h>

/// What the guardian reads in /proc and does with it: by system calls only, without allocation.
namespace muster::detail {

/// The numbers in a directory of /proc: processes, or descriptors.
class proc_list {
public:
    explicit proc_list(const char* path) noexcept;
    proc_list(const proc_list&) = delete;
    proc_list& operator=(const proc_list&) = delete;
    ~proc_list();

    /// -1 at the end.
    int next() noexcept;

    [[nodiscard]] int descriptor() const noexcept { return directory_; }
    /// The last number as it is written.
    [[nodiscard]] const char* name() const noexcept { return name_; }

private:
    int directory_;
    const char* name_ = "";
    ssize_t at_ = 0;
    ssize_t size_ = 0;
    alignas(dirent64) char entries_[4096];
};

/// A process of a group.
struct group_member {
    pid_t group = 0;   ///< 0: it has gone meanwhile
    bool dead = false; ///< a zombie, and none of its threads runs
};

/// What the kernel says about the process that `processes`, a list of /proc, has just named.
group_member read_member(const proc_list& processes) noexcept;

/// Closes all descriptors from `first` on, also where close_range(2) does not exist or is refused.
void close_from(int first) noexcept;

/// Ends the children listed by the kernel; they have been orphaned by something that left its
/// group. What they leave behind becomes ours in turn.
void kill_children() noexcept;

} // namespace muster::detail
