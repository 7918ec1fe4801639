#!/usr/bin/env bash
# clang-tidy over lib/ with the repository's .clang-tidy: `tidy.sh ROOT` prints what it finds, and as
# its last line "PASSED FAILED", counted in files. MUSTER_JOBS is honoured.
set -uo pipefail
cd "$1" || exit 2

tidy_one() {
    local log
    log=$(clang-tidy-14 --quiet "$1" -- -std=c++20 -Iinclude -Ilib -Ibuild/release/lib/metrics -Wno-unknown-warning-option 2>/dev/null)
    if grep -qE '(warning|error):' <<<"$log"; then
        printf '%s\nuntidy: %s\n' "$log" "$1"
    else
        printf 'ok\n'
    fi
}
export -f tidy_one

results=$(git ls-files -z --cached --others --exclude-standard 'lib/*.cpp' |
    xargs -0 -r -n 1 -P "${MUSTER_JOBS:-2}" bash -c 'tidy_one "$1"' _)
grep -vx ok <<<"$results"
good=$(grep -cx ok <<<"$results")
bad=$(grep -c '^untidy: ' <<<"$results")
printf '%d %d\n' "$good" "$bad"
[ "$good" -gt 0 ] && [ "$bad" -eq 0 ]
