#!/usr/bin/env python3
"""Builds the Tokio peers without a network, from the crates that the distribution packages.

  build.py --check REGISTRY                                   names what is missing, exit code 1
  build.py CARGO REGISTRY SOURCE_DIR WORK_DIR OUTPUT...       builds into WORK_DIR, copies to OUTPUT

The sources are copied first: cargo writes a lock file beside them, and the source replacement
belongs to this build directory alone.
"""
import os
import pathlib
import shutil
import subprocess
import sys

NEEDED = [
    "libc-0.2",
    "lock_api-0.4",
    "num_cpus-1",
    "parking_lot-0.12",
    "pin-project-lite-0.2",
    "tokio-1",
]

CONFIG = """[source.crates-io]
replace-with = "packaged"
[source.packaged]
directory = "{registry}"
"""


def missing(registry):
    root = pathlib.Path(registry)
    return [crate for crate in NEEDED if not list(root.glob(crate + "*"))]


def lay_out(registry, source, work):
    shutil.rmtree(work / "src", ignore_errors=True)
    shutil.copytree(source / "src", work / "src")
    shutil.copy2(source / "Cargo.toml", work / "Cargo.toml")
    (work / "Cargo.lock").unlink(missing_ok=True)
    (work / ".cargo").mkdir(exist_ok=True)
    (work / ".cargo" / "config.toml").write_text(CONFIG.format(registry=registry))


def build(cargo, registry, source, work, outputs):
    work.mkdir(parents=True, exist_ok=True)
    lay_out(registry, source, work)
    environment = dict(os.environ, CARGO_TARGET_DIR=str(work / "target"))
    command = [cargo, "build", "--release", "--offline", "--quiet"]
    subprocess.run(command, cwd=work, env=environment, check=True)
    for output in outputs:
        shutil.copy2(work / "target" / "release" / output.name, output)


def main(arguments):
    if arguments[:1] == ["--check"]:
        absent = missing(arguments[1])
        print(", ".join(absent))
        return 1 if absent else 0
    cargo, registry = arguments[:2]
    source, work, *outputs = [pathlib.Path(argument).resolve() for argument in arguments[2:]]
    try:
        build(cargo, registry, source, work, outputs)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
