#include "guardian_proc.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <utility>

namespace muster::detail {
namespace {

bool is_digit(char letter) noexcept {
    return letter >= '0' && letter <= '9';
}

/// -1 if there is none.
int number_at(const char* text) noexcept {
    int number = is_digit(*text) ? 0 : -1;
    for (; is_digit(*text); ++text) {
        number = number * 10 + (*text - '0');
    }
    return number;
}

/// Behind the `count`th space.
const char* skip(const char* text, int count) noexcept {
    while (count > 0 && *text != '\0') {
        count -= *text++ == ' ' ? 1 : 0;
    }
    return text;
}

} // namespace

proc_list::proc_list(const char* path) noexcept
    : directory_{::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {}

proc_list::~proc_list() {
    if (directory_ >= 0) {
        ::close(directory_);
    }
}

int proc_list::next() noexcept {
    int number = -1;
    while (number < 0) {
        if (at_ >= size_) {
            at_ = 0;
            size_ = ::getdents64(directory_, entries_, sizeof entries_);
        }
        if (size_ <= 0) {
            return -1;
        }
        const auto* entry = reinterpret_cast<const dirent64*>(entries_ + at_);
        at_ += entry->d_reclen;
        name_ = entry->d_name;
        number = number_at(name_);
    }
    return number;
}

// "pid (any name) state parent group ...", with the number of threads as the 20th.
group_member read_member(const proc_list& processes) noexcept {
    const int directory = ::openat(processes.descriptor(), processes.name(), O_PATH | O_CLOEXEC);
    const int file = ::openat(directory, "stat", O_RDONLY | O_CLOEXEC);
    char text[1024];
    const ssize_t size = ::read(file, text, sizeof text - 1);
    ::close(file);
    ::close(directory);
    group_member member;
    text[size > 0 ? size : 0] = '\0';
    if (const char* name_end = std::strrchr(text, ')')) {
        const char* state = skip(name_end, 1);
        member.group = number_at(skip(state, 2));
        member.dead = (*state == 'Z' || *state == 'X') && number_at(skip(state, 17)) <= 1;
    }
    return member;
}

void close_from(int first) noexcept {
    if (::syscall(SYS_close_range, first, ~0U, 0U) == 0) {
        return;
    }
    proc_list open{"/proc/self/fd"};
    for (int fd = open.next(); fd >= 0; fd = open.next()) {
        if (fd >= first && fd != open.descriptor()) {
            ::close(fd);
        }
    }
}

void kill_children() noexcept {
    const int list = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    char text[4096];
    pid_t pid = 0;
    ssize_t size = 0;
    while (list >= 0 && (size = ::read(list, text, sizeof text)) > 0) {
        for (ssize_t at = 0; at < size; ++at) {
            if (is_digit(text[at])) {
                pid = pid * 10 + (text[at] - '0');
            } else if (pid > 0) {
                ::kill(std::exchange(pid, 0), SIGKILL);
            }
        }
    }
    if (list >= 0) {
        ::close(list);
    }
}

} // namespace muster::detail
