"""What the tests of muster-perf share: a scratch directory, runs of the program, what a refusal is."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = None
SMALL = ["stream_pressure", "--sessions", "1", "--repetitions", "2"]


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, check=False, **options)


class Case(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="muster-perf-test-")
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)

    def refused(self, result, *words):
        """Exit code 2, one line on standard error that has these words, nothing else."""
        self.assertEqual(result.returncode, 2, result)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def names(self):
        return sorted(str(p.relative_to(self.scratch)) for p in self.scratch.rglob("*"))


def main(doc):
    """Runs the tests of the calling program, whose first argument is muster-perf."""
    global PROGRAM
    if len(sys.argv) < 2:
        sys.exit(doc)
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
