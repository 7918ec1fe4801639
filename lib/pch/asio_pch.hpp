// Precompiled once per target: the headers that nearly every translation unit needs and that cost
// the most.
#ifndef MUSTER_ASIO_PCH_HPP
#define MUSTER_ASIO_PCH_HPP

#include <boost/asio.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>
#endif
