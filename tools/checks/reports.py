#!/usr/bin/env python3
"""Validates muster-perf's JSON: `reports.py SCHEMA DIRECTORY` checks every document below DIRECTORY.

The schema is JSON Schema 2020-12; a document that names another one (muster-peers, or an index,
muster-report-index) is checked with the file of that name beside SCHEMA. Prints "PASSED FAILED" as
its last line. Needs python3-jsonschema.
"""

import json
import sys
from pathlib import Path

import jsonschema


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def validators_in(schema_name):
    """Those of all schemas beside that one, by the name that their documents give; it is the default."""
    found = {}
    for file in Path(schema_name).parent.glob("*.schema.json"):
        schema = json.loads(file.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        found[schema["title"]] = jsonschema.Draft202012Validator(schema)
    found[None] = found[json.loads(Path(schema_name).read_text())["title"]]
    return found


def problem_in(validators, file):
    """A sentence about the first thing that is wrong with a document, or None."""
    try:
        document = json.loads(file.read_text(), parse_constant=refuse_constant)
    except ValueError as problem:
        return str(problem)
    name = document.get("schema") if isinstance(document, dict) else None
    validator = validators.get(name, validators[None])
    wrong = next(iter(sorted(validator.iter_errors(document), key=lambda e: list(e.path))), None)
    return wrong and f"{'/'.join(map(str, wrong.absolute_path)) or 'document'}: {wrong.message}"


def main(schema_name, directory):
    validators = validators_in(schema_name)
    passed = failed = 0
    for file in sorted(Path(directory).rglob("*.json")):
        problem = problem_in(validators, file)
        if problem:
            print(f"{file}: {problem[:400]}")
        passed, failed = passed + (not problem), failed + bool(problem)
    print(passed, failed)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
