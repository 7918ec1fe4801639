#!/usr/bin/env python3
"""Documents of muster-perf: sweeps, indexes, baselines. `muster_perf_documents_test.py PROGRAM`.

Each test is a method whose name is a sentence. Runs scenarios as small as they get.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

import muster_perf_case
from muster_perf_case import SMALL, Case, run

TOP = Path(__file__).resolve().parents[2]
MEMORY = ["memory", "--variant", "idle", "--repetitions", "1"]
CHILDREN = ["processes", "--variant", "lives", "--repetitions", "1"]


def few_files():
    """So few that some children can be had, but not 200."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


class Documents(Case):
    def document(self, name):
        return json.loads((self.scratch / name).read_text())

    def index(self):
        return self.document("index.json")["documents"]

    def verdicts(self):
        """What the index says of each file."""
        return [(entry["file"], entry["passed"]) for entry in self.index()]

    def change(self, name, change):
        """Rewrites a document after `change(document)`."""
        document = self.document(name)
        change(document)
        (self.scratch / name).write_text(json.dumps(document))

    def all_fit_their_schema(self):
        """Where the module is that checks it."""
        command = [sys.executable, TOP / "tools/checks/reports.py",
                   TOP / "tools/schema/muster-report.schema.json", self.scratch]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if "No module named 'jsonschema'" not in result.stderr:
            self.assertEqual(result.returncode, 0, result)

    # ---- sweeps

    def test_a_sweep_shows_and_stores_a_growth_curve(self):
        result = run("memory", "--variant", "idle", "--sweep", "--sessions", "1000,100,99999999",
                     "--repetitions", 1, "--out", self.scratch)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("skipped: its limit is 1000000", result.stdout)
        self.assertEqual(self.names(), ["growth-memory-idle.json", "index.json",
                                        "memory-idle-100.json", "memory-idle-1000.json"])
        document = json.loads((self.scratch / "growth-memory-idle.json").read_text())
        self.assertEqual(document["kind"], "growth-curve")
        points = document["curve"]["points"]
        self.assertEqual([point["sessions"] for point in points], [100, 1000, 99999999])
        self.assertEqual([point["passed"] for point in points], [True, True, None])
        self.assertEqual(points[0]["ratio_to_100"], 1)
        self.assertIsNone(points[2]["per_item"])
        for point, count in zip(points, (1, 1, 0)):
            self.assertEqual(len(point["raw_repetitions"]), count)
            self.assertEqual(len(point["thresholds"]), 2 * count)
        self.all_fit_their_schema()

    def test_a_sweep_prints_its_document_with_json(self):
        result = run("memory", "--variant", "idle", "--sweep", "--sessions", "10",
                     "--repetitions", 1, "--json", cwd=self.scratch)
        self.assertEqual(json.loads(result.stdout)["curve"]["per_item_metric"],
                         "bytes_per_session")
        self.assertEqual(self.names(), [])

    def test_a_sweep_of_nothing_or_against_a_baseline_is_refused(self):
        self.refused(run("--sweep", cwd=self.scratch), "--sweep")
        self.refused(run("memory", "--sweep", "--baseline", self.scratch), "--baseline")
        self.refused(run("memory", "--sweep", "--sessions", "0", cwd=self.scratch), "session count")
    def test_a_point_that_fails_keeps_the_others(self):
        result = run(*CHILDREN, "--sweep", "--sessions", "1,2,200", "--out", self.scratch,
                     preexec_fn=few_files)
        self.assertEqual(result.returncode, 1, result)
        self.assertRegex(result.stderr, "processes lives with 200 children failed: .*open files")
        self.assertRegex(result.stdout, "200 .*FAILED: .*open files")
        document = self.document("growth-processes-lives.json")
        self.assertEqual(document["scenario"]["sessions"], 2)
        points = document["curve"]["points"]
        self.assertEqual([point["passed"] for point in points], [True, True, False])
        self.assertIsNone(points[0]["failed"])
        self.assertIn("open files", points[2]["failed"])
        self.assertEqual(self.verdicts(),
                         [("processes-lives-1.json", True), ("processes-lives-2.json", True),
                          ("processes-lives-200.json", False),
                          ("growth-processes-lives.json", False)])
        self.all_fit_their_schema()

    def test_a_sweep_in_which_nothing_was_measured_fails_with_a_valid_document(self):
        result = run(*CHILDREN, "--sweep", "--sessions", "200,20000", "--out", self.scratch,
                     preexec_fn=few_files)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn("none of these counts could be measured", result.stderr)
        document = self.document("growth-processes-lives.json")
        self.assertEqual((document["scenario"]["name"], document["scenario"]["variant"]),
                         ("processes", "lives"))
        self.assertGreater(document["run"]["started_at"], "2000")
        self.assertGreater(document["environment"]["cpus"], 0)
        self.assertEqual([point["passed"] for point in document["curve"]["points"]], [False, None])
        self.assertEqual([entry["passed"] for entry in self.index()], [False, False])
        self.all_fit_their_schema()

    def test_a_sweep_of_nothing_but_counts_above_the_limit_is_refused(self):
        result = run(*CHILDREN, "--sweep", "--sessions", "20000,30000",
                     "--out", self.scratch / "out")
        self.refused(result, "processes takes at most", "not 20000")
        self.assertEqual(self.names(), [])

    def test_a_sweep_runs_each_count_once(self):
        result = run(*MEMORY, "--sweep", "--sessions", "10,10", "--json", cwd=self.scratch)
        self.assertEqual(len(json.loads(result.stdout)["curve"]["points"]), 1)

    # ---- the index

    def test_documents_and_an_index_are_written(self):
        out = self.scratch / "a" / "b"
        result = run(*SMALL, "--out", out)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("queue_pressure_dropped_events_total", result.stdout)
        self.assertEqual(sorted(p.name for p in out.iterdir()),
                         ["index.json", "stream_pressure-1.json"])
        index = json.loads((out / "index.json").read_text())
        self.assertEqual(index["documents"], [{"file": "stream_pressure-1.json",
                                               "scenario": "stream_pressure", "sessions": 1,
                                               "passed": True}])
        document = json.loads((out / "stream_pressure-1.json").read_text())
        self.assertEqual(document["totals"]["queue_pressure_dropped_events_total"], 120)
        self.assertEqual(len(document["repetitions"]), 2)
    def test_the_index_lists_what_all_runs_left(self):
        self.assertEqual(run(*SMALL, "--out", self.scratch).returncode, 0)
        self.assertEqual(run(*MEMORY, "--sessions", 10, "--out", self.scratch).returncode, 0)
        self.all_fit_their_schema()
        self.change("index.json", lambda index: index["documents"][0].update(passed=False))
        self.assertEqual(run(*SMALL, "--out", self.scratch).returncode, 0)
        self.assertEqual(self.verdicts(),
                         [("stream_pressure-1.json", True), ("memory-idle-10.json", True)])
        (self.scratch / "stream_pressure-1.json").unlink()
        run(*MEMORY, "--sessions", 10, "--out", self.scratch)
        self.assertEqual(self.verdicts(), [("memory-idle-10.json", True)])

    def test_a_run_that_failed_is_listed_until_it_works(self):
        loads = [*CHILDREN, "--sessions", "1,200", "--out", self.scratch]
        self.assertEqual(run(*loads, preexec_fn=few_files).returncode, 1)
        names = ["processes-lives-1.json", "processes-lives-200.json"]
        self.assertEqual(self.verdicts(), list(zip(names, (True, False))))
        self.assertIn("open files", self.index()[1]["failed"])
        self.all_fit_their_schema()
        self.assertEqual(run(*loads).returncode, 0)
        self.assertEqual(self.verdicts(), list(zip(names, (True, True))))
        self.assertNotIn("failed", self.index()[1])

    def test_an_aborted_run_leaves_an_index_of_what_it_wrote(self):
        (self.scratch / "memory-idle-20.json").mkdir() # where the second document should go
        result = run(*MEMORY, "--sessions", "10,20", "--out", self.scratch)
        self.assertEqual(result.returncode, 2, result)
        self.assertEqual(self.verdicts(), [("memory-idle-10.json", True)])

    def test_an_index_of_something_else_is_left_alone(self):
        for text in ('{"mine": 1}', "not JSON", '{"schema": 3, "documents": []}'):
            (self.scratch / "index.json").write_text(text)
            self.refused(run(*SMALL, "--out", self.scratch), "index.json", "another directory")
            self.assertEqual((self.scratch / "index.json").read_text(), text)
            self.assertEqual(self.names(), ["index.json"])

    # ---- standard output

    def test_each_document_is_a_line_of_its_own(self):
        result = run(*MEMORY, "--sessions", "10,20", "--json", cwd=self.scratch)
        documents = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([each["scenario"]["sessions"] for each in documents], [10, 20])

    def test_the_list_is_not_json(self):
        self.refused(run("--list", "--json"), "--list", "--json")
        self.refused(run("peers", "--list", "--json"), "--list", "--json")

    # ---- baselines

    def test_earlier_documents_serve_as_a_baseline(self):
        self.assertEqual(run(*SMALL, "--out", self.scratch).returncode, 0)
        for baseline in (self.scratch, self.scratch / "stream_pressure-1.json"):
            result = run(*SMALL, "--json", "--baseline", baseline)
            self.assertEqual(result.returncode, 0, result)
            metrics = json.loads(result.stdout)["baseline"]["metrics"]
            self.assertEqual(metrics["events_received_total"]["verdict"], "same")

    def test_what_is_no_baseline_is_refused(self):
        broken = self.scratch / "broken.json"
        broken.write_text('{"schema": "muster-rep')
        self.refused(run(*SMALL, "--baseline", broken), "broken.json")
        self.refused(run(*SMALL, "--baseline", self.scratch / "missing"), "missing")
        self.refused(run(*SMALL, "--baseline", self.scratch), "no report")

    def test_a_variant_is_compared_with_its_own_earlier_document(self):
        small = ["memory", "--sessions", "20", "--repetitions", "2", "--variant"]
        self.assertEqual(run(*small, "idle", "--out", self.scratch).returncode, 0)
        result = run(*small, "idle", "--json", "--baseline", self.scratch)
        self.assertEqual(result.returncode, 0, result)
        verdict = json.loads(result.stdout)["baseline"]["metrics"]["operations_count"]["verdict"]
        self.assertEqual(verdict, "same")
        self.refused(run(*small, "with_checkpoint", "--baseline", self.scratch), "no report")

    def test_another_config_is_not_compared(self):
        self.assertEqual(run(*MEMORY, "--sessions", "10,20", "--out", self.scratch).returncode, 0)
        self.change("memory-idle-10.json", lambda document: document["scenario"]["config"].update(
            session_capacity_count=7))
        reason = "session_capacity_count was 7 and is 256"
        for baseline in (self.scratch, self.scratch / "memory-idle-10.json"):
            self.refused(run(*MEMORY, "--sessions", 10, "--json", "--baseline", baseline),
                         "memory-idle-10.json", reason)
        both = [*MEMORY, "--sessions", "10,20", "--json", "--baseline", self.scratch]
        result = run(*both)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(result.stderr.count(reason), 1)
        baselines = [json.loads(line)["baseline"] for line in result.stdout.splitlines()]
        self.assertEqual([each is None for each in baselines], [True, False])
        self.assertEqual(run(*both, "--check-baseline").returncode, 1)

    def test_another_build_or_machine_is_warned_of(self):
        loads = [*MEMORY, "--sessions", "10,20"]
        self.assertEqual(run(*loads, "--out", self.scratch).returncode, 0)
        result = run(*loads, "--json", "--baseline", self.scratch)
        self.assertEqual(result.stderr, "")
        self.assertEqual(json.loads(result.stdout.splitlines()[0])["baseline"]["differences"], [])
        for name in ("memory-idle-10.json", "memory-idle-20.json"):
            self.change(name, lambda document: (document["run"].update(sanitizers=["thread"]),
                                                document["environment"].update(cpu_model="Z80")))
        result = run(*loads, "--baseline", self.scratch, "--out", self.scratch / "now")
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(result.stderr.count("\n"), 1, "the same for both, so said once")
        self.assertIn("environment/cpu_model was Z80 and is", result.stderr)
        found = self.document("now/memory-idle-10.json")["baseline"]["differences"]
        self.assertEqual([each["field"] for each in found],
                         ["run/sanitizers", "environment/cpu_model"])
        self.all_fit_their_schema()

    def test_a_regression_fails_where_that_is_asked_for(self):
        four = [*MEMORY[:3], "--sessions", 10, "--repetitions", 4]
        self.assertEqual(run(*four, "--out", self.scratch).returncode, 0)
        compared = [*four, "--json", "--baseline", self.scratch]
        for bytes_before, expected in ((1_000, 1), (1e12, 0)):
            self.change("memory-idle-10.json", lambda document: [
                repetition.update(samples={"peak_rss_bytes": bytes_before})
                for repetition in document["repetitions"]])
            self.assertEqual(run(*compared).returncode, 0)
            result = run(*compared, "--check-baseline")
            self.assertEqual(result.returncode, expected, result)
            self.assertEqual("with 10 sessions: peak_rss_bytes +" in result.stderr, expected == 1)
        self.refused(run(*SMALL, "--check-baseline", cwd=self.scratch), "--baseline")


if __name__ == "__main__":
    muster_perf_case.main(__doc__)
