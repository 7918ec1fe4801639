#include <muster/backend/backend.hpp>
#include <muster/error.hpp>

namespace muster {
namespace {

[[noreturn]] void reject(const session_id& id, const char* what) {
    throw error{errc::unsupported,
                "session '" + id.str() + "': its backend does not support " + what};
}

} // namespace

bool worker::try_send_input(std::string_view) {
    return false;
}

session_awaitable<> worker::resize(terminal_size) {
    reject(id(), "resizing");
    co_return;
}

session_awaitable<> worker::respond(needs_input_response) {
    reject(id(), "responding to questions");
    co_return;
}

} // namespace muster
