#include "../../lib/backend/guardian_link.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/test/unit_test.hpp>

#include <fcntl.h>

#include <filesystem>
#include <set>
#include <string>

namespace {

using namespace muster;
using detail::unique_fd;
namespace asio = boost::asio;
namespace fs = std::filesystem;

/// The open descriptors whose link in /proc contains `what`.
std::set<int> descriptors(const std::string& what) {
    std::set<int> found;
    for (const auto& entry : fs::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone; // the iterator's own
        if (fs::read_symlink(entry, gone).string().find(what) != std::string::npos) {
            found.insert(std::stoi(entry.path().filename()));
        }
    }
    return found;
}

/// Makes the context refuse every descriptor from now on.
void break_reactor(asio::io_context& context, const std::set<int>& others) {
    const asio::posix::stream_descriptor makes_it{context};
    const unique_fd none{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    for (const int each : descriptors("eventpoll")) {
        if (others.count(each) == 0) {
            BOOST_REQUIRE(::dup2(none.get(), each) == each);
        }
    }
}

BOOST_AUTO_TEST_SUITE(backend)
BOOST_AUTO_TEST_SUITE(guardian_start)

BOOST_AUTO_TEST_CASE(a_socket_that_the_context_refuses_is_closed) {
    const auto others = descriptors("eventpoll");
    asio::io_context context;
    break_reactor(context, others);
    const auto before = descriptors("socket:");
    BOOST_CHECK_THROW(detail::guardian_link{context}, boost::system::system_error);
    BOOST_TEST((descriptors("socket:") == before));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
