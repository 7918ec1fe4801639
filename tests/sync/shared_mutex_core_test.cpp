#include "mutex_client.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(shared_mutex_rules)

BOOST_AUTO_TEST_CASE(readers_share_and_a_writer_excludes) {
    shared_mutex_core core;
    BOOST_TEST(core.try_lock<lock_mode::shared>());
    BOOST_TEST(core.try_lock<lock_mode::shared>());
    BOOST_TEST(!core.try_lock<lock_mode::exclusive>());
    BOOST_TEST(core.readers() == 2U);
    BOOST_TEST(core.unlock<lock_mode::shared>().empty());
    BOOST_TEST(core.unlock<lock_mode::shared>().empty());
    BOOST_TEST(core.try_lock<lock_mode::exclusive>());
    BOOST_TEST(!core.try_lock<lock_mode::shared>());
    BOOST_TEST(core.unlock<lock_mode::exclusive>().empty());
}

BOOST_AUTO_TEST_CASE(waiting_writer_holds_back_new_readers) {
    shared_mutex_core core;
    client writer;
    client reader;
    BOOST_TEST(core.try_lock<lock_mode::shared>());
    BOOST_TEST(!core.lock_or_wait(writer, lock_mode::exclusive));
    BOOST_TEST(!core.try_lock<lock_mode::shared>());
    BOOST_TEST(!core.lock_or_wait(reader, lock_mode::shared));
    BOOST_TEST((listed(core.unlock<lock_mode::shared>()) == std::vector<const void*>{&writer}));
    BOOST_TEST((listed(core.pass_on(writer)) == std::vector<const void*>{&reader}));
    BOOST_TEST(core.pass_on(reader).empty());
}

BOOST_AUTO_TEST_CASE(cancelled_writer_lets_readers_in) {
    shared_mutex_core core;
    client writer;
    client reader;
    BOOST_TEST(core.try_lock<lock_mode::shared>());
    BOOST_TEST(!core.lock_or_wait(writer, lock_mode::exclusive));
    BOOST_TEST(!core.lock_or_wait(reader, lock_mode::shared));
    shared_mutex_core::waiter_list granted;
    BOOST_TEST(core.cancel(writer, granted));
    BOOST_TEST((listed(std::move(granted)) == std::vector<const void*>{&reader}));
    BOOST_TEST(core.readers() == 2U);
    BOOST_TEST(core.pass_on(reader).empty());
    BOOST_TEST(core.unlock<lock_mode::shared>().empty());
}

BOOST_AUTO_TEST_CASE(granted_waiter_cannot_be_cancelled_and_can_be_taken_back) {
    shared_mutex_core core;
    client first;
    client second;
    BOOST_TEST(core.lock_or_wait(first, lock_mode::exclusive));
    BOOST_TEST(!core.lock_or_wait(second, lock_mode::exclusive));
    shared_mutex_core::waiter_list granted;
    BOOST_TEST(!core.cancel(first, granted));
    BOOST_TEST(granted.empty());
    std::vector<const void*> forgotten;
    core.forget_granted([&](const shared_mutex_core::waiter& w) { forgotten.push_back(&w); });
    BOOST_TEST((forgotten == std::vector<const void*>{&first}));
    BOOST_TEST((listed(core.detach_waiting()) == std::vector<const void*>{&second}));
    BOOST_TEST((first.current_phase() == phase::idle));
    BOOST_TEST(!core.is_locked());
}

/// Another thread, so that it is worth while to try for a moment.
class bystander {
public:
    ~bystander() {
        done_.store(true);
        thread_.join();
    }

private:
    std::atomic<bool> done_{false};
    std::thread thread_{[this] {
        while (!done_.load()) {
            std::this_thread::yield();
        }
    }};
};

BOOST_AUTO_TEST_CASE(who_tries_for_a_moment_overtakes_nobody) {
    const bystander other;
    shared_mutex_core core;
    client writer;
    client reader;
    BOOST_TEST(core.try_lock_for_a_moment<lock_mode::shared>());
    BOOST_TEST(core.try_lock_for_a_moment<lock_mode::shared>());
    BOOST_TEST(!core.try_lock_for_a_moment<lock_mode::exclusive>());
    BOOST_TEST(!core.lock_or_wait(writer, lock_mode::exclusive));
    BOOST_TEST(!core.try_lock_for_a_moment<lock_mode::shared>());
    BOOST_TEST(!core.lock_or_wait(reader, lock_mode::shared));
    BOOST_TEST(!core.try_lock_for_a_moment<lock_mode::exclusive>());
    BOOST_TEST(core.unlock<lock_mode::shared>().empty());
    BOOST_TEST((listed(core.unlock<lock_mode::shared>()) == std::vector<const void*>{&writer}));
    BOOST_TEST(!core.try_lock_for_a_moment<lock_mode::shared>());
    BOOST_TEST((listed(core.pass_on(writer)) == std::vector<const void*>{&reader}));
    BOOST_TEST(core.try_lock_for_a_moment<lock_mode::shared>());
    BOOST_TEST(core.pass_on(reader).empty());
    BOOST_TEST(core.unlock<lock_mode::shared>().empty());
}

BOOST_AUTO_TEST_CASE(who_tries_for_a_moment_gets_what_another_thread_lets_go_of) {
    shared_mutex_core core;
    constexpr int rounds = 2'000;
    int value = 0; // ordered by the lock alone
    std::atomic<int> in_vain{0};
    std::atomic<bool> broken{false};
    const auto increment = [&] {
        for (int i = 0; i < rounds; ++i) {
            while (!core.try_lock_for_a_moment<lock_mode::exclusive>()) {
                in_vain.fetch_add(1, std::memory_order_relaxed);
                std::this_thread::yield();
            }
            ++value;
            broken = broken || !core.unlock<lock_mode::exclusive>().empty();
        }
    };
    std::thread other{increment};
    increment();
    other.join();
    BOOST_TEST(value == 2 * rounds);
    BOOST_TEST(!broken);
    BOOST_TEST_MESSAGE("tried in vain " << in_vain << " times");
}

BOOST_AUTO_TEST_CASE(threads_never_see_a_writer_with_company_nor_lose_a_grant) {
    constexpr int threads = 3;
    constexpr int rounds = 3'000;
    shared_mutex_core core;
    struct blocking_client final : shared_mutex_core::waiter {
        std::atomic<bool> resumed{false};
    };
    long plain = 0; // written by writers only, read by readers: the lock must order them
    std::atomic<int> readers{0};
    std::atomic<int> writers{0};
    std::atomic<bool> broken{false};
    const auto resume = [](shared_mutex_core::waiter_list list) {
        while (auto* w = list.pop()) {
            static_cast<blocking_client*>(w)->resumed.store(true, std::memory_order_release);
        }
    };
    const auto acquire = [&](lock_mode mode, bool impatient) {
        const bool tried = mode == lock_mode::shared
                               ? core.try_lock_for_a_moment<lock_mode::shared>()
                               : core.try_lock_for_a_moment<lock_mode::exclusive>();
        if (tried) {
            return true;
        }
        blocking_client self;
        if (!core.lock_or_wait(self, mode)) {
            if (impatient) {
                shared_mutex_core::waiter_list granted;
                if (core.cancel(self, granted)) {
                    resume(std::move(granted));
                    return false;
                }
            }
            while (!self.resumed.load(std::memory_order_acquire)) {
                std::this_thread::yield();
            }
        }
        core.deliver(self);
        return true;
    };
    const auto work = [&](int id) {
        for (int i = 0; i < rounds; ++i) {
            if ((i + id) % 4 == 0) {
                if (acquire(lock_mode::exclusive, i % 8 == 0)) {
                    broken = broken || writers.fetch_add(1) != 0 || readers.load() != 0;
                    ++plain;
                    writers.fetch_sub(1);
                    resume(core.unlock<lock_mode::exclusive>());
                }
            } else if (acquire(lock_mode::shared, i % 5 == 0)) {
                readers.fetch_add(1);
                broken = broken || writers.load() != 0 || plain < 0;
                readers.fetch_sub(1);
                resume(core.unlock<lock_mode::shared>());
            }
        }
    };
    std::vector<std::thread> pool;
    for (int id = 0; id < threads; ++id) {
        pool.emplace_back(work, id);
    }
    for (auto& thread : pool) {
        thread.join();
    }
    BOOST_TEST(!broken);
    BOOST_TEST(plain > 0);
    BOOST_TEST(!core.is_locked());
    BOOST_TEST(core.readers() == 0U);
    BOOST_TEST(!core.has_waiters());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
