// The fan-out channel's readers: events published in a handler, taken by coroutines.

#include "guards/rig.hpp"

#include <muster/fanout/broadcast.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdint>
#include <vector>

namespace muster::guards {
namespace {

using channel = broadcast<std::uint64_t>;
using reader = channel::subscription_type;

/// Every round publishes `Burst` events, and ends when each of `Readers` has taken them all.
template <std::size_t Burst, std::size_t Readers>
class receive_rig : public round_rig {
protected:
    receive_rig() : round_rig{Burst * Readers} {
        for (std::size_t i = 0; i < Readers; ++i) {
            readers_.push_back(channel_.subscribe(subscribe_options{256}));
        }
    }

    template <typename Work>
    void start(Work work) {
        for (auto& each : readers_) {
            asio::co_spawn(context_, work(each), asio::detached);
        }
    }
    void taken(std::size_t events) {
        missing_ -= events;
        if (missing_ == 0) {
            round_done();
        }
    }

    std::vector<reader> readers_;

private:
    void start_round() override {
        missing_ = Burst * Readers;
        for (std::size_t i = 0; i < Burst; ++i) {
            channel_.publish(++number_);
        }
        published();
    }
    virtual void published() {}

    channel channel_{context_.get_executor()};
    std::uint64_t number_ = 0;
    std::size_t missing_ = 0;
};

template <std::size_t Burst, std::size_t Readers>
class receive_batches final : public receive_rig<Burst, Readers> {
public:
    receive_batches() {
        this->start([this](reader& from) { return read(from); });
    }

private:
    asio::awaitable<void> read(reader& from) {
        for (;;) {
            const auto batch = co_await from.async_receive_batch(asio::use_awaitable);
            this->taken(batch.size());
        }
    }
};

template <std::size_t Burst, std::size_t Readers>
class receive_singles final : public receive_rig<Burst, Readers> {
public:
    receive_singles() {
        this->start([this](reader& from) { return read(from); });
    }

private:
    asio::awaitable<void> read(reader& from) {
        for (;;) {
            const auto event = co_await from.async_receive(asio::use_awaitable);
            this->taken(event.sequence != 0 ? 1 : 0);
        }
    }
};

class try_receive final : public receive_rig<32, 1> {
private:
    void published() override {
        boost::system::error_code ec;
        std::size_t events = 0;
        while (readers_.front().try_receive(ec).sequence != 0) {
            ++events;
        }
        taken(events);
    }
};

} // namespace

void add_receive_paths(path_list& paths) {
    paths.push_back(
        {"channel.receive_batch",
         "an event of a burst of 32, delivered to one of 8 readers by co_await of batches",
         make_rig<receive_batches<32, 8>>});
    paths.push_back(
        {"channel.receive_burst",
         "an event of a burst of 32, delivered to one of 8 readers by co_await, one by one",
         make_rig<receive_singles<32, 8>>});
    paths.push_back({"channel.receive_single",
                     "one event at a time, delivered to one of 64 sleeping readers by co_await",
                     make_rig<receive_singles<1, 64>>});
    paths.push_back({"channel.try_receive", "an event of a burst of 32, published and taken",
                     make_rig<try_receive>});
}

} // namespace muster::guards
