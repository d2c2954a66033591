#!/usr/bin/env python3
"""Runs the fuzz targets of a fuzz build for some time each, and adds what they did to the table of doc/fuzzing.md.

Inputs that are worth keeping collect in BUILD-FOLDER/corpus/TARGET; one that fails is left in
BUILD-FOLDER/failures/. Exits with 1 if there was any.

usage: tools/fuzz.py BUILD-FOLDER SECONDS [TARGET...] [--jobs N] [--no-record]
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORD = ROOT / "doc" / "fuzzing.md"
# libFuzzer looks for leaks after every input; a thread that is just starting or ending then looks like one. With these
# targets only the look at the very end counts.
WITH_THREADS = {"damage", "ingest"}
# Who asked for memory is worth a quarter more inputs: running one that fails again tells.
ASAN_OPTIONS = "malloc_context_size=2"
ROW = re.compile(r"^\| `(\w+)` \| ([\d ]+) \| ([\d.]+) \| (\d+) \|$", re.MULTILINE)


@dataclasses.dataclass
class Run:
    """What a target did, this time or in all."""
    inputs: int = 0
    hours: float = 0.0
    findings: int = 0

    def __add__(self, other):
        return Run(self.inputs + other.inputs, self.hours + other.hours, self.findings + other.findings)

    def row(self, target):
        return f"| `{target}` | {self.inputs:,} | {self.hours:.2f} | {self.findings} |".replace(",", " ")


def add_to_record(text, runs):
    """The document with these runs added to its table; a target that was never run gets a row."""
    sums = {match[1]: Run(int(match[2].replace(" ", "")), float(match[3]), int(match[4]))
            for match in ROW.finditer(text)}
    for target, run in runs.items():
        sums[target] = sums.get(target, Run()) + run
    head, line = re.search(r"^(\| target \|.*\n)(\|[-|]+\n)", text, re.MULTILINE).groups()
    begin = text.index(head)
    rest = re.sub(r"^(\|.*\n)*", "", text[begin:], count=1)
    rows = [sums[target].row(target) for target in sorted(sums)]
    total = sum(sums.values(), Run())
    rows.append(total.row("all").replace("`all`", "**all**"))
    return text[:begin] + head + line + "\n".join(rows) + "\n" + rest


def fuzz(build, target, seconds):
    corpus = build / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    failures = build / "failures"
    failures.mkdir(exist_ok=True)
    known = set(failures.glob(f"{target}-*"))
    command = [build / "fuzz" / f"fuzz_{target}", f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", f"-artifact_prefix={failures}/{target}-", corpus]
    seeds, words = ROOT / "fuzz" / "corpus" / target, ROOT / "fuzz" / "dictionaries" / f"{target}.dict"
    if seeds.is_dir():
        command.append(seeds)
    if words.is_file():
        command.append(f"-dict={words}")
    if target in WITH_THREADS:
        command.append("-detect_leaks=0")
    log = build / f"fuzz-{target}.log"
    begun = time.monotonic()
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={"ASAN_OPTIONS": ASAN_OPTIONS} | os.environ)
    # Beside other work a minute on the clock may be a second of fuzzing; two threads make no two hours of one.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    hours = min(usage.ru_utime + usage.ru_stime, time.monotonic() - begun) / 3600
    said = log.read_text(errors="replace")
    units = re.search(r"^stat::number_of_executed_units: *(\d+)", said, re.MULTILINE)
    # A slow unit is kept for looking at; it is no fault.
    found = [path for path in set(failures.glob(f"{target}-*")) - known if "-slow-unit-" not in path.name]
    if code != 0 and not found:
        sys.exit(f"fuzz_{target} ended with {code} and left no input:\n" + "\n".join(said.splitlines()[-30:]))
    for path in found:
        print(f"{path}:", *said.splitlines()[-30:], sep="\n")
    run = Run(int(units[1]) if units else 0, hours, len(found))
    print(f"{target}: {run.inputs:,} inputs, {run.findings} findings", flush=True)
    return run


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("seconds", type=int)
    options.add_argument("targets", nargs="*")
    options.add_argument("--jobs", type=int, default=int(os.environ.get("JOBS", os.cpu_count())))
    options.add_argument("--no-record", action="store_true", help="leave doc/fuzzing.md as it is")
    chosen = options.parse_args()
    build = chosen.build.resolve()
    targets = chosen.targets or sorted(path.name.removeprefix("fuzz_") for path in (build / "fuzz").glob("fuzz_*")
                                       if path.is_file())
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        runs = dict(zip(targets, pool.map(lambda target: fuzz(build, target, chosen.seconds), targets)))
    if not chosen.no_record:
        RECORD.write_text(add_to_record(RECORD.read_text(), runs))
    findings = sum(run.findings for run in runs.values())
    if findings:
        sys.exit(f"{findings} findings: the inputs are in {build / 'failures'}; to run one again: "
                 f"{build / 'fuzz'}/fuzz_TARGET INPUT")


if __name__ == "__main__":
    main()
