#pragma once

#include "runtime_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace muster::test {

using deliveries = std::vector<event_delivery>;

/// Sessions that say what the test tells them to.
class listening_fixture : public runtime_fixture {
public:
    explicit listening_fixture(runtime_options options = {})
        : runtime_fixture{script{}.idle(), std::move(options)} {}

    void say(const char* id, event value) { backend->push(id, std::move(value)); }
    /// `count` outputs of two bytes.
    void print(const char* id, int count) {
        for (int i = 0; i < count; ++i) {
            say(id, event{output{"xy"}});
        }
        settle();
    }
    session_subscription listen(const char* id, subscribe_options options = subscribe_options{}) {
        return wait(subject->subscribe(id, std::move(options)));
    }
};

inline subscribe_options from(start_position start) {
    return subscribe_options{"reader", 1024, start};
}

inline runtime_options keeping(std::uint64_t events) {
    runtime_options options;
    options.session_retention = retention{events};
    options.global_retention = retention{events};
    return options;
}

/// Every subscriber sees strictly increasing sequences, whatever else happens.
inline void require_increasing(const deliveries& got) {
    std::uint64_t last = 0;
    for (const auto& each : got) {
        BOOST_TEST(each.sequence > last);
        BOOST_TEST(each.sequence == each.value.sequence());
        last = each.sequence;
    }
}

inline std::string kinds(const deliveries& got) {
    std::string shown;
    for (const auto& each : got) {
        shown += std::string{to_string(each.value.kind())} + " ";
    }
    return shown;
}

inline std::ptrdiff_t count_of(const deliveries& got, event_kind kind) {
    return std::count_if(got.begin(), got.end(),
                         [&](const auto& each) { return each.value.kind() == kind; });
}

} // namespace muster::test
