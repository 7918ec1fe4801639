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

/// All paths, or the one of that name.
path_list paths(std::string_view only) {
    path_list found;
    add_channel_paths(found);
    add_receive_paths(found);
    add_event_paths(found);
    add_checkpoint_paths(found);
    add_lock_paths(found);
    add_timer_paths(found);
    add_lifecycle_paths(found);
    if (!only.empty()) {
        std::erase_if(found, [&](const hot_path& each) { return each.name != only; });
    }
    return found;
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
#if defined(NDEBUG) && defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) &&                  \
    !defined(__SANITIZE_THREAD__)
    print("build", "release");
#else
    print("build", "debug");
#endif
}

/// Two lengths, so that what a run costs besides its operations drops out of the difference.
void count_instructions(std::string_view only) {
    stop_counting();
    for (const auto& path : paths(only)) {
        const auto subject = path.make();
        subject->run(warm_up);
        muster_guards_measured(*subject, short_run);
        muster_guards_measured(*subject, long_run);
        print(path.name, path.operation);
    }
    print("operations", std::to_string(long_run - short_run));
}

void count_allocations(std::string_view only) {
    for (const auto& path : paths(only)) {
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
    std::printf("site\t%.4f\t%llu", static_cast<double>(blocks) / static_cast<double>(operations),
                static_cast<unsigned long long>(site.size));
    for (const void* caller : site.callers) {
        if (caller != nullptr) {
            std::printf("\t%td", static_cast<const char*>(caller) - &__executable_start);
        }
    }
    std::printf("\n");
}

void show_allocations(std::string_view only) {
    for (const auto& path : paths(only)) {
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

void count_bytes(std::string_view which, std::size_t sessions, bool sites) {
    const auto found = measure_session_memory(sessions, which == "session.with_subscriber", sites);
    std::printf("heap\t%.2f\nblocks\t%.2f\nresident\t%.2f\n", found.heap_bytes, found.blocks,
                found.resident_bytes);
    for (const auto& site : found.sites) {
        print_site(site, site.alive, sessions);
    }
}

int run(std::string_view what, std::string_view which) {
    if (what == "describe") {
        describe();
    } else if (what == "instructions") {
        count_instructions(which);
    } else if (what == "allocations") {
        count_allocations(which);
    } else if (what == "allocation-sites") {
        show_allocations(which);
    } else if (what == "bytes") {
        count_bytes(which, 100'000, false);
    } else if (what == "byte-sites") {
        count_bytes(which, 10'000, true);
    } else {
        std::fputs("muster-guards: this is run by perf/guards/guard.py; see its --help\n", stderr);
        return 2;
    }
    return 0;
}

} // namespace
} // namespace muster::guards

int main(int argc, char** argv) {
    try {
        return muster::guards::run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
    } catch (const std::exception& e) {
        std::fprintf(stderr, "muster-guards: %s\n", e.what());
        return 1;
    }
}
