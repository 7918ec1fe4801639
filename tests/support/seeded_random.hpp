#pragma once

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace muster::test {

/// Randomness that a failure can be replayed from: the seed is printed into the test's output, and
/// the environment variable MUSTER_TEST_SEED sets it.
class seeded_random {
public:
    using result_type = std::mt19937_64::result_type;

    seeded_random() : seeded_random{choose_seed()} {}
    explicit seeded_random(std::uint64_t seed) : seed_{seed}, engine_{seed} {
        BOOST_TEST_MESSAGE("seed: MUSTER_TEST_SEED=" << seed_);
    }

    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

    /// A uniform value in [0, bound); `bound` is at least 1.
    std::uint64_t below(std::uint64_t bound) {
        return std::uniform_int_distribution<std::uint64_t>{0, bound - 1}(engine_);
    }
    /// A uniform value in [first, last].
    std::int64_t between(std::int64_t first, std::int64_t last) {
        return std::uniform_int_distribution<std::int64_t>{first, last}(engine_);
    }
    /// True `hits` times out of `tries`.
    bool chance(std::uint64_t hits, std::uint64_t tries) { return below(tries) < hits; }

    static constexpr result_type min() { return std::mt19937_64::min(); }
    static constexpr result_type max() { return std::mt19937_64::max(); }
    result_type operator()() { return engine_(); }

private:
    static std::uint64_t choose_seed() {
        if (const char* fixed = std::getenv("MUSTER_TEST_SEED")) {
            return std::stoull(fixed);
        }
        std::random_device device;
        return (std::uint64_t{device()} << 32) | device();
    }

    std::uint64_t seed_;
    std::mt19937_64 engine_;
};

} // namespace muster::test
