#include <muster/detail/event_memory.hpp>

#include <muster/detail/spin_lock.hpp>

#include <new>
#include <utility>

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

/// A free record, in a list of such. The first of a batch leads to the next batch.
struct spare {
    spare* next;
    spare* next_batch;
};
static_assert(sizeof(spare) <= common_event_size);

void free_all(spare* first) noexcept {
    while (first != nullptr) {
        spare* const next = first->next;
        ::operator delete(first);
        first = next;
    }
}

/// Full batches that no thread has. Never destroyed: events may be freed until the very end.
class batch_depot {
public:
    /// Null: there is none.
    [[nodiscard]] spare* take() noexcept {
        const spin_guard held{lock_};
        spare* const taken = first_;
        if (taken != nullptr) {
            first_ = taken->next_batch;
            --count_;
        }
        return taken;
    }
    /// False: there are enough.
    [[nodiscard]] bool put(spare* batch) noexcept {
        const spin_guard held{lock_};
        if (count_ == batches_in_depot) {
            return false;
        }
        batch->next_batch = first_;
        first_ = batch;
        ++count_;
        return true;
    }

private:
    spin_lock lock_;
    spare* first_ = nullptr;
    std::size_t count_ = 0;
};
constinit batch_depot depot;

void give_back(spare* batch) noexcept {
    if (batch != nullptr && !depot.put(batch)) {
        free_all(batch);
    }
}

/// What a thread keeps: a batch that it fills and empties, and perhaps a full one. Trivial, so that
/// reading it costs no check whether it has been made.
struct thread_spares {
    spare* first;
    spare* full;
    std::size_t room; // in the one that is filled; 0 also before it is opened and when it is closed
    bool closed;
};
constinit thread_local thread_spares spares{nullptr, nullptr, 0, false};

/// Opens the spares of this thread, and closes them at its end. What is freed after that, by
/// destructors of other thread-local objects, goes back to malloc.
class thread_lifetime {
public:
    thread_lifetime() noexcept { spares.room = records_in_batch; }
    thread_lifetime(const thread_lifetime&) = delete;
    thread_lifetime& operator=(const thread_lifetime&) = delete;
    ~thread_lifetime() {
        spares.closed = true;
        spares.room = 0;
        give_back(std::exchange(spares.full, nullptr));
        free_all(std::exchange(spares.first, nullptr));
    }
};

void open() noexcept {
    static thread_local const thread_lifetime opened;
    static_cast<void>(opened);
}

void* take_first() noexcept {
    spare* const taken = spares.first;
    spares.first = taken->next;
    ++spares.room;
    return taken;
}

void keep(void* place) noexcept {
    spares.first = new (place) spare{spares.first, nullptr};
    --spares.room;
}

/// Off the common path: the thread has none.
[[gnu::noinline]] void* take_from_batch() {
    if (!spares.closed) {
        open();
        spares.first = std::exchange(spares.full, nullptr);
        if (spares.first == nullptr) {
            spares.first = depot.take();
        }
        if (spares.first != nullptr) {
            spares.room = 0;
            return take_first();
        }
    }
    return ::operator new(common_event_size);
}

/// Off the common path: the batch is full, or the thread's spares are not open.
[[gnu::noinline]] void keep_or_free(void* place) noexcept {
    if (spares.closed) {
        ::operator delete(place);
        return;
    }
    open();
    if (spares.room == 0) {
        give_back(std::exchange(spares.full, std::exchange(spares.first, nullptr)));
        spares.room = records_in_batch;
    }
    keep(place);
}

} // namespace

void* allocate_event(std::size_t size) {
    if (every_event_allocated || size > common_event_size) {
        return ::operator new(size);
    }
    return spares.first != nullptr ? take_first() : take_from_batch();
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
