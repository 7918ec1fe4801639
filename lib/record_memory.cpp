#include <muster/detail/record_memory.hpp>

#include <muster/detail/spin_lock.hpp>

#include <atomic>
#include <cstdint>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define MUSTER_EVERY_RECORD_ALLOCATED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MUSTER_EVERY_RECORD_ALLOCATED 1
#endif
#endif

namespace muster::detail {
namespace {

#ifdef MUSTER_EVERY_RECORD_ALLOCATED
constexpr bool every_record_allocated = true;
#else
constexpr bool every_record_allocated = false;
#endif

/// A free record, in a list of such. The first of a batch knows how many they are.
struct spare {
    spare* next;
    spare* next_batch;
    std::size_t count;
};
static_assert(sizeof(spare) <= common_record_size);

/// All records, and the batches of them that no thread has. Neither made nor destroyed: events may
/// come first and go last.
class record_arena {
public:
    [[nodiscard]] bool holds(const void* place) const noexcept {
        return reinterpret_cast<std::uintptr_t>(place) -
                   reinterpret_cast<std::uintptr_t>(records_) <
               sizeof(records_);
    }
    /// Null: all are in use.
    [[nodiscard]] spare* take() noexcept {
        // relaxed: a hint, so that a flood of events does not go to the lock for each of them.
        if (empty_.load(std::memory_order_relaxed)) {
            return nullptr;
        }
        const spin_guard held{lock_};
        if (spare* const taken = batches_) {
            batches_ = taken->next_batch;
            return taken;
        }
        if (unused_ < records_in_arena) {
            return make_batch();
        }
        empty_.store(true, std::memory_order_relaxed);
        return nullptr;
    }
    void put(spare* first, std::size_t count) noexcept {
        first->count = count;
        const spin_guard held{lock_};
        first->next_batch = std::exchange(batches_, first);
        empty_.store(false, std::memory_order_relaxed);
    }

private:
    spare* make_batch() noexcept {
        spare* first = nullptr;
        for (std::size_t i = unused_ + records_in_batch; i-- != unused_;) {
            first = new (records_ + i * common_record_size) spare{first, nullptr, records_in_batch};
        }
        unused_ += records_in_batch;
        return first;
    }

    spin_lock lock_;
    std::atomic<bool> empty_{false};
    spare* batches_ = nullptr;
    std::size_t unused_ = 0; // from here on no record has ever been used, and no page been touched
    alignas(64) std::byte records_[records_in_arena * common_record_size]{};
};
constinit record_arena arena;

/// What a thread keeps: a batch that it fills and empties, and perhaps a full one. Trivial, so that
/// reading it costs no check whether it has been made.
struct thread_spares {
    spare* first;
    spare* full;
    std::size_t room; // in the one that is filled; 0 also before it is opened and when it is closed
    bool closed;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local thread_spares spares{nullptr, nullptr, 0,
                                                                               false};

/// Opens the spares of this thread, and closes them at its end. What is freed after that, by
/// destructors of other thread-local objects, goes back at once.
class thread_lifetime {
public:
    thread_lifetime() noexcept { spares.room = records_in_batch; }
    thread_lifetime(const thread_lifetime&) = delete;
    thread_lifetime& operator=(const thread_lifetime&) = delete;
    ~thread_lifetime() {
        const std::size_t count = records_in_batch - std::exchange(spares.room, 0);
        spares.closed = true;
        if (count != 0) {
            arena.put(std::exchange(spares.first, nullptr), count);
        }
        if (spares.full != nullptr) {
            arena.put(std::exchange(spares.full, nullptr), records_in_batch);
        }
    }
};

void open() noexcept {
    static thread_local const thread_lifetime opened;
    static_cast<void>(opened);
}

void* take_first() noexcept {
    spare* const taken = spares.first;
    spares.first = taken->next;
    __builtin_prefetch(spares.first); // the next one may have been left cold
    ++spares.room;
    return taken;
}

void keep(void* place) noexcept {
    spares.first = new (place) spare{spares.first, nullptr, 0};
    --spares.room;
}

/// Off the common path: the thread has none.
[[gnu::noinline]] void* take_from_batch(std::size_t size) {
    if (!spares.closed) {
        open();
        if (spares.full != nullptr) {
            spares.first = std::exchange(spares.full, nullptr);
            spares.room = 0;
        } else if (spare* const batch = arena.take()) {
            spares.first = batch;
            spares.room = records_in_batch - batch->count;
        }
        if (spares.first != nullptr) {
            return take_first();
        }
    }
    return ::operator new(size);
}

/// Off the common path: the batch is full, or the thread's spares are not open.
[[gnu::noinline]] void keep_in_batch(void* place) noexcept {
    if (spares.closed) {
        arena.put(new (place) spare{nullptr, nullptr, 1}, 1);
        return;
    }
    open();
    if (spares.room == 0) {
        if (spare* const full = std::exchange(spares.full, spares.first)) {
            arena.put(full, records_in_batch);
        }
        spares.first = nullptr;
        spares.room = records_in_batch;
    }
    keep(place);
}

} // namespace

void* allocate_record(std::size_t size) {
    if (every_record_allocated || size > common_record_size) {
        return ::operator new(size);
    }
    return spares.first != nullptr ? take_first() : take_from_batch(size);
}

void deallocate_record(void* place, std::size_t size) noexcept {
    if (every_record_allocated || size > common_record_size || !arena.holds(place)) {
        ::operator delete(place);
    } else if (spares.room != 0) {
        keep(place);
    } else {
        keep_in_batch(place);
    }
}

} // namespace muster::detail
