#!/usr/bin/env python3
"""What `muster-perf peers` does with its peers: `muster_perf_peers_test.py PROGRAM [PEERS_DIR]`.

The peers are shell scripts that print a line, or fail to, each in its own way. With PEERS_DIR, and
where the programs are built, one row is run for real. Each test is a method whose name is a sentence.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import muster_perf_case
from muster_perf_case import Case, run

REAL_PEERS = None

LINE = """printf '{"schema":"muster-peer","schema_version":1,"peer":"%%s","workload":"%%s",\
"params":{"how":"try"},"operations":100,"checksum":"%(checksum)s","wall_ns":%(ns)d,"cpu_ns":%(ns)d,\
"peak_rss_bytes":4096,"figures":{"lock_unlock_ns":%(ns)d,"dispatch_ns_per_event":%(ns)d,\
"cpu_ns_per_event":%(ns)d}}\\n' "${0##*/}" "$1"
"""


def line(ns=20, checksum="700"):
    return LINE % {"ns": ns, "checksum": checksum}


def is_alive(pid):
    """Whether that process runs; a zombie does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def within_seconds(limit, condition):
    """Polls a condition that another process makes true."""
    end = time.monotonic() + limit
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


class Peers(Case):
    def setUp(self):
        super().setUp()
        self.peers = self.scratch / "peers"
        self.peers.mkdir()
        self.out = self.scratch / "out"
        self.fake("ours", line(10))

    def fake(self, name, body):
        path = self.peers / name
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)
        return path

    def command(self, *arguments):
        return [muster_perf_case.PROGRAM, "peers", *map(str, arguments),
                "--ours", str(self.peers / "ours"), "--peers-dir", str(self.peers)]

    def run_peers(self, *arguments, out=True, **options):
        more = ["--out", self.out] if out else []
        return subprocess.run(self.command(*arguments, *more), capture_output=True, text=True,
                              timeout=60, check=False, cwd=self.scratch, **options)

    def document(self):
        return json.loads((self.out / "peers.json").read_text())

    # ---- equal work

    def test_equal_work_is_compared_and_both_sides_samples_are_kept(self):
        self.fake("peer-tokio", line(50))
        result = self.run_peers("lock_try", "--pairs", 3)
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"lock_try +lock_unlock_ns +10 +tokio +50 +5x +5 \.\. 5 ")
        self.assertRegex(result.stdout, r"<= 11: yes")
        document = self.document()
        self.assertEqual((document["schema"], document["kind"], document["pairs_count"]),
                         ("muster-peers", "perf-peers", 3))
        row = document["rows"][0]
        self.assertEqual([side["peer"] for side in row["sides"]], ["muster", "peer-tokio"])
        for side, ns in zip(row["sides"], (10, 50)):
            self.assertEqual([sample["cpu_ns"] for sample in side["samples"]], [ns] * 3)
            self.assertEqual((side["operations_count"], side["checksum"]), (100, "700"))
        ratio = row["figures"][0]["peers"][0]
        self.assertEqual((ratio["ratios"], ratio["ratio"]["median"]), ([5, 5, 5], 5))

    def test_only_a_ratio_whose_pairs_agree_counts_as_ahead_or_behind(self):
        self.fake("peer-tokio", line(50))
        result = self.run_peers("lock_try", "--pairs", 2)
        self.assertIn("muster ahead in 1, undecided 0, behind in 0;", result.stdout)
        # Of three pairs two are won: the median alone would call that ahead.
        turns = self.scratch / "turns"
        self.fake("peer-tokio", f"echo >> {turns}\nif [ $(wc -l < {turns}) = 2 ]; then\n"
                  f"{line(5)}else\n{line(50)}fi\n")
        self.fake("peer-asio", line(5))
        result = self.run_peers("lock_try", "--pairs", 3)
        self.assertRegex(result.stdout, r"tokio +50 +5x +0.5 \.\. 5 ")
        self.assertIn("muster ahead in 0, undecided 1, behind in 1;", result.stdout)

    def test_sides_take_turns_and_warm_up_first(self):
        log = self.scratch / "log"
        note = f'echo "${{0##*/}} $*" >> {log}\n'
        self.fake("ours", note + line(10))
        self.fake("peer-tokio", note + line(20))
        self.run_peers("lock_try", "--pairs", 2)
        runs = [text.split()[0] for text in log.read_text().splitlines()]
        self.assertEqual(runs, ["ours", "peer-tokio", "ours", "peer-tokio", "peer-tokio", "ours"])
        self.assertIn("--how try", log.read_text())

    def test_json_prints_the_document_and_nothing_else_and_writes_no_file(self):
        self.fake("peer-tokio", line())
        result = self.run_peers("lock_try", "--pairs", 1, "--json", out=False)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(json.loads(result.stdout)["schema"], "muster-peers")
        self.assertEqual(result.stderr, "")
        self.assertEqual(sorted(p.name for p in self.scratch.iterdir()), ["peers"])

    def test_a_log_of_several_rows_says_which_one_is_under_way(self):
        self.fake("peer-tokio", line())
        result = self.run_peers("lock_try", "lock_await", "--pairs", 1)
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stderr, r"\A\[1/2\] lock_\w+\n\[2/2\] lock_\w+\n\Z")

    def test_quick_is_less_work_and_fewer_pairs(self):
        self.fake("peer-tokio", line())
        self.run_peers("lock_try", "--quick")
        document = self.document()
        self.assertTrue(document["quick"])
        self.assertEqual(document["pairs_count"], 2)
        self.assertIn("1000000", document["rows"][0]["sides"][0]["arguments"])

    def test_a_missed_target_is_an_exit_code_only_when_asked(self):
        self.fake("peer-reference", line(30))
        self.assertEqual(self.run_peers("dispatch", "--pairs", 1).returncode, 0)
        result = self.run_peers("dispatch", "--pairs", 1, "--check-targets")
        self.assertEqual(result.returncode, 1)
        self.assertIn(">= 4x reference: NO", result.stdout)

    # ---- peers that fail

    def failed(self, result, peer, *words):
        """Exit code 1, one line on standard error about that peer; the document says the same."""
        self.assertEqual(result.returncode, 1, result)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for word in (peer, *words):
            self.assertIn(word, result.stderr)
        sides = self.document()["rows"][0]["sides"]
        failures = [side["failure"] for side in sides if side["peer"] == peer]
        self.assertIn(failures[0], result.stderr)

    def test_an_unequal_checksum_fails_the_row(self):
        self.fake("peer-tokio", line(50, "701"))
        result = self.run_peers("lock_try", "--pairs", 2)
        self.failed(result, "peer-tokio", "unequal work", "701", "700")
        self.assertFalse(self.document()["rows"][0]["passed"])

    def test_a_crash_is_named_and_leaves_the_other_peer(self):
        self.fake("peer-tokio", "echo no memory >&2\nkill -ABRT $$\n")
        self.fake("peer-asio", line(40))
        result = self.run_peers("lock_try", "--pairs", 1)
        self.failed(result, "peer-tokio", "signal 6", "no memory")
        self.assertRegex(result.stdout, r"asio +40 +4x")

    def test_an_exit_code_is_named_with_the_last_words(self):
        self.fake("peer-tokio", "echo first >&2\necho the reason >&2\nexit 3\n")
        self.failed(self.run_peers("lock_try", "--pairs", 1), "peer-tokio",
                    "exit code 3: the reason")

    def test_garbage_is_no_result(self):
        for body in ("echo hello\n", "true\n", line() + line(), "echo '{}'\n",
                     line().replace("muster-peer", "other")):
            self.fake("peer-tokio", body)
            self.failed(self.run_peers("lock_try", "--pairs", 1), "peer-tokio", "WORKLOADS.md")

    def test_endless_output_is_cut_off(self):
        self.fake("peer-tokio", "yes\n")
        self.failed(self.run_peers("lock_try", "--pairs", 1), "peer-tokio", "more than 1 MiB")

    def test_ours_failing_ends_the_row(self):
        self.fake("ours", "exit 1\n")
        self.fake("peer-tokio", line())
        self.failed(self.run_peers("lock_try", "--pairs", 1), "muster", "exit code 1")

    def test_a_program_that_cannot_be_started_is_named(self):
        (self.peers / "ours").write_text("no program")
        (self.peers / "ours").chmod(0o644)
        self.fake("peer-tokio", line())
        self.failed(self.run_peers("lock_try", "--pairs", 1), "muster", "cannot be started")

    # ---- nothing is left behind

    def sleeper(self):
        """A peer that does not end, and has a child that would not either."""
        self.pids = self.scratch / "pids"
        self.fake("peer-tokio", f"sleep 1000 &\necho $$ $! > {self.pids}.new\n"
                                f"mv {self.pids}.new {self.pids}\nwait\n")

    def nothing_left(self):
        pids = self.pids.read_text().split()
        self.assertEqual(len(pids), 2)
        return within_seconds(10, lambda: not any(is_alive(pid) for pid in pids))

    def test_a_run_that_takes_too_long_is_killed_with_its_children(self):
        self.sleeper()
        result = self.run_peers("lock_try", "--pairs", 1, "--timeout", 1)
        self.failed(result, "peer-tokio", "took longer than 1 s")
        self.assertTrue(self.nothing_left())

    def test_a_child_that_stays_behind_does_not_hold_the_run_up(self):
        self.fake("peer-tokio", "sleep 1000 &\n" + line())
        self.assertEqual(self.run_peers("lock_try", "--pairs", 1).returncode, 0)

    def test_an_interrupt_ends_everything_and_writes_nothing(self):
        self.sleeper()
        for number in (signal.SIGINT, signal.SIGTERM):
            self.pids.unlink(missing_ok=True)
            with subprocess.Popen(self.command("lock_try", "--out", self.out), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                self.assertTrue(within_seconds(10, self.pids.exists))
                process.send_signal(number)
                _, said = process.communicate(timeout=30)
            self.assertEqual(process.returncode, -number)
            self.assertIn("interrupted", said)
            self.assertTrue(self.nothing_left())
            self.assertEqual(list(self.out.iterdir()), [])

    def test_no_peer_outlives_a_killed_tool(self):
        pid = self.scratch / "pid"
        self.fake("peer-tokio", f"echo $$ > {pid}.new\nmv {pid}.new {pid}\nexec sleep 1000\n")
        with subprocess.Popen(self.command("lock_try", "--out", self.out),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            self.assertTrue(within_seconds(10, pid.exists))
            process.kill()
        self.assertTrue(within_seconds(10, lambda: not is_alive(pid.read_text().strip())))

    # ---- peers that are missing

    def test_skipped_peers_are_named_with_the_reason(self):
        self.fake("peer-asio", line())
        (self.peers / "skipped.txt").write_text("peer-tokio: no cargo\n")
        result = self.run_peers("lock_try", "--pairs", 1)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("without peer-tokio: no cargo", result.stdout)
        self.assertRegex(result.stdout, "without peer-reference: not built")
        skipped = {each["peer"]: each["skipped"] for each in self.document()["peers"]}
        self.assertIsNone(skipped["peer-asio"])
        self.assertEqual(skipped["peer-tokio"], "no cargo")

    def test_peers_are_found_where_meson_puts_them(self):
        (self.peers / "tokio").mkdir()
        self.fake("tokio/peer-tokio", line())
        self.assertEqual(self.run_peers("lock_try", "--pairs", 1).returncode, 0)

    def test_no_peer_at_all_is_an_error_that_says_why(self):
        (self.peers / "skipped.txt").write_text("peer-tokio: no cargo\n")
        self.refused(self.run_peers("lock_try"), "no peer", "peer-tokio: no cargo", "not built")
        self.fake("peer-asio", line())
        self.refused(self.run_peers("lock_try", "--peer", "tokio"), "no peer", "no cargo")
        self.assertFalse(self.out.exists())

    def test_one_peer_can_be_chosen(self):
        self.fake("peer-asio", line())
        self.fake("peer-tokio", line())
        self.run_peers("lock_try", "--pairs", 1, "--peer", "asio")
        sides = [side["peer"] for side in self.document()["rows"][0]["sides"]]
        self.assertEqual(sides, ["muster", "peer-asio"])

    def test_rows_without_a_peer_need_none(self):
        self.fake("ours", line(10).replace("lock_unlock_ns", "document_p50_ns"))
        result = self.run_peers("snapshot_json", "--pairs", 1)
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"snapshot_json +document_p50_ns +10 .*<= 50 000 000: yes")

    # ---- arguments

    def test_the_list_names_every_row_with_its_work_and_targets(self):
        result = run("peers", "--list")
        self.assertEqual(result.returncode, 0, result)
        for words in ("delivery_batch_512", "checkpoint --sessions 100000", "reference,successor",
                      "dispatch_ns_per_event <= 25", ">= 5x reference"):
            self.assertIn(words, result.stdout)

    def test_help_shows_examples_and_exit_codes(self):
        result = run("peers", "--help")
        self.assertEqual(result.returncode, 0)
        for words in ("Examples:", "Exit code:", "--pairs", "--peers-dir", "--check-targets"):
            self.assertIn(words, result.stdout)

    def test_wrong_arguments_are_refused_in_one_line(self):
        self.fake("peer-tokio", line())
        self.refused(self.run_peers("lock_tri"), "did you mean lock_try?")
        self.refused(self.run_peers("qqqqqqqqqqqqqq"), "--list")
        self.refused(self.run_peers("lock_try", "--peer", "java"), "java", "tokio")
        self.refused(self.run_peers("lock_try", "--par", "1"), "--par", "--help")
        for number in ("0", "-1", "many", "101"):
            self.refused(self.run_peers("lock_try", "--pairs", number), "pairs")
        self.refused(self.run_peers("lock_try", "--timeout", "0"), "time limit")

    def test_directories_are_checked_before_anything_runs(self):
        result = run("peers", "--peers-dir", self.scratch / "none")
        self.refused(result, "no directory", "none")
        self.fake("peer-tokio", line())
        (self.scratch / "file").write_text("mine")
        for out in ("file", "file/below"):
            result = self.run_peers("lock_try", "--out", self.scratch / out, out=False)
            self.refused(result, "file")

    # ---- for real

    def test_a_real_row_holds_where_the_peers_are_built(self):
        programs = list(Path(REAL_PEERS).glob("*/peer-asio")) if REAL_PEERS else []
        if not programs:
            self.skipTest("peer-asio is not built")
        if run("work", "--list").returncode:
            self.skipTest("this muster-perf has no workloads")
        result = run("peers", "lock_try", "delivery_batch_8", "--quick", "--pairs", 1,
                     "--peers-dir", REAL_PEERS, "--out", self.out)
        self.assertEqual(result.returncode, 0, result)
        for row in self.document()["rows"]:
            self.assertGreaterEqual(len(row["sides"]), 2)
            self.assertEqual(len({(side["operations_count"], side["checksum"])
                                  for side in row["sides"]}), 1)


if __name__ == "__main__":
    if len(sys.argv) > 2 and os.sep in sys.argv[2]:
        REAL_PEERS = os.path.abspath(sys.argv.pop(2))
    muster_perf_case.main(__doc__)
