#include <muster/backend/backend.hpp>
#include <muster/error.hpp>

namespace muster {
namespace {

[[noreturn]] void reject(const session_id& id, const char* what) {
    throw error{errc::unsupported,
                "session '" + id.str() + "': its backend does not support " + what};
}

} // namespace

session_awaitable<> worker::run(event_sink&) {
    reject(id(), "running: its worker overrides neither run nor try_run");
    co_return;
}

bool worker::try_run(event_sink&) {
    return false;
}

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
