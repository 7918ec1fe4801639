#include <muster/runtime/subscription_account.hpp>

#include <string>

namespace muster::detail {

envelope truncation_marker(const gap& missing, const envelope& next) {
    event notice{output{output_stream::standard_error, "[muster] output truncated: dropped " +
                                                           std::to_string(missing.events) +
                                                           " events due to stream pressure\n"}};
    return envelope{std::move(notice), next.session(), missing.first_sequence, next.received()};
}

} // namespace muster::detail
