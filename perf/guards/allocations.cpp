#include "guards/allocations.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <execinfo.h>
#include <malloc.h>

// glibc's own names: a program that defines malloc itself reaches the real one by them.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);
}

namespace muster::guards {
namespace {

/// The recorder's own memory, which is not to be recorded.
template <typename T>
struct unseen {
    using value_type = T;

    unseen() = default;
    template <typename Other>
    explicit(false) unseen(const unseen<Other>&) noexcept {}
    T* allocate(std::size_t count) { return static_cast<T*>(__libc_malloc(count * sizeof(T))); }
    void deallocate(T* block, std::size_t) noexcept { __libc_free(block); }
    friend bool operator==(const unseen&, const unseen&) noexcept { return true; }
};

using site_key = std::tuple<std::uint64_t, std::array<void*, allocation_site::depth>>;

struct site_count {
    std::uint64_t made = 0;
    std::uint64_t alive = 0;
};

class recorder {
public:
    void add(void* block, std::size_t size) {
        std::array<void*, allocation_site::depth + skipped> callers{};
        backtrace(callers.data(), static_cast<int>(callers.size()));
        site_key where{size, {}};
        std::copy(callers.begin() + skipped, callers.end(), std::get<1>(where).begin());
        auto& count = sites_[where];
        ++count.made;
        ++count.alive;
        blocks_.insert_or_assign(block, &count);
    }
    void remove(void* block) noexcept {
        if (const auto found = blocks_.find(block); found != blocks_.end()) {
            --found->second->alive;
            blocks_.erase(found);
        }
    }
    [[nodiscard]] const auto& sites() const noexcept { return sites_; }

private:
    static constexpr std::ptrdiff_t skipped = 3; // this class, `note`, and malloc itself

    std::map<site_key, site_count, std::less<>, unseen<std::pair<const site_key, site_count>>>
        sites_;
    std::unordered_map<void*, site_count*, std::hash<void*>, std::equal_to<>,
                       unseen<std::pair<void* const, site_count*>>>
        blocks_;
};

constinit allocation_totals totals;
constinit bool counting = true;
constinit recorder* recording = nullptr;

/// A chunk of glibc's has one word in front of what may be used.
std::uint64_t cost_of(void* block) noexcept {
    return malloc_usable_size(block) + sizeof(std::size_t);
}

[[gnu::noinline]] void* note(void* block, std::size_t size) noexcept {
    if (counting && block != nullptr) {
        ++totals.allocations;
        ++totals.live_blocks;
        totals.live_bytes += cost_of(block);
        if (recording != nullptr) {
            recording->add(block, size);
        }
    }
    return block;
}

void forget(void* block) noexcept {
    if (counting && block != nullptr) {
        --totals.live_blocks;
        totals.live_bytes -= cost_of(block);
        if (recording != nullptr) {
            recording->remove(block);
        }
    }
}

} // namespace

allocation_totals allocated() noexcept {
    return totals;
}

void stop_counting() noexcept {
    counting = false;
}

void record_sites() {
    void* warm_up = nullptr;
    backtrace(&warm_up, 1); // the first call loads a library, and allocates
    recording = new recorder;
}

std::vector<allocation_site> recorded_sites() {
    const auto* const ended = std::exchange(recording, nullptr);
    std::vector<allocation_site> found;
    for (const auto& [where, count] : ended->sites()) {
        found.push_back({count.made, count.alive, std::get<0>(where), std::get<1>(where)});
    }
    delete ended;
    return found;
}

} // namespace muster::guards

// The C library's functions, for the whole program; Asio's use of aligned_alloc is why replacing
// operator new alone would miss every coroutine frame.
extern "C" {

void* malloc(std::size_t size) noexcept {
    return muster::guards::note(__libc_malloc(size), size);
}

void* calloc(std::size_t count, std::size_t size) noexcept {
    return muster::guards::note(__libc_calloc(count, size), count * size);
}

void* realloc(void* block, std::size_t size) noexcept {
    muster::guards::forget(block);
    return muster::guards::note(__libc_realloc(block, size), size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return muster::guards::note(__libc_memalign(alignment, size), size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    return muster::guards::note(__libc_memalign(alignment, size), size);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
    *block = muster::guards::note(__libc_memalign(alignment, size), size);
    return *block == nullptr ? ENOMEM : 0;
}

void free(void* block) noexcept {
    muster::guards::forget(block);
    __libc_free(block);
}
}
