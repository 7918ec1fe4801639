#include <muster/metrics/write_file.hpp>

#include <muster/error.hpp>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace muster {
namespace {

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

/// A file that disappears unless it is renamed to where it belongs.
class temporary_file {
public:
    explicit temporary_file(const std::string& target) : target_{target} {
        static std::atomic<unsigned> last{0};
        do {
            name_ = target_ + '.' + std::to_string(::getpid()) + '-' +
                    std::to_string(last.fetch_add(1, std::memory_order_relaxed)) + ".tmp";
            descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        } while (descriptor_ < 0 && errno == EEXIST);
        if (descriptor_ < 0) {
            refuse(target_, errno);
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
                refuse(target_, errno);
            }
            contents.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
        }
    }

    void publish() {
        if (::fsync(descriptor_) != 0 || ::close(std::exchange(descriptor_, -1)) != 0 ||
            ::rename(name_.c_str(), target_.c_str()) != 0) {
            refuse(target_, errno);
        }
        renamed_ = true;
    }

private:
    const std::string& target_;
    std::string name_;
    int descriptor_ = -1;
    bool renamed_ = false;
};

} // namespace

void write_file_atomically(const std::string& path, std::string_view contents) {
    temporary_file file{path};
    file.write(contents);
    file.publish();
}

void ensure_writable_directory(const std::string& path) {
    std::error_code problem;
    std::filesystem::create_directories(path, problem);
    if (!std::filesystem::is_directory(path)) {
        refuse(path, problem ? problem.value() : ENOTDIR);
    }
    if (::access(path.c_str(), W_OK | X_OK) != 0) {
        refuse(path, errno);
    }
}

std::string read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream contents;
    if (!file || !(contents << file.rdbuf())) {
        throw error{errc::configuration, "cannot read " + path + "; name a readable file"};
    }
    return std::move(contents).str();
}

} // namespace muster
