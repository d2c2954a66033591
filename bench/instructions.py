#!/usr/bin/env python3
"""Instructions per byte of what is on the way of a NAR into a store and back, by callgrind.

usage: bench/instructions.py [--chunker PROGRAM] [--least 0.05] [NAR]

Without a NAR one of 16 MB is made up, the same on every machine. Instructions hardly change from run to run, so that a
loop that got longer shows even on a busy machine. valgrind knows no AVX-512 and no SHA-NI: what is counted are the
kernels for AVX2 and OpenSSL's SHA-256. Printed are Markdown tables: what each command executes in all, and by function.
"""

import argparse
import collections
import os
import pathlib
import random
import re
import subprocess
import tempfile

MADE_UP_FILES = 64
PLAIN = ["--no-references", "--no-deltas"]
COST = re.compile(r"^(?:[+-]?\d+|\*) (\d+)$")
NAME = re.compile(r"^(fn|ob)=\((\d+)\)(?: (.*))?$")


def text(*words):
    return b"".join(len(w).to_bytes(8, "little") + w + bytes(-len(w) % 8) for w in words)


def made_up_nar(path):
    """A directory of files: words, tables of numbers and random bytes in turn."""
    numbers = random.Random(1)
    words = [bytes(numbers.choices(b"abcdefghijklmnopqrstuvwxyz", k=numbers.randrange(2, 11))) for _ in range(5000)]
    with path.open("wb") as file:
        file.write(text(b"nix-archive-1", b"(", b"type", b"directory"))
        for i in range(MADE_UP_FILES):
            contents = [b" ".join(numbers.choices(words, k=38_000)),
                        b"".join(number.to_bytes(8, "little") for number in range(i, 31_250 * 7 + i, 7)),
                        numbers.randbytes(250_000)][i % 3]
            file.write(text(b"entry", b"(", b"name", b"%03d" % i, b"node", b"(", b"type", b"regular", b"contents",
                            contents, b")", b")"))
        file.write(text(b")"))


def self_costs(path):
    """Instructions by function and by object, calls not included."""
    names, costs = {"fn": {}, "ob": {}}, collections.Counter()
    current, of_call = {"fn": "?", "ob": "?"}, False
    for line in path.read_text().splitlines():
        if match := NAME.match(line):
            kind, number, name = match.groups()
            current[kind] = names[kind].setdefault(number, name)
        elif line.startswith("calls="):
            of_call = True
        elif match := COST.match(line):
            if not of_call:
                costs[(pathlib.Path(current["ob"]).name, current["fn"])] += int(match[1])
            of_call = False
        elif match := re.match(r"^c(fn|ob)=\((\d+)\) (.*)$", line):
            names[match[1]].setdefault(match[2], match[3])
    return costs


def counted(command, work):
    out = work / "callgrind.out"
    subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--log-file=/dev/null",
                    *command], check=True,
                   stdout=subprocess.DEVNULL)
    return self_costs(out)


def short(function):
    """Without parameters and template arguments."""
    function = re.sub(r"'\d+$", "", function).replace("(anonymous namespace)::", "")
    while (less := re.sub(r"<[^<>]*>", "", function)) != function:
        function = less
    return function.split("(")[0].removeprefix("chunker::").strip().split(" ")[-1]


def print_functions(what, costs, content_bytes, least):
    by_function = collections.Counter()
    for (program, function), count in costs.items():
        if not program.startswith("ld-linux"):
            by_function[(re.sub(r"\.so.*", "", program), short(function))] += count
    print(f"\n| {what}: in | function | instructions per byte |\n|---|---|---|")
    for (program, function), count in by_function.most_common():
        if count / content_bytes < least:
            break
        print(f"| {program} | `{function}` | {count / content_bytes:.3f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunker", default="chunker")
    parser.add_argument("--least", type=float, default=0.05, help="instructions per byte that a function is shown from")
    parser.add_argument("nar", nargs="?", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chunker-instructions-") as folder:
        work = pathlib.Path(folder)
        nar = arguments.nar or work / "made-up.nar"
        if arguments.nar is None:
            made_up_nar(nar)
        content_bytes = nar.stat().st_size
        store, chunker = str(work / "store"), [arguments.chunker]
        os.environ["CHUNKER_STORE"] = store
        one = ["--quiet", "--threads", "1"]
        commands = {
            "cut": ["cut", *one, str(nar)],
            "cut, SHA-256": ["cut", *one, "--hash", "sha256", str(nar)],
            "ingest, plain": ["ingest", *one, *PLAIN, "--store", str(work / "plain"), str(nar)],
            "ingest": ["ingest", *one, str(nar)],
            "ingest again": ["ingest", *one, str(nar)],
            "restore": ["restore", *one, "-o", str(work / "back"), nar.name],
            "verify --content": ["verify", *one, "--content"],
        }
        nothing = sum(counted([*chunker, "--version"], work).values())
        found = {what: counted(chunker + command, work) for what, command in commands.items()}
    print(f"{content_bytes / 1e6:.1f} MB; starting the program and nothing else: {nothing / 1e6:.1f} million\n")
    print("| command | instructions per byte |\n|---|---|")
    for what, costs in found.items():
        print(f"| {what} | {(sum(costs.values()) - nothing) / content_bytes:.2f} |")
    for what in ("cut", "ingest", "restore"):
        print_functions(what, found[what], content_bytes, arguments.least)


if __name__ == "__main__":
    main()
