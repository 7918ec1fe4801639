#include <muster/sync/light_strand.hpp>

#include "destroy_after.hpp"
#include "handler_probe.hpp"
#include "manual_loop.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

namespace {

/// A destructor that does something, for handlers that die unrun.
class at_end {
public:
    explicit at_end(std::function<void()> action) : action_{std::move(action)} {}
    at_end(at_end&& other) noexcept : action_{std::exchange(other.action_, nullptr)} {}
    at_end& operator=(at_end&&) = delete;
    ~at_end() {
        if (action_) {
            action_();
        }
    }

private:
    std::function<void()> action_;
};

class counted_state final : public light_strand_state {
public:
    counted_state(manual_loop& loop, int& disposals)
        : light_strand_state{loop.get_executor()}, disposals_{disposals} {}

private:
    void dispose() noexcept override {
        ++disposals_;
        delete this;
    }
    int& disposals_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(light_strand_lifetime)

BOOST_AUTO_TEST_CASE(an_embedded_state_lives_until_handles_and_functions_are_gone) {
    int disposals = 0;
    {
        manual_loop loop;
        std::optional<light_strand> strand{*new counted_state{loop, disposals}};
        strand->post([] {});
        strand.reset();
        BOOST_TEST(disposals == 0);
        loop.run_until_idle();
        BOOST_TEST(disposals == 1);

        strand.emplace(*new counted_state{loop, disposals});
        strand->post([&] { strand.reset(); }); // the last handle goes inside the strand
        loop.run_until_idle();
        BOOST_TEST(disposals == 2);

        strand.emplace(*new counted_state{loop, disposals});
        asio::post(loop.context(), [&] { strand->execute([&] { strand.reset(); }); });
        loop.run_until_idle();
        BOOST_TEST(disposals == 3);

        strand.emplace(*new counted_state{loop, disposals});
        strand->post([] {});
        strand.reset();
    }
    BOOST_TEST(disposals == 4);
}

BOOST_AUTO_TEST_CASE(a_dying_context_destroys_queued_functions_without_running_them) {
    handler_probe<> probe;
    {
        manual_loop loop;
        light_strand strand{loop.context()};
        for (int i = 0; i < 20; ++i) {
            asio::post(strand, [handler = probe.handler()]() mutable { handler({}); });
        }
        loop.run_one();
    }
    BOOST_TEST(probe.calls() == std::size_t{light_strand_state::run_budget});
    BOOST_TEST(probe.abandoned() == 20U - light_strand_state::run_budget);
}

BOOST_AUTO_TEST_CASE(what_dying_functions_post_dies_too) {
    int ran = 0;
    int ended = 0;
    {
        manual_loop loop;
        light_strand strand{loop.context()};
        light_strand other{loop.context()};
        const auto repost = [&, strand, other] {
            ++ended;
            asio::dispatch(strand, [&, end = at_end{[&] {
                                           ++ended;
                                       }}] { ++ran; });
            asio::post(other, [&, end = at_end{[&] {
                                      ++ended;
                                  }}] { ++ran; });
        };
        asio::post(strand, [end = at_end{repost}] {});
        asio::post(strand, [end = at_end{repost}] {});
    }
    BOOST_TEST(ran == 0);
    BOOST_TEST(ended == 6);
}

BOOST_AUTO_TEST_CASE(functions_may_own_the_strand_they_wait_in) {
    const auto setup = [](manual_loop& loop) {
        auto strand = std::make_shared<light_strand>(loop.context());
        for (int i = 0; i < 20; ++i) {
            strand->post([strand] { strand->post([strand] {}); });
        }
        return 0;
    };
    BOOST_TEST(destroy_after_every_nth_handler(setup) > 3U);
    BOOST_TEST(destroy_after_every_nth_handler(setup, destroy_order::context_first) > 3U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
