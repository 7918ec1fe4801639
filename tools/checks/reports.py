#!/usr/bin/env python3
"""Validates muster-perf's JSON: `reports.py SCHEMA DIRECTORY` checks every document below DIRECTORY.

The schema is JSON Schema 2020-12; the index that stands beside the documents is not one of them.
Prints "PASSED FAILED" as its last line. Needs python3-jsonschema.
"""

import json
import sys
from pathlib import Path

import jsonschema


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def problem_in(validator, file):
    """A sentence about the first thing that is wrong with a document, or None."""
    try:
        document = json.loads(file.read_text(), parse_constant=refuse_constant)
    except ValueError as problem:
        return str(problem)
    wrong = next(iter(sorted(validator.iter_errors(document), key=lambda e: list(e.path))), None)
    return wrong and f"{'/'.join(map(str, wrong.absolute_path)) or 'document'}: {wrong.message}"


def main(schema_name, directory):
    schema = json.loads(Path(schema_name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    passed = failed = 0
    for file in sorted(Path(directory).rglob("*.json")):
        if file.name == "index.json":
            continue
        problem = problem_in(validator, file)
        if problem:
            print(f"{file}: {problem[:400]}")
        passed, failed = passed + (not problem), failed + bool(problem)
    print(passed, failed)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
