#!/usr/bin/env python3
"""Checks doc/requirements.md against the tests that just ran.

usage: tools/check_requirements.py --build DIR [--table FILE] [--add-tests]

Every criterion has one row; a row marked done names its tests; every named test exists, ran and passed;
a test whose name carries a criterion (`R1_1_...`, `NFR3_2_...`) is named in that criterion's row.
A test is named `Suite.Test`, parameters left out, or as ctest names it (a name without a dot).
--add-tests writes the tests that carry a criterion into their rows first.
"""

import argparse
import pathlib
import re
import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent

# How many acceptance criteria each requirement has: 164 in all.
CRITERIA = {
    "R1": 6, "R2": 5, "R3": 7, "R4": 6, "R5": 4, "R6": 6, "R7": 6, "R8": 5, "R9": 6, "R10": 5,
    "R11": 6, "R12": 5, "R13": 6, "R14": 5, "R15": 7, "R16": 6, "R17": 6, "R18": 6, "R19": 5,
    "R20": 6, "R21": 6, "R22": 6, "R23": 7, "R24": 5, "R25": 5,
    "NFR-1": 6, "NFR-2": 4, "NFR-3": 4, "NFR-4": 3, "NFR-5": 4,
}
STATES = ("done", "part", "open")

ROW = re.compile(r"^\| *((?:R|NFR-)\d+\.\d+) *\|(.*)\|$")
CARRIED = re.compile(r"(?:^|[._])(N?F?R)(\d+)_(\d+)(?=_|$)")


@dataclass
class Row:
    criterion: str
    line: int
    text: str
    state: str
    where: list
    tests: list

    def __str__(self):
        where = ", ".join(f"`{path}`" for path in self.where) or "-"
        tests = ", ".join(f"`{name}`" for name in self.tests) or "-"
        return f"| {self.criterion} | {self.text} | {self.state} | {where} | {tests} |"


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def read_table(text):
    """The rows, and complaints about lines that look like rows and are none."""
    rows, complaints = [], []
    for number, line in enumerate(text.splitlines(), 1):
        match = ROW.match(line)
        if not match:
            continue
        cells = [cell.strip() for cell in match[2].split("|")]
        if len(cells) != 4 or cells[1] not in STATES:
            complaints.append(f"{number}: {match[1]}: a row has five cells, and its state is one of "
                              f"{', '.join(STATES)}")
            continue
        rows.append(Row(match[1], number, cells[0], cells[1], quoted(cells[2]), quoted(cells[3])))
    return rows, complaints


def base_name(suite, test):
    """`All/Contract` and `Round/0` become `Contract.Round`: one name however many parameters."""
    parts = [part for part in suite.split("/") if not part.isdigit()]
    return f"{parts[-1]}.{test.split('/')[0]}"


def read_results(build):
    """Test name -> whether every run of it passed."""
    passed = {}

    def record(name, good):
        passed[name] = passed.get(name, True) and good

    for path in sorted((build / "test-results").glob("*.xml")):
        for case in xml.parse(path).getroot().iter("testcase"):
            good = case.get("result") == "completed" and case.find("failure") is None
            record(base_name(case.get("classname"), case.get("name")), good)
    for case in xml.parse(build / "ctest.xml").getroot().iter("testcase"):
        record(case.get("name"), case.get("status") == "run")
    return passed


def carried_criteria(test):
    kind = {"R": "R", "NFR": "NFR-"}
    return [f"{kind[letters]}{major}.{minor}"
            for letters, major, minor in CARRIED.findall(test) if letters in kind]


def add_tests(rows, passed):
    by_criterion = {row.criterion: row for row in rows}
    for test in sorted(passed):
        for criterion in carried_criteria(test):
            row = by_criterion.get(criterion)
            if row and test not in row.tests:
                row.tests.append(test)


def check_rows(rows):
    expected = [f"{name}.{i}" for name, count in CRITERIA.items() for i in range(1, count + 1)]
    found = [row.criterion for row in rows]
    for criterion in expected:
        if found.count(criterion) != 1:
            yield f"0: {criterion}: has {found.count(criterion)} rows, not one"
    for row in rows:
        if row.criterion not in expected:
            yield f"{row.line}: {row.criterion}: there is no such criterion"
        if row.state == "done" and not row.tests:
            yield f"{row.line}: {row.criterion}: is marked done and names no test; name one or write part"
        if row.state == "open":
            continue
        for path in row.where:
            if not (ROOT / path).exists():
                yield f"{row.line}: {row.criterion}: `{path}` does not exist"


def check_tests(rows, passed):
    for row in rows:
        for test in row.tests:
            if test not in passed:
                yield f"{row.line}: {row.criterion}: `{test}` did not run: no test has this name"
            elif not passed[test]:
                yield f"{row.line}: {row.criterion}: `{test}` failed or was skipped"
    named = {row.criterion: row.tests for row in rows}
    absent = {}
    for test in sorted(passed):
        for criterion in carried_criteria(test):
            if criterion not in named:
                yield f"0: {criterion}: `{test}` carries a criterion that has no row"
            elif test not in named[criterion]:
                absent.setdefault(criterion, []).append(f"`{test}`")
    for criterion, tests in absent.items():
        yield (f"0: {criterion}: {', '.join(tests)} not in its row; "
               "tools/check_requirements.py --add-tests writes it there")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--table", type=pathlib.Path, default=ROOT / "doc/requirements.md")
    parser.add_argument("--add-tests", action="store_true")
    options = parser.parse_args(arguments)
    if not (options.build / "ctest.xml").exists():
        sys.exit(f"{options.build}/ctest.xml is missing: run tools/test.sh first")

    text = options.table.read_text()
    rows, complaints = read_table(text)
    passed = read_results(options.build)
    if options.add_tests:
        add_tests(rows, passed)
        lines = text.splitlines()
        for row in rows:
            lines[row.line - 1] = str(row)
        options.table.write_text("\n".join(lines) + "\n")
    complaints += [*check_rows(rows), *check_tests(rows, passed)]
    for complaint in complaints:
        print(f"{options.table}:{complaint}")
    states = [row.state for row in rows]
    counts = ", ".join(f"{states.count(state)} {state}" for state in STATES)
    print(f"requirements: {counts} of {sum(CRITERIA.values())} criteria; {len(passed)} tests known")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
