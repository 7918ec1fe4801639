#pragma once

#include <muster/detail/single_threaded.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace muster {

namespace detail {

/// The characters of one id, behind the header in the same block, filled up with zeros to whole
/// words; shared by everything that names the session.
struct id_block {
    std::atomic<std::uint32_t> references{1}; // of who makes it
    std::uint32_t length;
    std::size_t hash;

    [[nodiscard]] const char* characters() const noexcept {
        return reinterpret_cast<const char*>(this + 1);
    }
    /// A look-up compares two short ids: a call of memcmp would cost more than all else.
    [[nodiscard]] bool has_characters_of(const id_block& other) const noexcept {
        if (length != other.length) {
            return false;
        }
        for (std::size_t at = 0; at < length; at += sizeof(std::uint64_t)) {
            std::uint64_t mine = 0;
            std::uint64_t others = 0;
            std::memcpy(&mine, characters() + at, sizeof mine);
            std::memcpy(&others, other.characters() + at, sizeof others);
            if (mine != others) {
                return false;
            }
        }
        return true;
    }
};

inline void intrusive_ptr_add_ref(id_block* block) noexcept {
    fetch_add(block->references, std::uint32_t{1}, std::memory_order_relaxed);
}

void intrusive_ptr_release(id_block* block) noexcept;

} // namespace detail

/// The name of a session: 1 to 256 bytes, no NUL. Immutable and shared, so that a copy costs one
/// reference count.
///
/// Thread safety: as `std::shared_ptr`; distinct objects may be used concurrently even if they name
/// the same session.
class session_id {
public:
    static constexpr std::size_t max_size = 256;

    /// Throws `error{errc::configuration}` if `text` is empty, longer than `max_size`, or contains
    /// a NUL byte.
    session_id(std::string_view text);
    session_id(const char* text) : session_id{std::string_view{text}} {}
    session_id(const std::string& text) : session_id{std::string_view{text}} {}
    session_id(std::nullptr_t) = delete;

    [[nodiscard]] std::string_view view() const noexcept {
        return {block_->characters(), block_->length};
    }
    [[nodiscard]] std::string str() const { return std::string{view()}; }
    [[nodiscard]] std::size_t hash() const noexcept { return block_->hash; }

    friend bool operator==(const session_id& a, const session_id& b) noexcept {
        return a.block_ == b.block_ ||
               (a.hash() == b.hash() && a.block_->has_characters_of(*b.block_));
    }
    friend std::strong_ordering operator<=>(const session_id& a, const session_id& b) noexcept {
        return a.view() <=> b.view();
    }
    friend std::ostream& operator<<(std::ostream& out, const session_id& id) {
        return out << id.view();
    }

private:
    boost::intrusive_ptr<detail::id_block> block_;
};

} // namespace muster

template <>
struct std::hash<muster::session_id> {
    std::size_t operator()(const muster::session_id& id) const noexcept { return id.hash(); }
};
