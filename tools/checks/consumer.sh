#!/usr/bin/env bash
# What somebody who installed muster does: `consumer.sh ROOT EXAMPLE.cpp` installs it below
# build/installed, builds the example in a temporary directory through pkg-config, against the shared
# and against the static library, and runs both. CXX and MUSTER_JOBS are honoured.
set -euo pipefail
root=$(realpath "$1")
example=$(realpath "$2")
build=$root/build/package
prefix=$root/build/installed
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

[ -f "$build/build.ninja" ] || meson setup "$build" "$root" --prefix="$prefix" \
    --buildtype=plain -Ddefault_library=both -Dtests=disabled -Dperf=disabled -Dtools=disabled
ninja -C "$build" -j "${MUSTER_JOBS:-2}"
rm -rf "$prefix"
meson install -C "$build" --quiet --no-rebuild

library=$(dirname "$(find "$prefix" -name 'libmuster.so' -print -quit)")
export PKG_CONFIG_PATH=$library/pkgconfig
read -ra cflags < <(pkg-config --cflags muster)
read -ra libs < <(pkg-config --libs muster)
read -ra static_libs < <(pkg-config --libs --static muster)

complain() {
    echo "consumer: $*"
    exit 1
}
# A library of another minor version is another library, until 1.0.
version=$(pkg-config --modversion muster)
[ "${version%%.*}" != 0 ] ||
    grep -qF "[libmuster.so.${version%.*}]" <(readelf -d "$library/libmuster.so") ||
    complain "the library of $version is not called libmuster.so.${version%.*}"
# pkg-config leaves such a directory out itself; others that read the file do not.
! grep -qE -- '-I/usr/include( |$)' "$PKG_CONFIG_PATH/muster.pc" ||
    complain "muster.pc names a directory that every compiler looks into"
for schema in "$root"/tools/schema/*.json; do
    cmp "$schema" "$prefix/share/muster/schema/$(basename "$schema")" ||
        complain "the schemas of the documents are not installed"
done

cd "$place"
cp "$example" consumer.cpp

"${CXX:-g++}" -std=c++20 consumer.cpp -o shared "${cflags[@]}" "${libs[@]}"
LD_LIBRARY_PATH=$library timeout 60 ./shared

mkdir static-only
cp "$library/libmuster.a" static-only/
"${CXX:-g++}" -std=c++20 consumer.cpp -o static -Lstatic-only "${cflags[@]}" \
    "${static_libs[@]/#-L*/-Lstatic-only}"
timeout 60 ./static

# Its thread-local variables must fit into what the loader keeps for libraries that come late.
python3 -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$library/libmuster.so"
echo "consumer: built and ran $(basename "$example") through pkg-config, shared and static"
