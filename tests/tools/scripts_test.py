#!/usr/bin/env python3
"""What tools/run and tools/setup.sh do, with stand-ins for the compiler, Meson and the packages.

`scripts_test.py ROOT` copies the scripts into a tree of their own for each test, whose name is a
sentence. Nothing is built or installed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = None

# Each notes how it was called; those that are asked something answer from the environment.
STAND_INS = {
    "dpkg-query": 'for name in $INSTALLED; do echo "$name installed"; done',
    "meson": '[ "$1" != setup ] || { mkdir -p "$2"; [ -z "${MESON_FAILS:-}" ] || exit 1; }'
             ' && touch "$2/build.ninja"',
    "ninja": '[ -z "${NINJA_FAILS:-}" ] || exit 1; mkdir -p "$2/tools/muster-perf"; '
             'printf \'#!/bin/sh\\necho "ran $*"\\n\' >"$2/tools/muster-perf/muster-perf"; '
             'chmod +x "$2/tools/muster-perf/muster-perf"',
    "apt-get": 'case "$*" in *" install "*1.81*) [ -n "$ARCHIVE_1_81" ] || exit 100 ;; esac',
    "apt-cache": 'case $2 in *1.81*) echo "  Candidate: ${ARCHIVE_1_81:-(none)}" ;; '
                 '*) echo "  Candidate: ${ARCHIVE:-(none)}" ;; esac',
    "nproc": "echo ${PROCESSORS:-4}",
    "getconf": 'case $1 in PAGE*) echo 4096 ;; *) echo $((${GIGABYTES:-8} * 262144)) ;; esac',
    "id": "echo ${USER_ID:-0}",
    "sudo": "exit 1",
    "g++": '[ -n "$HAS_BOOST" ]',
}


def packages():
    """All that any script asks for."""
    shell = ". tools/setup.sh; printf '%s ' \"${build_packages[@]}\""
    return subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout.strip()


class Scripts(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="muster-scripts-")
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.top = self.scratch / "muster"
        self.elsewhere = self.scratch / "elsewhere"
        (self.top / "tools").mkdir(parents=True)
        self.elsewhere.mkdir()
        for name in ("run", "test", "setup.sh"):
            shutil.copy2(ROOT / "tools" / name, self.top / "tools" / name)
        self.log = self.scratch / "log"
        self.commands = self.scratch / "bin"
        self.commands.mkdir()
        for name, answer in STAND_INS.items():
            self.stand_in(name, answer)

    def stand_in(self, name, answer):
        file = self.commands / name
        file.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.log}"\n{answer}\n')
        file.chmod(0o755)

    def run_script(self, *arguments, script="run", **environment):
        """Called from another directory, with every package there unless told otherwise."""
        wanted = {"PATH": f"{self.commands}:{os.environ['PATH']}", "INSTALLED": packages(),
                  "HAS_BOOST": "", "ARCHIVE_1_81": "1.81.0-5", "ARCHIVE": "1.74.0.3",
                  **environment}
        kept = {name: value for name, value in os.environ.items()
                if name not in ("MUSTER_JOBS", "MUSTER_WERROR", "CXX", "BOOST_ROOT")}
        self.log.write_text("")
        return subprocess.run([self.top / "tools" / script, *arguments], cwd=self.elsewhere,
                              env={**kept, **wanted}, capture_output=True, text=True, timeout=60,
                              check=False)

    def calls(self, command):
        lines = self.log.read_text().splitlines()
        return [line for line in lines if line.startswith(command + " ")]

    def nothing_was_made(self):
        for command in ("dpkg-query", "apt-get", "meson", "ninja"):
            self.assertEqual(self.calls(command), [])

    # ---- build directories

    def test_a_build_directory_that_somebody_else_made_is_left_alone(self):
        theirs = self.top / "build/release/build.ninja"
        theirs.parent.mkdir(parents=True)
        theirs.write_text("theirs")
        result = self.run_script("--list")
        self.assertEqual(theirs.read_text(), "theirs")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("build/release was not set up by this script", result.stderr)

    def test_a_set_up_that_broke_off_is_done_again(self):
        self.assertNotEqual(self.run_script("--list", MESON_FAILS="yes").returncode, 0)
        (self.top / "build/release/left-over").touch()
        self.assertEqual(self.run_script("--list").returncode, 0)
        self.assertFalse((self.top / "build/release/left-over").exists())

    def test_a_directory_is_set_up_once_and_again_for_another_compiler(self):
        self.run_script("--list")
        self.assertEqual(len(self.calls("meson")), 1)
        self.run_script("--list")
        self.assertEqual(self.calls("meson"), [])
        self.run_script("--list", CXX="g++-13")
        self.assertEqual(len(self.calls("meson")), 1)

    def test_warnings_are_errors_where_is_tested_and_nowhere_else(self):
        self.run_script("--list")
        self.assertNotIn("--werror", self.calls("meson")[0])
        self.run_script("--list", MUSTER_WERROR="1")
        self.assertIn("--werror", self.calls("meson")[0])
        self.run_script("--build", "asan", script="test")
        self.assertIn("--werror", self.calls("meson")[0])

    # ---- help, jobs and exit codes

    def test_help_comes_before_anything_is_installed_or_built(self):
        result = self.run_script("--help", INSTALLED="")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.nothing_was_made()
        for words in ("every seed scenario", "MUSTER_JOBS", "Exit code", "SCENARIO --help"):
            self.assertIn(words, result.stdout)

    def test_help_goes_on_with_that_of_a_program_that_is_built(self):
        self.run_script("--list")
        result = self.run_script("--help")
        self.assertIn("every seed scenario", result.stdout)
        self.assertIn("ran --help\n", result.stdout)
        self.nothing_was_made()

    def test_questions_about_the_peers_build_none(self):
        for question in ("--help", "--list"):
            self.assertIn(f"ran peers {question}", self.run_script("peers", question).stdout)
            self.assertEqual(len(self.calls("ninja")), 1)

    def jobs_with(self, **environment):
        self.run_script("--list", **environment)
        return self.calls("ninja")[0].split(" -j ")[1].split()[0]

    def test_there_is_a_job_for_each_processor_and_2_gb(self):
        self.assertEqual(self.jobs_with(PROCESSORS="4", GIGABYTES="64"), "4")
        self.assertEqual(self.jobs_with(PROCESSORS="16", GIGABYTES="8"), "4")
        self.assertEqual(self.jobs_with(PROCESSORS="4", GIGABYTES="1"), "1")
        self.assertEqual(self.jobs_with(PROCESSORS="4", GIGABYTES="1", MUSTER_JOBS="7"), "7")

    def test_what_keeps_it_from_running_is_exit_code_2(self):
        for reason in ({"INSTALLED": "", "USER_ID": "1000"}, {"MESON_FAILS": "1"},
                       {"NINJA_FAILS": "1"}):
            self.assertEqual(self.run_script("fanout_overhead", **reason).returncode, 2, reason)

    # ---- packages

    def test_what_is_installed_is_one_question(self):
        self.run_script("--list")
        self.assertEqual(len(self.calls("dpkg-query")), 1)
        for command in ("g++", "apt-get", "apt-cache", "sudo"):
            self.assertEqual(self.calls(command), [])

    def installed_with(self, **environment):
        """What is installed where everything but Boost is there."""
        others = " ".join(name for name in packages().split() if "boost" not in name)
        self.result = self.run_script("--list", INSTALLED=others, **environment)
        return [call.split(" --no-remove ")[1] for call in self.calls("apt-get")
                if " install " in call]

    def test_a_boost_that_is_new_enough_is_not_replaced(self):
        self.assertEqual(self.installed_with(HAS_BOOST="yes"), [])
        self.assertEqual(self.result.returncode, 0, self.result)

    def test_an_archive_without_boost_1_81_by_name_gives_its_own(self):
        debian_12 = ["libboost1.81-dev libboost-test1.81-dev"]
        debian_13 = ["libboost-dev libboost-test-dev"]
        self.assertEqual(self.installed_with(), debian_12)
        self.assertEqual(self.installed_with(ARCHIVE="1.83.0.2+b2"), debian_12)
        self.assertEqual(self.installed_with(ARCHIVE="1.83.0.2+b2", ARCHIVE_1_81=""), debian_13)
        self.assertEqual(self.result.returncode, 0, self.result)

    def test_an_archive_without_a_boost_that_is_new_enough_is_named_as_the_reason(self):
        self.installed_with(ARCHIVE_1_81="")
        self.assertEqual(self.result.returncode, 2)
        self.assertIn("no Boost 1.81 or newer", self.result.stderr)
        self.assertIn("BOOST_ROOT", self.result.stderr)

    def test_who_may_not_install_is_told_what_to_install(self):
        for archive in ({}, {"ARCHIVE": "1.83.0.2", "ARCHIVE_1_81": ""}):
            self.assertEqual(self.installed_with(USER_ID="1000", **archive), [])
            wanted = "libboost-dev libboost-test-dev" if archive else "libboost1.81-dev"
            self.assertIn(f"sudo apt-get install {wanted}", self.result.stderr)
            self.assertIn("sudo without a password", self.result.stderr)

    # ---- where documents go

    def arguments_of(self, *arguments):
        """What the program gets."""
        return self.run_script(*arguments).stdout.strip().removeprefix("ran ").split()

    def test_documents_go_into_the_project_unless_it_is_said_where(self):
        ours = ["--out", str(self.top / "build/reports")]
        for measured in ([], ["fanout_overhead", "--sessions", "10"], ["peers", "--quick"]):
            self.assertEqual(self.arguments_of(*measured), [*measured, *ours])
        for said in (["--out", "here"], ["--out=here"], ["memory", "--json"], ["work", "idle"],
                     ["--list"], ["memory", "--help"], ["peers", "--list"]):
            self.assertEqual(self.arguments_of(*said), said)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    ROOT = Path(sys.argv.pop(1)).resolve()
    unittest.main()
