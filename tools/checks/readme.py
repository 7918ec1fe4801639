#!/usr/bin/env python3
"""README.md shows what the tests compile: each ```cpp block is from the file in tests/examples that
the text before it names, all of it or, from the block's first line to its last, a part.

`readme.py ROOT` compares, `readme.py --update ROOT` rewrites the blocks, `--self-test` tests itself.
"""

import difflib
import re
import sys
from pathlib import Path

# The text since the block before, and the block.
BLOCK = re.compile(r"(.*?^```cpp\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"tests/examples/\w+\.cpp")


def shown(block, example):
    """What a block that begins and ends as this one should show of an example."""
    lines, wanted = example.splitlines(True), block.splitlines(True)
    if wanted[:1] == lines[:1]:
        return example
    if not wanted or wanted[0] not in lines:
        return None
    begin = lines.index(wanted[0])
    rest = lines[begin + 1 :]
    return "".join(lines[begin : begin + 2 + rest.index(wanted[-1])] if wanted[-1] in rest else [])


def blocks(readme, read):
    """Of each block: the example's name, what the block is, and what it should be."""
    for before, block in BLOCK.findall(readme):
        name = (NAME.findall(before) or [None])[-1]
        yield name, block, shown(block, read(name)) if name else None


def differences(readme, read):
    """The lines of unified diffs between the blocks and the files; empty where they are equal."""
    found = list(blocks(readme, read))
    problems = [] if found else ["README.md has no ```cpp block"]
    for name, block, wanted in found:
        if wanted is None:
            problems.append(f"README.md: this is in no example ({name}): {block[:60]!r}")
        else:
            problems += difflib.unified_diff(
                block.splitlines(), wanted.splitlines(), "README.md", name, lineterm=""
            )
    return problems


def updated(readme, read):
    wanted = iter([should or is_ for _, is_, should in blocks(readme, read)])
    return BLOCK.sub(lambda block: block.group(1) + next(wanted), readme)


def self_test():
    files = {
        "tests/examples/whole.cpp": "int main() {\n}\n",
        "tests/examples/part.cpp": "int a() {\n    return 1;\n}\n\nint main() {\n}\n",
    }
    text = (
        "`tests/examples/whole.cpp`\n```cpp\nint main() {\n}\n```\n"
        "`tests/examples/part.cpp`\n```cpp\nint main() {\n}\n```\n"
    )
    changed = {**files, "tests/examples/part.cpp": "\nint main() {\n    a();\n}\n"}
    unknown = text.replace("part.cpp`\n```cpp\nint main", "part.cpp`\n```cpp\nint other")
    wrong = []
    if differences(text, files.get):
        wrong.append("equal texts are reported as different")
    if "+    a();" not in differences(text, changed.get):
        wrong.append("a changed part is not noticed")
    if differences(updated(text, changed.get), changed.get):
        wrong.append("an update leaves a difference")
    if not differences(text, {**files, "tests/examples/whole.cpp": "int main() {\n"}.get):
        wrong.append("a changed example is not noticed")
    for none in (unknown, "no block\n", "no name\n```cpp\nint main() {\n}\n```\n"):
        if not differences(none, files.get):
            wrong.append(f"what is no example is not noticed: {none!r}")
    return wrong


def main(arguments):
    if arguments == ["--self-test"]:
        problems = self_test()
    elif len(arguments) in (1, 2) and arguments[:-1] in ([], ["--update"]):
        root = Path(arguments[-1])
        file = root / "README.md"

        def read(name):
            return (root / name).read_text() if (root / name).exists() else ""

        if len(arguments) == 2:
            file.write_text(updated(file.read_text(), read))
        problems = differences(file.read_text(), read)
    else:
        sys.exit(__doc__)
    print("\n".join(problems) or "readme: the examples are the tested ones")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
