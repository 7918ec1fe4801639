// The lock's rules against the lock as one would write it on paper.

#include "mutex_client.hpp"

#include "seeded_random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

namespace {

enum class verb {
    try_shared,
    try_exclusive,
    wait_shared,
    wait_exclusive,
    adopt_shared,
    adopt_exclusive,
    cancel,
    deliver,
    pass_on,
    release
};
constexpr int verbs = 10;

/// The lock as one would write it on paper: a queue, and each client's standing.
class naive_lock {
public:
    enum class standing { idle, waiting, granted, held };
    struct entry {
        standing at = standing::idle;
        lock_mode mode = lock_mode::shared;
    };

    explicit naive_lock(std::size_t clients) : clients_(clients) {}

    [[nodiscard]] bool allowed(std::size_t who, verb what) const {
        switch (what) {
        case verb::cancel: return true;
        case verb::deliver:
        case verb::pass_on: return clients_[who].at == standing::granted;
        case verb::release: return clients_[who].at == standing::held;
        default: return clients_[who].at == standing::idle;
        }
    }

    bool try_lock(std::size_t who, lock_mode mode, standing as) {
        if (!queue_.empty() || !free_for(mode)) {
            return false;
        }
        clients_[who] = {as, mode};
        if (as == standing::granted) {
            undelivered_.push_back(who);
        }
        return true;
    }
    void wait(std::size_t who, lock_mode mode) {
        clients_[who] = {standing::waiting, mode};
        queue_.push_back(who);
    }
    void deliver(std::size_t who) {
        clients_[who].at = standing::held;
        std::erase(undelivered_, who);
    }
    std::vector<std::size_t> leave(std::size_t who) {
        clients_[who].at = standing::idle;
        std::erase(queue_, who);
        std::erase(undelivered_, who);
        std::vector<std::size_t> granted;
        while (!queue_.empty() && free_for(clients_[queue_.front()].mode)) {
            clients_[queue_.front()].at = standing::granted;
            granted.push_back(queue_.front());
            queue_.erase(queue_.begin());
        }
        undelivered_.insert(undelivered_.end(), granted.begin(), granted.end());
        return granted;
    }

    [[nodiscard]] const entry& at(std::size_t who) const { return clients_[who]; }
    [[nodiscard]] std::uint64_t holders(lock_mode mode) const {
        return static_cast<std::uint64_t>(std::ranges::count_if(clients_, [mode](const entry& e) {
            return e.mode == mode && (e.at == standing::granted || e.at == standing::held);
        }));
    }
    [[nodiscard]] bool has_waiters() const { return !queue_.empty(); }

    /// Equal for locks that nobody can tell apart, the order of the core's lists included.
    [[nodiscard]] std::vector<std::size_t> state() const {
        std::vector<std::size_t> all = queue_;
        all.push_back(clients_.size());
        all.insert(all.end(), undelivered_.begin(), undelivered_.end());
        for (const entry& e : clients_) {
            const bool idle = e.at == standing::idle;
            all.push_back(static_cast<std::size_t>(e.at) * 2 +
                          (!idle && e.mode == lock_mode::exclusive ? 1 : 0));
        }
        return all;
    }

private:
    [[nodiscard]] bool free_for(lock_mode mode) const {
        return holders(lock_mode::exclusive) == 0 &&
               (mode == lock_mode::shared || holders(lock_mode::shared) == 0);
    }
    std::vector<entry> clients_;
    std::vector<std::size_t> queue_;
    std::vector<std::size_t> undelivered_; // granted, in that order
};

/// Does everything to the core and to the model, and compares.
class compared_lock {
    using standing = naive_lock::standing;

public:
    explicit compared_lock(std::size_t clients)
        : model_{clients}, clients_{std::make_unique<client[]>(clients)}, size_{clients} {}
    ~compared_lock() {
        (void)core_.detach_waiting();
        core_.forget_granted([](const shared_mutex_core::waiter&) {});
        for (std::size_t i = 0; i < size_; ++i) {
            if (model_.at(i).at == standing::held) {
                (void)unlock(model_.at(i).mode);
            }
        }
    }

    [[nodiscard]] bool allowed(std::size_t who, verb what) const {
        return model_.allowed(who, what);
    }

    [[nodiscard]] std::vector<std::size_t> state() const { return model_.state(); }

    /// False: core and model disagree.
    bool apply(std::size_t who, verb what) { return perform(who, what) && consistent(); }

private:
    bool perform(std::size_t who, verb what) {
        switch (what) {
        case verb::try_shared:
            return core_.try_lock<lock_mode::shared>() ==
                   model_.try_lock(who, lock_mode::shared, standing::held);
        case verb::try_exclusive:
            return core_.try_lock<lock_mode::exclusive>() ==
                   model_.try_lock(who, lock_mode::exclusive, standing::held);
        case verb::wait_shared: return wait(who, lock_mode::shared);
        case verb::wait_exclusive: return wait(who, lock_mode::exclusive);
        case verb::adopt_shared: return adopt<lock_mode::shared>(who);
        case verb::adopt_exclusive: return adopt<lock_mode::exclusive>(who);
        case verb::cancel: return cancel(who);
        case verb::deliver:
            core_.deliver(clients_[who]);
            model_.deliver(who);
            return true;
        case verb::pass_on: return same(core_.pass_on(clients_[who]), model_.leave(who));
        case verb::release: return same(unlock(model_.at(who).mode), model_.leave(who));
        }
        return false;
    }
    bool wait(std::size_t who, lock_mode mode) {
        const bool expected = model_.try_lock(who, mode, standing::granted);
        if (!expected) {
            model_.wait(who, mode);
        }
        return core_.lock_or_wait(clients_[who], mode) == expected;
    }
    /// Takes the lock as the caller and gives it to a waiter.
    template <lock_mode Mode>
    bool adopt(std::size_t who) {
        const bool taken = core_.try_lock<Mode>();
        if (taken) {
            core_.adopt(clients_[who], Mode);
        }
        return taken == model_.try_lock(who, Mode, standing::granted);
    }
    bool cancel(std::size_t who) {
        const bool expected = model_.at(who).at == standing::waiting;
        shared_mutex_core::waiter_list granted;
        const bool cancelled = core_.cancel(clients_[who], granted);
        const auto let_in = expected ? model_.leave(who) : std::vector<std::size_t>{};
        return cancelled == expected && same(std::move(granted), let_in);
    }
    shared_mutex_core::waiter_list unlock(lock_mode mode) {
        return mode == lock_mode::shared ? core_.unlock<lock_mode::shared>()
                                         : core_.unlock<lock_mode::exclusive>();
    }
    bool same(shared_mutex_core::waiter_list list, const std::vector<std::size_t>& expected) {
        std::vector<const void*> wanted;
        for (const std::size_t who : expected) {
            wanted.push_back(static_cast<shared_mutex_core::waiter*>(&clients_[who]));
        }
        return listed(std::move(list)) == wanted;
    }
    [[nodiscard]] bool consistent() const {
        bool equal = core_.is_locked() == (model_.holders(lock_mode::exclusive) != 0) &&
                     core_.readers() == model_.holders(lock_mode::shared) &&
                     core_.has_waiters() == model_.has_waiters();
        for (std::size_t i = 0; i < size_; ++i) {
            const auto at = model_.at(i).at;
            const auto expected = at == standing::waiting   ? phase::waiting
                                  : at == standing::granted ? phase::granted
                                                            : phase::idle;
            equal = equal && clients_[i].current_phase() == expected;
        }
        return equal;
    }

    naive_lock model_;
    shared_mutex_core core_;
    std::unique_ptr<client[]> clients_;
    std::size_t size_;
};

struct step {
    std::size_t who;
    verb what;
};

std::string described(const std::vector<step>& steps) {
    static constexpr std::array<const char*, verbs> names{
        "try_shared",      "try_exclusive", "wait_shared", "wait_exclusive", "adopt_shared",
        "adopt_exclusive", "cancel",        "deliver",     "pass_on",        "release"};
    std::string text;
    for (const step& s : steps) {
        text += ' ' + std::to_string(s.who) + ':' + names[static_cast<std::size_t>(s.what)];
    }
    return text;
}

/// The state after these steps, or nothing where the last one is not allowed.
std::optional<std::vector<std::size_t>> reached_by(const std::vector<step>& steps,
                                                   std::size_t clients) {
    compared_lock lock{clients};
    for (const step& s : steps) {
        if (!lock.allowed(s.who, s.what)) {
            return std::nullopt;
        }
        if (!lock.apply(s.who, s.what)) {
            BOOST_FAIL("core and model disagree after" << described(steps));
        }
    }
    return lock.state();
}

/// From every state that so many clients can bring the lock into, every allowed step. Each state is
/// reached by one of the shortest ways to it; returns how many there are.
std::size_t explore(std::size_t clients) {
    std::set<std::vector<std::size_t>> known;
    std::deque<std::vector<step>> open{{}};
    while (!open.empty()) {
        std::vector<step> steps = std::move(open.front());
        open.pop_front();
        for (std::size_t who = 0; who < clients; ++who) {
            for (int what = 0; what < verbs; ++what) {
                steps.push_back({who, static_cast<verb>(what)});
                const auto reached = reached_by(steps, clients);
                if (reached && known.insert(*reached).second) {
                    open.push_back(steps);
                }
                steps.pop_back();
            }
        }
    }
    return known.size();
}

} // namespace

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(shared_mutex_model)

BOOST_AUTO_TEST_CASE(every_step_from_every_state_agrees_with_the_model) {
    for (std::size_t clients = 1; clients <= 4; ++clients) {
        const std::size_t states = explore(clients);
        BOOST_TEST_MESSAGE(clients << " clients: " << states << " states");
    }
}

BOOST_AUTO_TEST_CASE(long_random_sequences_agree_with_the_model) {
    seeded_random random;
    for (int round = 0; round < 50; ++round) {
        const std::size_t clients = 1 + random.below(12);
        compared_lock lock{clients};
        std::vector<step> steps;
        for (int i = 0; i < 400; ++i) {
            const step next{random.below(clients), static_cast<verb>(random.below(verbs))};
            if (lock.allowed(next.who, next.what)) {
                steps.push_back(next);
                BOOST_REQUIRE_MESSAGE(lock.apply(next.who, next.what),
                                      "disagree after" << described(steps));
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
