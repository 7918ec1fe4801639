#include <muster/metrics/write_file.hpp>

#include <muster/error.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace muster {
namespace {

namespace fs = std::filesystem;

std::string reason(int code) {
    return std::generic_category().message(code);
}

[[noreturn]] void refuse(const std::string& path, int code) {
    const bool disk = code == ENOSPC || code == EDQUOT || code == EIO || code == EFBIG;
    if (disk) {
        throw error{errc::dependency_unavailable, "cannot write " + path + ": " + reason(code) +
                                                      "; free some space or choose another "
                                                      "directory"};
    }
    throw error{errc::configuration, "cannot write " + path + ": " + reason(code) +
                                         "; choose a directory that exists and is writable"};
}

struct destination {
    std::string path;
    std::optional<mode_t> mode; ///< of the file that is there
};

/// Follows symbolic links: they stay, and what they lead to is replaced.
destination find_destination(const std::string& path) {
    std::error_code problem;
    const auto present = fs::status(path, problem);
    if (present.type() == fs::file_type::none) {
        refuse(path, problem.value());
    }
    if (fs::exists(present) && !fs::is_regular_file(present)) {
        throw error{errc::configuration,
                    "cannot write " + path + ": it is no regular file; name another"};
    }
    fs::path target{path};
    while (fs::is_symlink(fs::symlink_status(target, problem))) {
        target = target.parent_path() / fs::read_symlink(target, problem);
    }
    destination found{target.string(), {}};
    if (fs::exists(present)) {
        found.mode = static_cast<mode_t>(present.permissions());
    }
    return found;
}

/// A rename is on the disk when its directory is. The file is in place whatever becomes of that.
void flush_directory_of(const std::string& path) {
    const auto directory = fs::path{path}.parent_path();
    const int opened =
        ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened >= 0) {
        ::fsync(opened);
        ::close(opened);
    }
}

/// A file that disappears unless it is renamed to where it belongs.
class temporary_file {
public:
    explicit temporary_file(const destination& target) : target_{target} {
        static std::atomic<unsigned> last{0};
        do {
            name_ = target_.path + '.' + std::to_string(::getpid()) + '-' +
                    std::to_string(last.fetch_add(1, std::memory_order_relaxed)) + ".tmp";
            descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                 target_.mode.value_or(0666));
        } while (descriptor_ < 0 && errno == EEXIST);
        if (descriptor_ < 0) {
            refuse(target_.path, errno);
        }
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
        if (!renamed_) {
            ::unlink(name_.c_str());
        }
    }

    void write(std::string_view contents) {
        while (!contents.empty()) {
            const ssize_t written = ::write(descriptor_, contents.data(), contents.size());
            if (written < 0 && errno != EINTR) {
                refuse(target_.path, errno);
            }
            contents.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
        }
    }

    void publish() {
        if ((target_.mode && ::fchmod(descriptor_, *target_.mode) != 0) ||
            ::fsync(descriptor_) != 0 || ::close(std::exchange(descriptor_, -1)) != 0 ||
            ::rename(name_.c_str(), target_.path.c_str()) != 0) {
            refuse(target_.path, errno);
        }
        renamed_ = true;
    }

private:
    const destination& target_;
    std::string name_;
    int descriptor_ = -1;
    bool renamed_ = false;
};

} // namespace

void write_file_atomically(const std::string& path, std::string_view contents) {
    const auto target = find_destination(path);
    temporary_file file{target};
    file.write(contents);
    file.publish();
    flush_directory_of(target.path);
}

void ensure_writable_directory(const std::string& path) {
    std::error_code problem;
    fs::create_directories(path, problem);
    std::error_code unseen;
    if (!fs::is_directory(path, unseen)) {
        refuse(path, problem ? problem.value() : ENOTDIR);
    }
    if (::access(path.c_str(), W_OK | X_OK) != 0) {
        refuse(path, errno);
    }
}

std::string read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    std::string contents;
    std::array<char, 16'384> block{};
    do {
        file.read(block.data(), block.size());
        contents.append(block.data(), static_cast<std::size_t>(file.gcount()));
    } while (file);
    if (!file.eof()) {
        throw error{errc::configuration, "cannot read " + path + "; name a readable file"};
    }
    return contents;
}

} // namespace muster
