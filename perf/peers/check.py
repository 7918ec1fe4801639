#!/usr/bin/env python3
"""Small runs of every workload on every peer given: exit codes, the line's shape, equal work.

  check.py EXECUTABLE...

An executable may be a command of several words: "muster-perf work".
"""
import json
import shlex
import subprocess
import sys

KEYS = ["schema", "schema_version", "peer", "workload", "params", "operations", "checksum",
        "wall_ns", "cpu_ns", "peak_rss_bytes", "figures"]

SMALL = {
    "channel_publish": [["--events", "5000"], ["--events", "5000", "--payload", "shared"]],
    "channel_publish_waiting": [["--events", "20", "--subscribers", "8"]],
    "channel_delivery": [
        ["--events", "400", "--burst", "40", "--subscribers", "3"],
        ["--events", "400", "--burst", "40", "--subscribers", "3", "--receive", "await"],
        ["--events", "50", "--burst", "1", "--subscribers", "5", "--payload", "shared"],
        ["--events", "400", "--burst", "40", "--subscribers", "3", "--threads", "2"],
        ["--events", "400", "--burst", "40", "--subscribers", "3", "--producers", "2"],
        ["--events", "400", "--burst", "40", "--producers", "2", "--receive", "await"],
    ],
    "dispatch": [["--events", "400"], ["--events", "400", "--subscriber", "none"]],
    "end_to_end": [
        ["--sessions", "10", "--events", "160"],
        ["--sessions", "10", "--events", "160", "--threads", "2"],
    ],
    "checkpoint": [
        ["--sessions", "20", "--interval_ms", "20", "--ticks", "3"],
        ["--sessions", "20", "--interval_ms", "20", "--ticks", "3", "--phase", "together"],
    ],
    "lock_uncontended": [
        ["--operations", "1000", "--how", how, "--side", side]
        for how in ("await", "try") for side in ("shared", "exclusive")
    ],
    "lock_mix": [["--readers", "4", "--reads", "1000"]],
    "timer_churn": [["--rounds", "2", "--batch", "500"]],
    "timer_periodic": [["--timers", "100", "--interval_ms", "20", "--fires", "3"]],
    "timer_idle": [["--timers", "100", "--watch_ms", "20"]],
    "memory": [["--sessions", "100"], ["--sessions", "100", "--subscribers", "1"]],
    "subscribe_churn": [["--operations", "1000"]],
    "spawn_kill": [["--sessions", "20", "--rounds", "2"]],
    "snapshot_cost": [["--sessions", "50", "--snapshots", "3"]],
    "snapshot_json": [["--sessions", "50", "--snapshots", "3"]],
    "wheel": [["--timers", "500", "--fires", "3"], ["--timers", "500", "--phase", "together"]],
    "metrics_cost": [["--sessions", "10", "--events", "160", "--pairs", "2"]],
    "floor": [["--operations", "1000", "--wake_ups", "10"]],
    "process_lives": [["--children", "3"]],
    "process_output": [["--children", "3", "--bytes", "100000", "--pairs", "1"]],
}

WRONG = [[], ["nonsense"], ["checkpoint", "--sessions", "0"], ["checkpoint", "--sessions", "-3"],
         ["checkpoint", "--sessions", "abc"], ["checkpoint", "--sessions"],
         ["checkpoint", "--nonsense", "1"], ["checkpoint", "--phase", "nonsense"]]


def run(executable, arguments):
    return subprocess.run([*shlex.split(executable), *arguments], capture_output=True, text=True,
                          timeout=60)


def problems_of_line(done):
    if done.returncode != 0:
        return ["exit code %d: %s" % (done.returncode, done.stderr.strip())]
    line = json.loads(done.stdout)
    return [] if list(line) == KEYS else ["its keys are %s" % list(line)]


def check_workload(executable, name, work):
    problems = []
    for arguments in SMALL[name]:
        done = run(executable, [name, *arguments])
        found = problems_of_line(done)
        if not found:
            line = json.loads(done.stdout)
            done_work = (line["operations"], line["checksum"])
            if work.setdefault((name, *arguments), done_work) != done_work:
                found = ["did %s, the others %s" % (done_work, work[(name, *arguments)])]
        problems += [(executable, name, *arguments, problem) for problem in found]
    return problems


def check_usage(executable):
    wrong = [(executable, *arguments, "not refused with exit code 2")
             for arguments in WRONG if run(executable, arguments).returncode != 2]
    if run(executable, ["--help"]).returncode != 0:
        wrong.append((executable, "--help fails"))
    return wrong


def main(executables):
    work, problems = {}, []
    for executable in executables:
        problems += check_usage(executable)
        for name in run(executable, ["--list"]).stdout.split():
            problems += check_workload(executable, name, work)
    for problem in problems:
        print(*problem)
    print("peers: %d executables, %d runs compared, %d problems"
          % (len(executables), len(work), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
