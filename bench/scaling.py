#!/usr/bin/env python3
"""What one small NAR costs, from a thousand of them to a million: it must stay the same.

usage: bench/scaling.py [--chunker PROGRAM] [--counts 1000,10000,100000] [--work DIR] [--syscalls N]

Makes NARs of 1 to 8 KiB, a directory of two or three files each, of which about a third occurs in other NARs, too; the
same on every machine. For every count they are taken into a fresh store by one `chunker ingest`, and once more when it
knows them all. Printed is a Markdown table: per NAR the time on the clock and of processors (user and system), the
bytes of the index and of everything stored, and the peak of resident memory. With --syscalls N, system calls per NAR:
those of 2 N NARs less those of N, so that what any run costs does not count (needs strace).
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time

NARS_PER_FOLDER = 1000
SHARED_FILES = 500


def text(*words):
    """Strings as they stand in a NAR."""
    parts = []
    for word in words:
        word = word if isinstance(word, bytes) else word.encode()
        parts.append(len(word).to_bytes(8, "little") + word + bytes(-len(word) % 8))
    return b"".join(parts)


def nar_of(files):
    """A directory of regular files, given by name, ascending."""
    nar = text("nix-archive-1", "(", "type", "directory")
    for name, contents in files:
        nar += text("entry", "(", "name", name, "node", "(", "type", "regular", "contents", contents, ")", ")")
    return nar + text(")")


def contents_of(seed, size):
    """Words of a small vocabulary with numbers between them: compresses to about a third."""
    numbers = random.Random(seed)
    words = " ".join(f"word{numbers.randrange(3000)}" for _ in range(size // 8 + 1))
    return words.encode()[:size]


def make_nars(folder, count):
    shared = [contents_of(f"shared {i}", 300 + 4 * i) for i in range(SHARED_FILES)]
    for i in range(count):
        if i % NARS_PER_FOLDER == 0:
            part = folder / f"{i // NARS_PER_FOLDER:04}"
            part.mkdir()
        numbers = random.Random(i)
        files = [("bin", contents_of(f"bin {i}", numbers.randrange(300, 4500)))]
        if numbers.random() < 0.5:
            files.append(("doc", contents_of(f"doc {i}", numbers.randrange(100, 2000))))
        files.append(("lib", shared[numbers.randrange(SHARED_FILES)]))
        name = f"{numbers.getrandbits(160):032x}-package{i}-1.0.nar"
        (part / name).write_bytes(nar_of(files))


def list_of(nars, count, path):
    """The first `count` NARs, in a file."""
    names = []
    for part in sorted(nars.iterdir()):
        names += sorted(part.iterdir())
        if len(names) >= count:
            break
    path.write_text("".join(f"{name}\n" for name in names[:count]))
    return path


def measured(command):
    """Seconds on the clock, of processors, and the peak of memory in bytes."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command[:2])} ended with {process.returncode}")
    seconds = time.monotonic() - begin
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def ingest(arguments, store, nar_list):
    return [arguments.chunker, "ingest", "--quiet", "--store", str(store), "--files-from", str(nar_list)]


def index_bytes(arguments, store):
    out = subprocess.run([arguments.chunker, "stats", "--json", "--store", str(store)], check=True,
                         capture_output=True, text=True).stdout
    stats = json.loads(out)
    return stats["index_bytes"], stats["stored_bytes"]


def print_scaling(arguments, nars, work):
    print("| NARs | taken in | us per NAR | processor us per NAR | index bytes per NAR | stored bytes per NAR | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for count in arguments.counts:
        store = work / "store"
        nar_list = list_of(nars, count, work / "list")
        for what in ("new", "known"):
            seconds, processor, peak = measured(ingest(arguments, store, nar_list))
            index, stored = index_bytes(arguments, store)
            print(f"| {count} | {what} | {seconds / count * 1e6:.0f} | {processor / count * 1e6:.0f} "
                  f"| {index / count:.0f} | {stored / count:.0f} | {peak / 1e6:.0f} |", flush=True)
        shutil.rmtree(store)


def calls_of(arguments, nars, count, work):
    """How often each system call was made for this many new NARs."""
    store, table = work / "store", work / "calls"
    command = ingest(arguments, store, list_of(nars, count, work / "list"))
    subprocess.run(["strace", "-f", "-c", "-U", "name,calls", "-o", str(table), *command], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(store)
    rows = re.findall(r"^(\w+)\s+(\d+)$", table.read_text(), re.MULTILINE)
    return {name: int(calls) for name, calls in rows if name != "total"}


def print_syscalls(arguments, nars, work):
    count = arguments.syscalls
    few, many = calls_of(arguments, nars, count, work), calls_of(arguments, nars, 2 * count, work)
    per_nar = {name: (calls - few.get(name, 0)) / count for name, calls in many.items()}
    often = sorted(((rate, name) for name, rate in per_nar.items() if rate >= 0.01), reverse=True)
    print(f"\nSystem calls per NAR ({2 * count} NARs less {count}): {sum(per_nar.values()):.1f}: "
          + ", ".join(f"{name} {rate:.2f}" for rate, name in often))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunker", default="chunker")
    parser.add_argument("--counts", default="1000,10000,100000",
                        type=lambda value: [int(count) for count in value.split(",")])
    parser.add_argument("--work", type=pathlib.Path, help="where NARs and stores go, some 8 KiB per NAR each")
    parser.add_argument("--syscalls", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="scaling-") as folder:
        work = pathlib.Path(folder)
        nars = work / "nars"
        nars.mkdir()
        make_nars(nars, max([*arguments.counts, 2 * arguments.syscalls]))
        if arguments.syscalls:
            print_syscalls(arguments, nars, work)
        print_scaling(arguments, nars, work)


if __name__ == "__main__":
    main()
