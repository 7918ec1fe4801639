#include <muster/detail/ref_counter.hpp>
#include <muster/error.hpp>
#include <muster/session/session_id.hpp>

#include <cstring>
#include <new>

namespace muster {
namespace {

void check(std::string_view text) {
    if (text.empty()) {
        throw error{errc::configuration,
                    "a session id must not be empty: give it at least one byte"};
    }
    if (text.size() > session_id::max_size) {
        throw error{errc::configuration, "session id '" + std::string{text.substr(0, 32)} +
                                             "…' has " + std::to_string(text.size()) +
                                             " bytes: shorten it to at most " +
                                             std::to_string(session_id::max_size)};
    }
    if (text.find('\0') != std::string_view::npos) {
        throw error{errc::configuration, "session id '" +
                                             std::string{text.substr(0, text.find('\0'))} +
                                             "' contains a NUL byte: remove it"};
    }
}

detail::id_block* make_block(std::string_view text) {
    constexpr std::size_t word = sizeof(std::uint64_t);
    const std::size_t padded = (text.size() + word - 1) / word * word;
    void* memory = ::operator new(sizeof(detail::id_block) + padded);
    auto* block = new (memory) detail::id_block{
        .references = 1,
        .length = static_cast<std::uint32_t>(text.size()),
        .hash = std::hash<std::string_view>{}(text),
    };
    auto* characters = static_cast<char*>(static_cast<void*>(block + 1));
    std::memcpy(characters, text.data(), text.size());
    std::memset(characters + text.size(), 0, padded - text.size());
    return block;
}

} // namespace

void detail::intrusive_ptr_release(id_block* block) noexcept {
    if (drop_reference(block->references)) {
        block->~id_block();
        ::operator delete(block);
    }
}

session_id::session_id(std::string_view text) : block_{(check(text), make_block(text)), false} {}

} // namespace muster
