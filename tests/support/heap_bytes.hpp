#pragma once

#include <cstddef>

#include <malloc.h>

namespace muster::test {

/// Bytes that malloc has given out and not got back. Not what is resident: the system takes and
/// returns pages as it likes. Always the same under a sanitizer that brings its own malloc.
inline std::size_t heap_bytes() {
    const auto heap = ::mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

} // namespace muster::test
