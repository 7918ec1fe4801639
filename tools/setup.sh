# Sourced by tools/run, tools/test and .ci/run: packages, compilers and build directories.
# shellcheck shell=bash

set -euo pipefail
called_from=$PWD
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

readonly build_packages=(g++ meson ninja-build pkg-config python3
    libboost1.81-dev libboost-test1.81-dev nlohmann-json3-dev libcli11-dev)
readonly test_packages=("${build_packages[@]}" clang-19 libclang-rt-19-dev)
readonly guard_packages=("${build_packages[@]}" valgrind)
readonly check_packages=("${test_packages[@]}" git clang-format-14 clang-tidy-14 python3-jsonschema
    valgrind)

# One for each processor, as far as there are 2 GB of memory for each.
usual_jobs() {
    local processors by_memory
    processors=$(nproc)
    by_memory=$(($(getconf _PHYS_PAGES) * $(getconf PAGE_SIZE) / 2000000000))
    [ "$by_memory" -gt 0 ] || by_memory=1
    printf '%d\n' "$((processors < by_memory ? processors : by_memory))"
}
jobs=${MUSTER_JOBS:-$(usual_jobs)}

# Lets a second build of the same sources come from ccache, where that is installed.
export CCACHE_SLOPPINESS=pch_defines,time_macros

# The comment at the top of a script.
usage() { sed -n '2,/^\. /{/^#/s/^# \{0,1\}//p}' "$top/tools/$1"; }

say() { printf '\n== %s\n' "$*" >&2; }
fail() {
    printf 'muster: %s\n' "$*" >&2
    exit "${failure_code:-1}"
}

# --- packages ------------------------------------------------------------------------------------

missing_packages() {
    local have
    have=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        awk '$2 == "installed" { print $1 }') || true
    printf '%s\n' "$@" | grep -vxF -e "${have:-none}" || true
}

# Whether the compiler finds a Boost that is new enough, and Boost.Test, wherever they come from.
has_boost() {
    local root=${BOOST_ROOT:-/usr/local}
    mkdir -p build 2>/dev/null && "${CXX:-g++}" -shared -o build/has-boost \
        "-I$root/include" "-L$root/lib" -x c++ - -lboost_unit_test_framework 2>/dev/null <<'CPP'
#include <boost/version.hpp>
#if BOOST_VERSION < 108100
#error too old
#endif
CPP
}

candidate() {
    apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# as_here NAME...: where the archive has no Boost 1.81 by name, its own, if that is as new.
as_here() {
    if [ -z "$(candidate libboost1.81-dev)" ] &&
        printf '%s\n' 1.81 "$(candidate libboost-dev)" | sort -VC; then
        printf '%s\n' "$@" | sed '/^libboost/s/1\.81//'
    else
        printf '%s\n' "$@"
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

may_install() {
    [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# Never removes a package: an older Boost that something else needs is a reason to stop and say so.
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        -o Acquire::Retries=3 -qq -y "$@" >&2
}

# need_packages NAME...: installs what is missing; the second time this is one query of dpkg.
need_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        need_commands
        return
    fi
    mapfile -t missing < <(missing_packages "$@")
    if [[ ${missing[*]} == *libboost* ]] && has_boost; then
        mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -v '^libboost')
    fi
    [ "${#missing[@]}" -gt 0 ] || return 0
    mapfile -t missing < <(as_here "${missing[@]}")
    may_install || fail "some packages are missing, and this is neither root nor a user who may" \
        "use sudo without a password. Install them, then try again:"$'\n\n' \
        "   sudo apt-get install ${missing[*]}"$'\n'
    install_packages "${missing[@]}"
}

install_packages() {
    local names=("$@") reason="Muster needs Debian 12 or newer."
    say "installing ${names[*]}"
    apt update || fail "the package lists could not be fetched. Check the network (or a proxy in" \
        "/etc/apt/apt.conf.d), then try again, or install by hand:"$'\n\n' \
        "   apt-get install ${names[*]}"$'\n'
    # Before this the lists may have been empty.
    mapfile -t names < <(as_here "$@")
    if [[ ${names[*]} == *libboost*1.81* ]] && [ -z "$(candidate libboost1.81-dev)" ]; then
        reason="The archive has no Boost 1.81 or newer: install one by hand, with Boost.Test, and"
        reason+=" have the environment variable BOOST_ROOT name it."
    fi
    apt install --no-install-recommends --no-remove "${names[@]}" ||
        fail "the packages could not be installed; what apt-get says stands above. $reason" \
            "To see it in full:"$'\n\n'"    apt-get install ${names[*]}"$'\n'
}

# want_packages NAME...: as need_packages, but where that is not possible it says so and goes on.
want_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        return 0
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if may_install; then
        say "installing ${missing[*]}"
        apt update && apt install --no-install-recommends --no-remove "${missing[@]}" && return 0
    fi
    say "going on without ${missing[*]}; to have what needs them: apt-get install ${missing[*]}"
}

# On another distribution nothing is installed, only named; Meson names the libraries.
need_commands() {
    local tool missing=()
    for tool in meson ninja pkg-config python3; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    command -v "${CXX:-g++}" >/dev/null || missing+=("${CXX:-g++} (12 or newer)")
    [ "${#missing[@]}" -eq 0 ] ||
        fail "this is not Debian, so nothing is installed. Please install: ${missing[*]}," \
            "Boost 1.81 or newer with Boost.Test, nlohmann_json 3.11, CLI11 2.1."
}

# The first clang that knows C++20 coroutines and has the runtime of its sanitizers; empty where
# there is none.
find_clang() {
    local name
    for name in clang++-{19,18,17,16,15,20,21} clang++; do
        if command -v "$name" >/dev/null && [ "$("$name" -dumpversion | cut -d. -f1)" -ge 15 ] &&
            "$name" -fsanitize=thread,undefined -x c++ -o /dev/null - <<<'int main() {}' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
}

# --- build directories ---------------------------------------------------------------------------

# configure NAME OPTION...: build/NAME with these options; set up again only when they change.
# CXX chooses the compiler.
configure() {
    local name=$1 dir=build/$1 wanted
    shift
    wanted="${CXX:-default} $top $*"
    if [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/.configured" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    if [ ! -f "$dir/.configured" ] && [ -n "$(ls -A "$dir" 2>/dev/null)" ]; then
        fail "$dir was not set up by this script, so it is left alone. Rename it, then try again."
    fi
    say "configuring $dir"
    # What was set up otherwise, or only in part, is not worth mending. Marked before anything else
    # and all the time, so that it is known as ours wherever this breaks off.
    mkdir -p "$dir"
    printf 'in part\n' >"$dir/.configured"
    find "$dir" -mindepth 1 ! -path "$dir/.configured" -delete
    meson setup "$dir" "$@" >"build/$name-setup.log" 2>&1 || {
        tail -n 25 "build/$name-setup.log" >&2
        fail "configuring failed; the whole log is build/$name-setup.log"
    }
    printf '%s\n' "$wanted" >"$dir/.configured"
}

# compile NAME TARGET...: shows ninja's progress; on failure its last words stay visible.
compile() {
    local name=$1
    shift
    say "building build/$name"
    ninja -C "build/$name" -j "$jobs" "$@" >&2 || return 1
}

# What a newer compiler warns of is no reason not to measure, but for MUSTER_WERROR=1, as in CI.
release_options=(--buildtype=release -Ddefault_library=static -Dtests=disabled
    -Dtools=enabled)
[ -z "${MUSTER_WERROR:-}" ] || release_options+=(--werror)
