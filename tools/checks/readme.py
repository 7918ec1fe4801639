#!/usr/bin/env python3
"""README.md shows what the tests compile: its first ```cpp block is tests/examples/readme.cpp.

`readme.py ROOT` compares, `readme.py --update ROOT` rewrites the block, `--self-test` tests itself.
"""

import difflib
import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```cpp\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLE = "tests/examples/readme.cpp"


def differences(readme, example):
    """The lines of a unified diff between the block and the file; empty where they are equal."""
    found = BLOCK.search(readme)
    if not found:
        return ["README.md has no ```cpp block"]
    return list(
        difflib.unified_diff(
            found.group(1).splitlines(), example.splitlines(), "README.md", EXAMPLE, lineterm=""
        )
    )


def update(root):
    readme = root / "README.md"
    block = "```cpp\n" + (root / EXAMPLE).read_text() + "```"
    readme.write_text(BLOCK.sub(lambda _: block, readme.read_text(), count=1))


def self_test():
    same = "text\n```cpp\nint main() {}\n```\nmore\n```cpp\nother\n```\n"
    wrong = []
    if differences(same, "int main() {}\n"):
        wrong.append("equal texts are reported as different")
    if not differences(same, "int main() { return 1; }\n"):
        wrong.append("a changed example is not noticed")
    if not differences("no block\n", "int main() {}\n"):
        wrong.append("a missing block is not noticed")
    return wrong


def main(arguments):
    if arguments == ["--self-test"]:
        problems = self_test()
    elif len(arguments) == 2 and arguments[0] == "--update":
        update(Path(arguments[1]))
        problems = []
    elif len(arguments) == 1:
        root = Path(arguments[0])
        problems = differences((root / "README.md").read_text(), (root / EXAMPLE).read_text())
    else:
        sys.exit(__doc__)
    print("\n".join(problems) or "readme: the example is the tested one")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
