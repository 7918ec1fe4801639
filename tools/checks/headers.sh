#!/usr/bin/env bash
# Every public header compiles on its own: `headers.sh ROOT` prints one line for each that does not,
# and as its last line "PASSED FAILED". CXX and MUSTER_JOBS are honoured.
set -uo pipefail
cd "$1" || exit 2

compile_alone() {
    local log
    log=$("${CXX:-g++}" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Iinclude \
        -include "$1" -x c++ /dev/null 2>&1) && printf 'ok\n' && return
    printf 'not on its own: %s\n%s\n' "$1" "$(head -n 8 <<<"$log")"
}
export -f compile_alone

results=$(find include -name '*.hpp' -print0 | sort -z |
    xargs -0 -r -n 1 -P "${MUSTER_JOBS:-2}" bash -c 'compile_alone "$1"' _)
grep -vx ok <<<"$results"
good=$(grep -cx ok <<<"$results")
bad=$(grep -c '^not on its own' <<<"$results")
printf '%d %d\n' "$good" "$bad"
[ "$good" -gt 0 ] && [ "$bad" -eq 0 ]
