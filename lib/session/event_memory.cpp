#include <muster/detail/event_memory.hpp>

#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define MUSTER_EVERY_EVENT_ALLOCATED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MUSTER_EVERY_EVENT_ALLOCATED 1
#endif
#endif

namespace muster::detail {
namespace {

#ifdef MUSTER_EVERY_EVENT_ALLOCATED
constexpr bool every_event_allocated = true;
#else
constexpr bool every_event_allocated = false;
#endif

struct spare {
    spare* next;
};

// Trivial, so that reading it costs no check whether it has been made.
struct spare_list {
    spare* first;
    std::size_t room; // for so many more; 0 before the first and after the thread's last
};
constinit thread_local spare_list spares{nullptr, 0};

/// Opens the list for this thread, and frees it at the thread's end. What is freed after that, by
/// destructors of other thread-local objects, finds no room.
class thread_lifetime {
public:
    thread_lifetime() noexcept { spares.room = spare_events; }
    thread_lifetime(const thread_lifetime&) = delete;
    thread_lifetime& operator=(const thread_lifetime&) = delete;
    ~thread_lifetime() {
        spares.room = 0;
        while (spares.first != nullptr) {
            spare* const next = spares.first->next;
            ::operator delete(spares.first);
            spares.first = next;
        }
    }
};

void keep(void* place) noexcept {
    spares.first = new (place) spare{spares.first};
    --spares.room;
}

/// Off the common path: the list is full, closed or not open yet.
[[gnu::noinline]] void keep_or_free(void* place) noexcept {
    static thread_local const thread_lifetime opened;
    if (spares.room != 0) {
        keep(place);
    } else {
        ::operator delete(place);
    }
}

} // namespace

void* allocate_event(std::size_t size) {
    if (every_event_allocated || size > common_event_size) {
        return ::operator new(size);
    }
    spare* const kept = spares.first;
    if (kept == nullptr) {
        return ::operator new(common_event_size);
    }
    spares.first = kept->next;
    ++spares.room;
    return kept;
}

void deallocate_event(void* place, std::size_t size) noexcept {
    if (every_event_allocated || size > common_event_size) {
        ::operator delete(place);
    } else if (spares.room != 0) {
        keep(place);
    } else {
        keep_or_free(place);
    }
}

} // namespace muster::detail
