#include "guardian_process.hpp"

#include <sys/mman.h>

namespace muster::detail {
namespace {

void* reserve_bytes(std::size_t bytes) noexcept {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

} // namespace

bool guard_table::reserve() noexcept {
    slots_ = static_cast<guard_slot*>(reserve_bytes(sizeof(guard_slot) * capacity));
    pids_ = static_cast<pid_t*>(reserve_bytes(sizeof(pid_t) * capacity));
    free_ = static_cast<std::int32_t*>(reserve_bytes(sizeof(std::int32_t) * capacity));
    return slots_ != nullptr && pids_ != nullptr && free_ != nullptr;
}

std::int32_t guard_table::allocate() noexcept {
    if (free_count_ > 0) {
        return free_[--free_count_];
    }
    return end_ < capacity ? end_++ : -1;
}

void guard_table::set(std::int32_t slot, std::uint64_t token, pid_t pid) noexcept {
    slots_[slot] = guard_slot{token, pid, false, false};
    pids_[slot] = pid;
}

void guard_table::free(std::int32_t slot) noexcept {
    slots_[slot] = guard_slot{0, 0, false, false};
    pids_[slot] = 0;
    free_[free_count_++] = slot;
}

guard_slot* guard_table::find(std::int32_t slot, std::uint64_t token) noexcept {
    const bool known = slot >= 0 && slot < end_ && slots_[slot].pid != 0;
    return known && slots_[slot].token == token ? &slots_[slot] : nullptr;
}

std::int32_t guard_table::find_pid(pid_t pid) const noexcept {
    for (std::int32_t slot = 0; slot < end_; ++slot) {
        if (pids_[slot] == pid) {
            return slot;
        }
    }
    return -1;
}

} // namespace muster::detail
