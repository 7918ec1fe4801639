#!/usr/bin/env python3
"""What muster-perf says and leaves behind: `muster_perf_test.py PROGRAM` runs it, well and badly.

Each test is a method whose name is a sentence. Runs scenarios as small as they get. Sweeps, indexes
and baselines are in muster_perf_documents_test.py.
"""

import json
import os
import resource
import subprocess
import unittest

import muster_perf_case
from muster_perf_case import SMALL, Case, run


class MusterPerf(Case):
    # ---- arguments

    def test_the_list_names_every_scenario_with_its_limit(self):
        result = run("--list", cwd=self.scratch)
        self.assertEqual(result.returncode, 0, result)
        for name in ("checkpoint_overhead", "fanout_overhead", "subscription_lifecycle_churn",
                     "stream_pressure", "process_sessions"):
            self.assertIn(name, result.stdout)
        self.assertIn("100000", result.stdout)
        self.assertEqual(self.names(), [])

    def test_help_shows_examples_and_exit_codes(self):
        result = run("--help")
        self.assertEqual(result.returncode, 0)
        for words in ("Examples:", "Exit code:", "--sessions", "--baseline"):
            self.assertIn(words, result.stdout)

    def test_an_unknown_scenario_is_refused_with_a_suggestion(self):
        self.refused(run("fanout_overhed", cwd=self.scratch), "did you mean fanout_overhead?")
        self.refused(run("qqqqqqqqqqqqqqq", cwd=self.scratch), "--list")
        self.assertEqual(self.names(), [])

    def test_session_counts_that_are_none_are_refused(self):
        for count in ("0", "-3", "abc", "1,,2", "1.5", "99999999999999999999", "10x"):
            self.refused(run("fanout_overhead", "--sessions", count, cwd=self.scratch),
                         "session count")
        self.refused(run("fanout_overhead", "--sessions=", cwd=self.scratch), "--sessions")
        self.assertEqual(self.names(), [])

    def test_a_session_count_over_the_limit_is_refused_with_the_limit(self):
        result = run("fanout_overhead", "--sessions", "10,100001", cwd=self.scratch)
        self.refused(result, "fanout_overhead", "100000", "100001")
        self.assertEqual(self.names(), [])

    def test_numbers_of_repetitions_are_checked(self):
        for count in ("0", "-1", "many", "1001"):
            self.refused(run(*SMALL[:3], "--repetitions", count, cwd=self.scratch), "repetitions")

    def test_an_unknown_option_is_refused(self):
        self.refused(run("--sesions", "3", cwd=self.scratch), "--sesions", "--help")

    # ---- scenarios at scale

    def test_the_list_shows_both_groups_with_variants(self):
        listed = run("--list").stdout
        seed, scale = listed.split("At scale")
        self.assertIn("fanout_overhead", seed)
        for name in ("channel batch_40", "checkpoint cadence", "memory with_subscriber",
                     "processes lives", "wheel spread"):
            self.assertIn(name, scale)

    def test_variants_that_do_not_exist_or_have_no_scenario_are_refused(self):
        self.refused(run("memory", "--variant", "nonsense", cwd=self.scratch),
                     "nonsense", "with_subscriber")
        self.refused(run("fanout_overhead", "--variant", "x", cwd=self.scratch), "leave --variant")
        self.refused(run("--variant", "idle", cwd=self.scratch), "--variant")
        self.refused(run("--scale", "memory", cwd=self.scratch), "--scale")
        self.assertEqual(self.names(), [])

    def test_a_scenario_at_scale_leaves_a_document_for_each_variant(self):
        result = run("memory", "--variant", "idle,with_subscriber", "--sessions", 20,
                     "--repetitions", 2, "--out", self.scratch)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("memory with_subscriber", result.stdout)
        self.assertEqual(self.names(), ["index.json", "memory-idle-20.json",
                                        "memory-with_subscriber-20.json"])
        document = json.loads((self.scratch / "memory-with_subscriber-20.json").read_text())
        self.assertEqual(document["scenario"]["variant"], "with_subscriber")
        self.assertEqual(document["scenario"]["config"]["subscribers_count"], 1)
        self.assertEqual(document["statistics"]["operations_count"]["median"], 20)
        self.assertGreater(document["statistics"]["bytes_per_session"]["median"], 0)
        self.assertTrue(all(check["pass"] for check in document["thresholds"]))
        index = json.loads((self.scratch / "index.json").read_text())
        self.assertEqual([entry["variant"] for entry in index["documents"]],
                         ["idle", "with_subscriber"])

    # ---- single workloads

    def test_work_prints_the_one_line_of_a_peer(self):
        result = run("work", "memory", "--sessions", 10, "--subscribers=1", cwd=self.scratch)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(result.stdout.count("\n"), 1)
        line = json.loads(result.stdout)
        self.assertEqual((line["schema"], line["peer"], line["workload"]),
                         ("muster-peer", "muster", "memory"))
        self.assertEqual((line["operations"], line["checksum"]), (10, "20"))
        self.assertEqual(line["params"]["session_capacity"], 256)

    def test_work_refuses_wrong_arguments(self):
        for wrong in ([], ["nonsense"], ["memory", "--sessions", "0"], ["memory", "--sessions=x"],
                      ["memory", "--sessions"], ["memory", "--nonsense", "1"],
                      ["checkpoint", "--phase", "nonsense"],
                      ["channel_delivery", "--events", "3", "--burst", "2"]):
            self.refused(run("work", *wrong, cwd=self.scratch), "muster-perf work --help")

    def test_work_lists_its_workloads_and_shows_their_parameters(self):
        self.assertIn("channel_delivery", run("work", "--list").stdout.split())
        self.assertIn("batch|try|await", run("work", "channel_delivery", "--help").stdout)

    # ---- documents

    def test_without_a_directory_documents_go_to_muster_reports(self):
        run(*SMALL, cwd=self.scratch)
        self.assertIn("muster-reports/stream_pressure-1.json", self.names())

    def test_json_prints_documents_and_nothing_else_and_writes_no_file(self):
        result = run(*SMALL, "--json", cwd=self.scratch)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(json.loads(result.stdout)["schema"], "muster-report")
        self.assertEqual(result.stderr, "")
        self.assertEqual(self.names(), [])

    def test_what_is_named_twice_is_run_once(self):
        result = run("stream_pressure", *SMALL, "--json", cwd=self.scratch)
        self.assertEqual(json.loads(result.stdout)["scenario"]["sessions"], 1)

    # ---- directories and disks

    def test_a_directory_that_cannot_be_made_is_refused_before_anything_runs(self):
        (self.scratch / "file").write_text("mine")
        self.refused(run(*SMALL, "--out", self.scratch / "file"), "file")
        self.refused(run(*SMALL, "--out", self.scratch / "file" / "below"), "below")
        self.refused(run(*SMALL, "--out", "/proc/muster"), "/proc/muster")
        self.refused(run(*SMALL, "--out="), "--out")
        self.assertEqual((self.scratch / "file").read_text(), "mine")

    @unittest.skipIf(os.geteuid() == 0, "root writes everywhere")
    def test_an_unwritable_directory_is_refused(self):
        self.scratch.chmod(0o500)
        self.addCleanup(self.scratch.chmod, 0o700)
        self.refused(run(*SMALL, "--out", self.scratch), str(self.scratch))

    def test_a_full_disk_leaves_nothing_half_written(self):
        earlier = self.scratch / "stream_pressure-1.json"
        earlier.write_text("earlier")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
        result = run(*SMALL, "--out", self.scratch, preexec_fn=limit)
        self.refused(result, "stream_pressure-1.json", "free some space")
        self.assertEqual(earlier.read_text(), "earlier")
        self.assertEqual(self.names(), ["stream_pressure-1.json"])

    def test_a_full_standard_output_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([muster_perf_case.PROGRAM, *SMALL, "--json"], stdout=full,
                                    stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("standard output", result.stderr)


if __name__ == "__main__":
    muster_perf_case.main(__doc__)
