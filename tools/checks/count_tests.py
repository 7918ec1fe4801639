#!/usr/bin/env python3
"""Counts test cases in Meson's testlog.json: `count_tests.py FILE` prints "PASSED FAILED".

A Boost.Test program tells its counts in the XML report that tools/test asks it for; any other
program is one test. A program that ended badly without telling of a failure (a crash, a sanitizer's
abort, a time-out) is one failure more; so is a log that is missing. What failed goes to stderr.
"""

import json
import re
import sys

REPORT = re.compile(r"<TestResult><TestSuite\s([^>]*)>")
COUNT = re.compile(r'test_cases_(\w+)="(\d+)"')
GOOD = {"OK", "EXPECTEDFAIL"}
IGNORED = {"SKIP"}


def counts_of(test):
    """The pair (passed, failed) of one test program."""
    if test["result"] in IGNORED:
        return 0, 0
    good = test["result"] in GOOD
    reports = REPORT.findall(test.get("stderr", "") + test.get("stdout", ""))
    if not reports:
        return (1, 0) if good else (0, 1)
    passed = failed = 0
    for report in reports:
        count = {name: int(value) for name, value in COUNT.findall(report)}
        passed += count.get("passed", 0)
        failed += count.get("failed", 0) + count.get("aborted", 0)
    return passed, failed if good else max(failed, 1)


def main(name):
    try:
        with open(name) as lines:
            tests = [json.loads(line) for line in lines if line.strip()]
    except OSError as problem:
        print(f"no test ran: {problem}", file=sys.stderr)
        print("0 1")
        return
    passed = failed = 0
    for test in tests:
        good, bad = counts_of(test)
        passed, failed = passed + good, failed + bad
        if bad:
            print(f"failed: {test['name']} ({test['result']})", file=sys.stderr)
    print(passed, failed)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
