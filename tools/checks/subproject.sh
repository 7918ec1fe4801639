#!/usr/bin/env bash
# muster as a Meson subproject: `subproject.sh ROOT EXAMPLE.cpp` makes a project in a temporary
# directory whose subprojects/ holds a copy of the sources, builds the example against
# dependency('muster'), and runs it. Tests, benchmarks and tools must not be built there, assertions
# must be off, and the commit around it must not pass for muster's.
set -euo pipefail
root=$(realpath "$1")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

mkdir -p "$place/subprojects/muster"
(cd "$root" && git ls-files -z --cached --others --exclude-standard |
    xargs -0 cp --parents -t "$place/subprojects/muster")
cp "$2" "$place/consumer.cpp"
cat >"$place/meson.build" <<'MESON'
project('consumer', 'cpp', meson_version : '>= 1.0.1', default_options : ['cpp_std=c++20'])
muster_dep = dependency('muster', fallback : 'muster')
test('consumer', executable('consumer', 'consumer.cpp', dependencies : muster_dep))
MESON

cd "$place"
git init -q .
git add . && git -c user.name=consumer -c user.email=consumer@localhost commit -qm 'not muster'
meson setup build --buildtype=plain
ninja -C build -j "${MUSTER_JOBS:-2}"
meson test -C build --no-rebuild --print-errorlogs
if ! grep -q 'revision\[\] = "unknown"' build/subprojects/muster/lib/metrics/build_info.hpp; then
    echo "subproject: the library takes the revision of the project around it for its own"
    exit 1
fi
if grep -q __assert_fail <(nm -u build/subprojects/muster/lib/libmuster.so); then
    echo 'subproject: the library was built to be used, but with its assertions'
    exit 1
fi
if find build -name 'muster-tests*' -o -name 'muster-perf*' | grep -q .; then
    echo 'subproject: tests or tools were built without being asked for'
    exit 1
fi
echo 'subproject: built and ran as a subproject, and nothing else'
