// The fan-out channel alone: what publishing costs while nobody reads.

#include "guards/rig.hpp"

#include <muster/fanout/broadcast.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <cstdint>

namespace muster::guards {
namespace {

class publish_number final : public rig {
public:
    void run(std::size_t operations) override {
        for (std::size_t i = 0; i < operations; ++i) {
            channel_.publish(++number_);
        }
    }

private:
    asio::io_context context_{1};
    broadcast<std::uint64_t> channel_{context_.get_executor()};
    broadcast<std::uint64_t>::subscription_type idle_ = channel_.subscribe(subscribe_options{256});
    std::uint64_t number_ = 0;
};

/// What the runtime's channel carries: a pointer to a record that gets its number on the way.
struct numbered_record : boost::intrusive_ref_counter<numbered_record, boost::thread_safe_counter> {
    std::uint64_t sequence = 0;
};
using record_ptr = boost::intrusive_ptr<numbered_record>;

class publish_record final : public rig {
public:
    void run(std::size_t operations) override {
        for (std::size_t i = 0; i < operations; ++i) {
            channel_.publish_stamped(
                record_, [&](std::uint64_t sequence) { record_->sequence = sequence; }, 32);
        }
    }

private:
    asio::io_context context_{1};
    broadcast<record_ptr> channel_{context_.get_executor()};
    broadcast<record_ptr>::subscription_type idle_ = channel_.subscribe(subscribe_options{256});
    record_ptr record_{new numbered_record};
};

} // namespace

void add_channel_paths(path_list& paths) {
    paths.push_back(
        {"channel.publish", "a number published to an idle subscriber", make_rig<publish_number>});
    paths.push_back({"channel.publish_stamped",
                     "a shared record published and numbered, to an idle subscriber",
                     make_rig<publish_record>});
}

} // namespace muster::guards
