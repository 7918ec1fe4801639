// Runs the hot paths and counts; perf/guards/guard.py reads what it prints, a line for each figure
// with tabs between its fields, and judges.

#include "guards/allocations.hpp"
#include "guards/memory.hpp"
#include "guards/rig.hpp"

#include <muster/metrics/clock.hpp>

#include <boost/version.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

extern "C" const char __executable_start; // by the linker

namespace muster::guards {

namespace {

constexpr std::size_t warm_up = rig::quantum;
constexpr std::size_t short_run = rig::quantum;
constexpr std::size_t long_run = 2 * rig::quantum;

path_list all_paths() {
    path_list paths;
    add_channel_paths(paths);
    add_receive_paths(paths);
    add_event_paths(paths);
    add_checkpoint_paths(paths);
    add_lock_paths(paths);
    add_timer_paths(paths);
    add_lifecycle_paths(paths);
    return paths;
}

int print(std::string_view name, std::string_view value) {
    return std::printf("%.*s\t%.*s\n", static_cast<int>(name.size()), name.data(),
                       static_cast<int>(value.size()), value.data());
}

/// What the figures depend on, besides the sources.
void describe() {
#if defined(__clang__)
    print("compiler", "clang-" + std::to_string(__clang_major__));
#else
    print("compiler", "g++-" + std::to_string(__GNUC__));
#endif
    print("boost", std::to_string(BOOST_VERSION / 100'000) + "." +
                       std::to_string(BOOST_VERSION / 100 % 1'000));
    print("clock", tick_clock{}.source());
}

/// Two lengths, so that what a run costs besides its operations drops out of the difference.
void count_instructions() {
    for (const auto& path : all_paths()) {
        const auto subject = path.make();
        subject->run(warm_up);
        muster_guards_measured(*subject, short_run);
        muster_guards_measured(*subject, long_run);
        print(path.name, path.operation);
    }
    print("operations", std::to_string(long_run - short_run));
}

void count_allocations() {
    for (const auto& path : all_paths()) {
        const auto subject = path.make();
        subject->run(warm_up);
        const auto start = allocated();
        subject->run(short_run);
        const auto middle = allocated();
        subject->run(long_run);
        const auto end = allocated();
        const auto shorter = middle.allocations - start.allocations;
        const auto longer = end.allocations - middle.allocations;
        const auto difference = static_cast<double>(longer) - static_cast<double>(shorter);
        print(path.name, std::to_string(difference / static_cast<double>(long_run - short_run)));
    }
}

/// Callers as offsets into the program, as its symbol table has them.
void print_site(const allocation_site& site, std::uint64_t blocks, std::size_t operations) {
    std::printf("site\t%.4f\t%llu",
                static_cast<double>(blocks) / static_cast<double>(operations),
                static_cast<unsigned long long>(site.size));
    for (const void* caller : site.callers) {
        if (caller != nullptr) {
            std::printf("\t%td", static_cast<const char*>(caller) - &__executable_start);
        }
    }
    std::printf("\n");
}

void show_allocations() {
    for (const auto& path : all_paths()) {
        const auto subject = path.make();
        subject->run(warm_up);
        record_sites();
        subject->run(long_run);
        print(path.name, path.operation);
        for (const auto& site : recorded_sites()) {
            print_site(site, site.made, long_run);
        }
    }
}

void count_bytes(std::size_t sessions, bool sites) {
    for (const bool subscribed : {false, true}) {
        const auto found = measure_session_memory(sessions, subscribed, sites);
        std::printf("%s\t%.2f\t%.2f\t%.2f\n",
                    subscribed ? "session.with_subscriber" : "session.idle", found.heap_bytes,
                    found.blocks, found.resident_bytes);
        for (const auto& site : found.sites) {
            print_site(site, site.alive, sessions);
        }
    }
}

int run(std::string_view what) {
    if (what == "describe") {
        describe();
    } else if (what == "instructions") {
        count_instructions();
    } else if (what == "allocations") {
        count_allocations();
    } else if (what == "bytes") {
        count_bytes(100'000, false);
    } else if (what == "allocation-sites") {
        show_allocations();
    } else if (what == "bytes-sites") {
        count_bytes(10'000, true);
    } else {
        std::fputs("muster-guards: give one of describe, instructions, allocations, bytes, sites\n",
                   stderr);
        return 2;
    }
    return 0;
}

} // namespace
} // namespace muster::guards

int main(int argc, char** argv) {
    try {
        return muster::guards::run(argc == 2 ? argv[1] : "");
    } catch (const std::exception& e) {
        std::fprintf(stderr, "muster-guards: %s\n", e.what());
        return 1;
    }
}
