#!/usr/bin/env python3
"""Guards the cost of the hot paths: compares what they cost with what expected.json says.

    guard.py PROGRAM instructions|allocations|bytes   compares; 0: all within their bands, 1: not,
                                                      77: not comparable here, and why; 2: wrong
                                                      arguments
    guard.py PROGRAM --update                         measures all, rewrites expected.json, prints
                                                      old and new
    guard.py PROGRAM --where NAME                     where a path or a session spends it

PROGRAM is muster-guards of a release build. Figures are per operation: instructions as callgrind
counts them, calls of malloc, and heap bytes per session. Fewer than expected is a failure, too:
else the gain could be lost again unseen.
"""

import argparse
import collections
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

EXPECTED = Path(__file__).with_name("expected.json")
SKIPPED = 77
MEMORY = ("session.idle", "session.with_subscriber")
# Of the expected value. Instructions repeat exactly for one binary; another patch of the compiler
# or the C library moves them by a percent or two, a change that anybody made by more.
BANDS = {"instructions": 0.03, "allocations": 0.0, "bytes": 0.01}
UNITS = {"instructions": "instructions an operation", "allocations": "allocations an operation",
         "bytes": "heap bytes a session"}
# What the steady state promises; --update does not raise these.
PROMISED = {name: 0 for name in (
    "channel.publish", "channel.publish_stamped", "channel.receive_batch", "channel.receive_single",
    "channel.try_receive", "checkpoint.tick", "event.delivered", "event.idle_global",
    "event.nobody", "lock.shared_await", "lock.shared_try", "wheel.fire_rearm",
    "wheel.schedule_cancel", "wheel_timer.set_wait_cancel")}
TARGETS = {"session.idle": 750, "session.with_subscriber": 1200}  # bytes, to be reached

# The C library chooses its string functions by the processor, and valgrind shows it a plain or a
# newer one, after the real one. Here all are alike, and so is the rest of the environment.
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C",
               "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-ERMS,-FSRM,-SSE4_2,-SSSE3"}


class Unusable(Exception):
    """Why nothing can be compared here."""


class WrongArgument(Exception):
    """What to do instead."""


def output_of(command):
    """Standard output, in lines of fields."""
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"guard.py: {' '.join(map(str, command))} failed:\n{done.stderr.strip()}")
    return [line.split("\t") for line in done.stdout.splitlines()]


# ---- measuring


def conditions(program):
    """What the figures hold for, and the clock that is read. Raises Unusable where measuring makes
    no sense."""
    facts = dict(output_of([program, "describe"]))
    if facts["build"] != "release":
        raise Unusable("only a release build is guarded: configure with --buildtype=release")
    return f"{facts['compiler']} boost-{facts['boost']} {platform.machine()}", facts["clock"]


def callgrind(program, *arguments):
    """The paths' names, operations, and for each run of one, in order, what callgrind wrote."""
    if shutil.which("valgrind") is None:
        raise Unusable("there is no valgrind: apt-get install valgrind")
    with tempfile.TemporaryDirectory() as folder:
        lines = output_of(
            ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
             "--toggle-collect=muster_guards_measured", "--dump-after=muster_guards_measured",
             program, "instructions", *arguments])
        parts = [Path(f"{folder}/out.{2 * i + k}").read_text().splitlines()
                 for i in range(len(lines) - 1) for k in (1, 2)]
    return [line[0] for line in lines[:-1]], int(lines[-1][1]), parts


def total(part):
    return next(int(line.split()[1]) for line in part if line.startswith("summary:"))


def instructions(program):
    names, operations, parts = callgrind(program)
    runs = zip(parts[0::2], parts[1::2])
    return {name: (total(longer) - total(shorter)) / operations
            for name, (shorter, longer) in zip(names, runs)}


def allocations(program):
    return {name: float(count) for name, count in output_of([program, "allocations"])}


def bytes_each(program):
    found = {}
    for name in MEMORY:
        figures = dict(output_of([program, "bytes", name]))
        found[name] = float(figures["heap"])
        print(f"{name}: {figures['heap']} bytes in {figures['blocks']} blocks, "
              f"{figures['resident']} resident; target {TARGETS[name]}")
    return found


MEASURES = {"instructions": instructions, "allocations": allocations, "bytes": bytes_each}


# ---- comparing


def change(old, new):
    return f"{(new - old) / old:+8.1%}" if old else f"{new - old:+8.3f}"


def compare(expected, found, band):
    """Prints a line for each figure; returns the names of those that differ."""
    different = []
    print(f"{'':32}{'expected':>12}{'found':>12}")
    for name in sorted({*expected, *found}):
        old, new = expected.get(name), found.get(name)
        if old is None or new is None:
            different.append(name)
            shown = ["none" if value is None else f"{value:.3f}" for value in (old, new)]
            print(f"{name:32}{shown[0]:>12}{shown[1]:>12}")
            continue
        outside = abs(new - old) > band * old + 0.0005
        if outside:
            different.append(name)
        verdict = f"  <- outside of ±{band:.0%}" if outside else ""
        print(f"{name:32}{old:12.3f}{new:12.3f}{change(old, new)}{verdict}")
    return different


def explain(kind, different, program):
    build = program.parents[2]
    print(f"\nThe {UNITS[kind]} of {', '.join(different)} changed.\n"
          f"Not meant? See where it goes:  perf/guards/guard.py {program} --where {different[0]}\n"
          f"Meant? Accept it in the commit that changes it, and say why there:"
          f"  ninja -C {build} update-guards")


def check(program, kind):
    key, clock = conditions(program)
    expected = json.loads(EXPECTED.read_text()).get(key)
    if expected is None:
        raise Unusable(f"nothing is expected of {key}; --update would add it")
    if kind == "instructions" and clock != expected["clock"]:
        raise Unusable(f"expected with the clock {expected['clock']}, this machine has {clock}")
    wanted = expected[kind]
    if kind == "allocations":
        wanted = {**wanted, **PROMISED}
    different = compare(wanted, MEASURES[kind](program), BANDS[kind])
    if different:
        explain(kind, different, program)
    return 1 if different else 0


def update(program):
    key, clock = conditions(program)
    everything = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    old, new = everything.get(key, {}), {"clock": clock}
    for kind, measure in MEASURES.items():
        new[kind] = {name: round(value, 3) for name, value in measure(program).items()}
        print(f"\n{UNITS[kind]}, {key}")
        compare(old.get(kind, {}), new[kind], BANDS[kind])
        print()
    broken = [name for name, limit in PROMISED.items() if new["allocations"].get(name, 0) > limit]
    if broken:
        sys.exit(f"guard.py: nothing was written: {', '.join(broken)} must not allocate; "
                 f"see --where {broken[0]}")
    everything[key] = new
    EXPECTED.write_text(json.dumps(everything, indent=2, sort_keys=True) + "\n")
    return 0


# ---- looking

COST = re.compile(r"[-+*\d]+ (\d+)")


def own_costs(parts):
    """What each function spends itself in the last part. Names stand where they occur first."""
    names = {}
    for part in parts:
        costs, current, inclusive = collections.Counter(), None, False
        for line in part:
            head, _, rest = line.partition("=")
            if head in ("fn", "cfn"):
                number, _, name = rest.partition(" ")
                if name:
                    names[number] = name
                if head == "fn":
                    current = number
            elif head == "calls":
                inclusive = True  # the next line is the callee's
            elif current and (cost := COST.fullmatch(line)):
                costs[current] += 0 if inclusive else int(cost[1])
                inclusive = False
    return {names[number]: cost for number, cost in costs.items()}


def show_instructions(program, name):
    names, operations, parts = callgrind(program, name)
    if not names:
        raise WrongArgument(f"there is no {name}; expected.json has the names")
    print(f"instructions of {name}, per operation, each function without those it calls")
    for function, cost in sorted(own_costs(parts).items(), key=lambda item: -item[1]):
        if cost > operations:  # of twice as many
            print(f"{cost / (2 * operations):10.1f}  {function[:150]}")


def symbols(program):
    lines = subprocess.run(["nm", "-nC", "--defined-only", program], capture_output=True, text=True)
    fields = (line.split(" ", 2) for line in lines.stdout.splitlines())
    return [(int(address, 16), name) for address, kind, name in fields if kind in "tTwW"]


def show_sites(program, command, name):
    known = symbols(program)
    sites = [line for line in output_of([program, command, name]) if line[0] == "site"]
    print(f"\n{command.split('-')[0]}s of {name}: how many, of which size, and their callers")
    for _, count, size, *callers in sorted(sites, key=lambda s: -float(s[1]) * int(s[2])):
        if float(count) < 0.005:
            continue
        print(f"{float(count):10.3f} x {size} bytes")
        for offset in map(int, callers[:8]):
            below = [symbol for address, symbol in known if address < offset]
            if below and offset < known[-1][0] + 4096:
                print(f"{'':14}{below[-1][:150]}")


def where(program, name):
    if name in MEMORY:
        show_sites(program, "byte-sites", name)
    else:
        show_instructions(program, name)
        show_sites(program, "allocation-sites", name)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("kind", nargs="?", choices=MEASURES)
    what.add_argument("--update", action="store_true")
    what.add_argument("--where", metavar="NAME")
    chosen = parser.parse_args()
    program = chosen.program.resolve()
    try:
        if not os.access(program, os.X_OK):
            raise WrongArgument(f"there is no program {program}; build perf/guards/muster-guards")
        if chosen.update:
            return update(program)
        return where(program, chosen.where) if chosen.where else check(program, chosen.kind)
    except Unusable as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    except WrongArgument as reason:
        print(f"guard.py: {reason}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
