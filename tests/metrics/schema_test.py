#!/usr/bin/env python3
"""The JSON Schema fits the samples, and nothing that is only nearly one: `schema_test.py SCHEMA DIR`.

Every sample must validate; with a field too many, a field too few, or a wrong type anywhere it must
not. What the schemas of one folder define under the same name must be the same. Exits with 77
("skipped") where no Python has the jsonschema module.
"""

import copy
import json
import os
import sys
from pathlib import Path

try:
    from jsonschema import Draft202012Validator
except ImportError:
    debian = "/usr/bin/python3"
    if os.path.realpath(sys.executable) == os.path.realpath(debian) or not os.path.exists(debian):
        print("skipped: install python3-jsonschema")
        sys.exit(77)
    os.execv(debian, [debian, *sys.argv])

# Objects whose keys are the scenario's own.
OPEN = {"config", "samples", "statistics", "metrics", "parameters", "figures"}
# Fields that may be missing: only some documents have them, or those of later days.
OPTIONAL = {("scenario", "variant"), ("documents", "variant"), ("documents", "failed"),
            ("points", "failed"), ("points", "thresholds"), ("points", "raw_repetitions"),
            ("baseline", "differences")}


def places(node, path=()):
    """Paths of all objects inside a document."""
    if isinstance(node, dict):
        yield path
        for key, value in node.items():
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*path, index))


def at(document, path):
    for step in path:
        document = document[step]
    return document


def mutations(document):
    """Near misses: (what was done, document)."""
    for path in places(document):
        if path and path[-1] in OPEN:
            continue
        spot = "/".join(map(str, path))
        extra = copy.deepcopy(document)
        at(extra, path)["unheard_of"] = 1
        yield f"{spot}: a field too many", extra
        for key in at(document, path):
            fewer = copy.deepcopy(document)
            del at(fewer, path)[key]
            owner = next((step for step in reversed(path) if isinstance(step, str)), None)
            if (owner, key) not in OPTIONAL:
                yield f"{spot}/{key}: missing", fewer
            wrong = copy.deepcopy(document)
            at(wrong, path)[key] = [[]]
            yield f"{spot}/{key}: wrong type", wrong


def special_mutations(document, curve):
    if document["schema"] == "muster-report-index":
        failed = copy.deepcopy(document)
        failed["documents"][-1]["passed"] = True
        yield "a run that failed and passed", failed
        return
    if document["kind"] != "growth-curve":
        curved = copy.deepcopy(document)
        curved["curve"] = curve
        yield "a curve in another kind of document", curved
    if document["kind"] == "growth-curve":
        empty = copy.deepcopy(document)
        empty["curve"]["points"] = []
        yield "a curve without points", empty
    if document["kind"] == "perf-scenario":
        unitless = copy.deepcopy(document)
        unitless["statistics"]["speed"] = unitless["statistics"]["wall_ms"]
        yield "a metric without a unit", unitless
    if document["kind"] == "perf-scenario" and document["totals"]:
        negative = copy.deepcopy(document)
        negative["totals"]["events_received_total"] = -1
        yield "a negative counter", negative
        rounded = copy.deepcopy(document)
        rounded["totals"]["events_received_total"] = 2**60
        yield "a large integer that is not a string", rounded


def different_definitions(schema_file):
    """Names that another schema of the folder defines in another way."""
    own = json.loads(Path(schema_file).read_text())["$defs"]
    for file in Path(schema_file).parent.glob("*.schema.json"):
        for name, definition in json.loads(file.read_text())["$defs"].items():
            if own.get(name, definition) != definition:
                yield f"{file.name}: {name} is not what it is in {Path(schema_file).name}"


def main(schema_file, directory):
    schema = json.loads(Path(schema_file).read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    samples = sorted(Path(directory).glob("*.json"))
    growth = Path(directory) / "growth.json"
    curve = json.loads(growth.read_text())["curve"] if growth.exists() else None
    tried = 0
    problems = list(different_definitions(schema_file))
    for file in samples:
        document = json.loads(file.read_text())
        problems += [f"{file.name}: {e.message[:200]}" for e in validator.iter_errors(document)]
        for what, near_miss in (*mutations(document), *special_mutations(document, curve)):
            tried += 1
            if validator.is_valid(near_miss):
                problems.append(f"{file.name}: accepted with {what}")
    print("\n".join(problems[:40]))
    print(f"{len(samples)} samples, {tried} near misses, {len(problems)} problems")
    return 1 if problems or not samples else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
