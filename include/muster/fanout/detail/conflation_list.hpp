#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace muster::detail::fanout {

template <typename T>
struct conflation_node;

/// Who must be told that a key is given up: a channel (which locks), or a bare log's owner.
template <typename T>
class conflation_home {
public:
    virtual void retire(conflation_node<T>& node) noexcept = 0;

protected:
    ~conflation_home() = default;
};

/// A place in the list: a key's latest value, or a reader's bookmark.
struct conflation_link {
    conflation_link* next = nullptr;
    conflation_link* previous = nullptr;
    bool bookmark = false;

    conflation_link() noexcept {} // not an aggregate: its padding may be used

    [[nodiscard]] bool linked() const noexcept { return next != nullptr; }
};

/// A key's latest value. Owned by its slot until retired, then by the log.
template <typename T>
struct conflation_node : conflation_link {
    conflation_home<T>* home = nullptr;
    conflation_node* retired_next = nullptr;
    std::uint64_t index = 0; ///< of the latest value's event
    std::uint64_t sequence = 0;
    std::uint64_t sequence_before = 0; ///< of the event before it
    std::uint64_t sequence_after = 0;  ///< of the event after it, once there is one
    std::uint64_t weight = 0;
    std::uint64_t weight_through = 0;
    bool retired = false;
    std::optional<T> value;
};

/// Latest values in the order of their events: an update moves its node to the end, nothing is ever
/// inserted in between, so a bookmark stays where it was put. All operations are O(1).
class conflation_list {
public:
    conflation_list() noexcept { end_.next = end_.previous = &end_; }
    conflation_list(const conflation_list&) = delete;
    conflation_list& operator=(const conflation_list&) = delete;

    [[nodiscard]] bool empty() const noexcept { return end_.next == &end_; }
    [[nodiscard]] const conflation_link* end() const noexcept { return &end_; }
    [[nodiscard]] conflation_link* front() const noexcept { return end_.next; }
    [[nodiscard]] conflation_link* back() const noexcept { return end_.previous; }

    void push_back(conflation_link& link) noexcept { insert_before(end_, link); }
    void insert_before(conflation_link& place, conflation_link& link) noexcept {
        link.next = &place;
        link.previous = place.previous;
        place.previous->next = &link;
        place.previous = &link;
    }
    static void unlink(conflation_link& link) noexcept {
        if (link.linked()) {
            link.previous->next = link.next;
            link.next->previous = link.previous;
            link.next = link.previous = nullptr;
        }
    }

private:
    conflation_link end_;
};

} // namespace muster::detail::fanout
