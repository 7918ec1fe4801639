#!/usr/bin/env python3
"""Who may include whom: `layers.py ROOT` checks include/ and lib/, `layers.py --self-test` itself.

    session, error, detail <- sync, time, fanout, metrics, backend <- checkpoint <- runtime

A folder may include itself and everything to its left; siblings do not include each other, but that
a backend sees `sync`, since a session's executor is a light strand.
`sync`, `time` and `fanout` are useful alone: they may not reach `session`, not even by detours.
The umbrella reaches every public header, but for those of which the runtime is made.
Headers beside the folders are the runtime's, but for error.hpp and the umbrella, which sees all;
sources in lib/ follow the rule of their folder.
"""

import re
import sys
from pathlib import Path

BASE = {"detail", "error"}
PLAIN = BASE | {"session"}
SIBLINGS = {"sync", "time", "fanout", "metrics", "backend"}

MAY_INCLUDE = {
    "error": BASE,
    "detail": PLAIN,
    "session": PLAIN,
    "sync": BASE | {"sync"},
    "time": BASE | {"time"},
    "fanout": BASE | {"fanout"},
    "metrics": PLAIN | {"metrics"},
    "backend": PLAIN | {"sync", "backend"},
    "checkpoint": PLAIN | SIBLINGS | {"checkpoint"},
    "runtime": PLAIN | SIBLINGS | {"checkpoint", "runtime"},
}
ALONE = {"sync", "time", "fanout"}
# What the runtime is made of; the umbrella says that it leaves this out.
NOT_OFFERED = {"checkpoint/prompter.hpp", "checkpoint/scheduler.hpp", "metrics/counters.hpp"}
MAY_INCLUDE["muster"] = set(MAY_INCLUDE) | {"muster"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SUFFIXES = {".hpp", ".cpp", ".ipp"}


def area_of(parts):
    """The area of a path below include/muster/ or lib/: its folder; beside the folders stand the
    error codes, the umbrella header, and what the facade consists of."""
    stem = Path(parts[0]).stem
    return parts[0] if len(parts) > 1 else stem if stem in {"error", "muster"} else "runtime"


class Tree:
    """Every source below ROOT with the includes of our own that it contains."""

    def __init__(self, root):
        self.root = root.resolve()
        self.bases = (self.root / "include/muster", self.root / "lib")
        self.includes = {
            file: list(self.own_includes(file))
            for base in self.bases
            for file in sorted(base.rglob("*"))
            if file.suffix in SUFFIXES
        }

    def own_includes(self, file):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            target = found and self.resolve(file, *found.groups())
            if target:
                yield number, target

    def resolve(self, file, bracket, text):
        """The file of ours that an include names, or None where it is not ours."""
        if text.startswith("muster/"):
            return self.root / "include" / text
        target = (file.parent / text).resolve()
        ours = any(target.is_relative_to(base) for base in self.bases)
        return target if bracket == '"' and ours else None

    def area(self, file):
        base = next(base for base in self.bases if file.is_relative_to(base))
        return area_of(file.relative_to(base).parts)

    def direct(self, file):
        own, where = self.area(file), file.relative_to(self.root)
        if own == "pch":
            return
        if own not in MAY_INCLUDE:
            yield f"{where}:1: no layer is called '{own}'"
            return
        for number, target in self.includes[file]:
            if self.area(target) not in MAY_INCLUDE[own]:
                yield f"{where}:{number}: '{own}' must not include '{self.area(target)}'"

    def detours(self, file):
        """What a file of an area that stands alone reaches through headers that it may include."""
        own, seen, todo = self.area(file), set(), [file]
        while own in ALONE and todo:
            for number, target in self.includes.get(todo.pop(), ()):
                if target not in seen and self.area(target) in MAY_INCLUDE[own]:
                    todo.append(target)
                elif target not in seen and self.area(target) == "session":
                    name = target.relative_to(self.root)
                    yield f"{file.relative_to(self.root)}:1: '{own}' must not reach {name}"
                seen.add(target)

    def left_out(self):
        """Public headers that the umbrella does not reach."""
        base = self.bases[0]
        umbrella = base / "muster.hpp"
        seen, todo = {umbrella}, [umbrella]
        while todo:
            found = {target for _, target in self.includes.get(todo.pop(), ())} - seen
            seen |= found
            todo += found
        headers = {file for file in self.includes if file.is_relative_to(base)}
        for file in sorted(headers - seen) if umbrella in headers else ():
            name = file.relative_to(base)
            if "detail" not in name.parts and str(name) not in NOT_OFFERED:
                yield f"{umbrella.relative_to(self.root)}:1: the umbrella leaves out {name}"


def check(root):
    tree, problems = Tree(root), []
    for file in tree.includes:
        found = list(tree.direct(file))
        problems += found or tree.detours(file)
    problems += tree.left_out()
    return len(tree.includes), problems


def self_test():
    """Plants one violation at a time and expects exactly that one to be reported."""
    import tempfile

    cases = [
        ("include/muster/sync/a.hpp", "#include <muster/session/id.hpp>", 1),
        ("include/muster/time/a.hpp", "#include <muster/sync/a.hpp>", 1),
        ("include/muster/session/a.hpp", "# include <muster/runtime.hpp>", 1),
        ("include/muster/error.hpp", "#include <muster/session/id.hpp>", 1),
        ("lib/metrics/a.cpp", "#include <muster/backend/backend.hpp>", 1),
        ("lib/fanout/a.cpp", '#include "../sync/inner.hpp"', 1),
        ("lib/backend/a.cpp", "#include <muster/checkpoint/policy.hpp>", 1),
        ("lib/novelty/a.cpp", "#include <vector>", 1),
        ("include/muster/sync/a.hpp", "#include <muster/runtime/options.hpp>", 1),
        ("lib/backend/a.cpp", '#include "inner.hpp"', 0),
        ("lib/runtime.cpp", "#include <muster/checkpoint/policy.hpp>", 0),
        ("lib/runtime/a.cpp", "#include <muster/runtime.hpp>", 0),
        ("lib/metrics/a.cpp", "#include <muster/session/id.hpp>\n#include <boost/asio.hpp>", 0),
        ("include/muster/muster.hpp", "#include <muster/runtime.hpp>", 0),
        ("include/muster/checkpoint/a.hpp", "// #include <muster/runtime.hpp>", 0),
    ]
    detour = [
        ("include/muster/session/id.hpp", "#include <string>"),
        ("include/muster/detail/node.hpp", "#include <muster/session/id.hpp>"),
        ("include/muster/fanout/a.hpp", "#include <muster/detail/node.hpp>"),
    ]
    umbrella = [
        ("include/muster/muster.hpp", "#include <muster/time/a.hpp>"),
        ("include/muster/time/a.hpp", "#include <muster/time/b.hpp>"),
        ("include/muster/time/b.hpp", "#include <vector>"),
        ("include/muster/detail/c.hpp", "#include <vector>"),
    ]
    forgotten = umbrella + [("include/muster/sync/d.hpp", "#include <vector>")]
    trees = [([(name, text)], expected) for name, text, expected in cases]
    trees += [(detour, 1), (umbrella, 0), (forgotten, 1)]
    wrong = []
    for files, expected in trees:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files:
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).write_text(text + "\n")
            _, problems = check(Path(folder))
            if len(problems) != expected:
                wrong.append(f"{files}: expected {expected} problems, got {problems}")
    return len(trees), wrong


def main(argument):
    count, problems = self_test() if argument == "--self-test" else check(Path(argument))
    for problem in problems:
        print(problem)
    print(f"layers: {count} looked at, {len(problems)} problems")
    return 1 if problems or not count else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
