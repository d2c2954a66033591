#!/usr/bin/env python3
"""Limits against what programs under load really take: memory, descriptors, threads, NARs under way.

usage: bench/limits.py [--chunker PROGRAM] [--memory 128MiB] [--descriptors 256] [--threads 2,16] [--work DIR] NAR...

Each command runs over all NARs with `--memory-limit`, `--threads` and a limit of descriptors (`ulimit -n`). Its files in
/proc are looked at every few milliseconds; the peak of resident memory is the kernel's. NARs under way are those whose
files are open at once (of a restore those being written): what queues between the stages belongs to one of them. Printed
is a Markdown table; exits with 1 if a command fails or takes more than it may (5 percent more of memory).
"""

import argparse
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

LOOK_SECONDS = 0.003
SLACK = 1.05


@dataclass
class Peaks:
    rss_bytes: int = 0
    descriptors: int = 0
    threads: int = 0
    nars: int = 0

    def look(self, pid, nar_folder):
        """Takes in what /proc says now; what is gone meanwhile is not counted."""
        try:
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            threads = len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            return
        self.descriptors = max(self.descriptors, len(links))
        self.threads = max(self.threads, threads)
        self.nars = max(self.nars, sum(link.startswith(f"{nar_folder}/") for link in links))


def run(command, descriptors, nar_folder):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (descriptors, descriptors)))
    peaks = Peaks()
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        peaks.look(process.pid, nar_folder)
        time.sleep(LOOK_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command[:2])} ended with {process.returncode}")
    peaks.rss_bytes = usage.ru_maxrss * 1024
    return peaks


def mebibytes(value):
    return int(value.removesuffix("MiB"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunker", default="chunker")
    parser.add_argument("--memory", default=128, type=mebibytes, metavar="MiB")
    parser.add_argument("--descriptors", default=256, type=int)
    parser.add_argument("--threads", default="2,16", type=lambda value: [int(n) for n in value.split(",")])
    parser.add_argument("--work", type=pathlib.Path, help="where stores and restored files go")
    parser.add_argument("nars", nargs="+", type=pathlib.Path, metavar="NAR")
    arguments = parser.parse_args()
    nars = [str(nar.resolve()) for nar in arguments.nars]
    folder_of_nars = str(arguments.nars[0].resolve().parent)
    too_much = False
    print(f"Limits: {arguments.memory} MiB, {arguments.descriptors} descriptors.\n")
    print("| command | threads asked for | peak MiB | descriptors | threads | NARs under way |\n|---|---|---|---|---|---|")
    for threads in arguments.threads:
        with tempfile.TemporaryDirectory(dir=arguments.work, prefix="limits-") as folder:
            store, back = ["--store", f"{folder}/store"], f"{folder}/back"
            common = ["--quiet", "--memory-limit", f"{arguments.memory}MiB", "--threads", str(threads)]
            for what, rest, nar_folder in (
                    ("ingest", [*store, *nars], folder_of_nars), ("ingest again", [*store, *nars], folder_of_nars),
                    ("restore", [*store, "--all", "--output-dir", back], back),
                    ("verify", [*store, "--content"], back), ("cut", nars, folder_of_nars)):
                peaks = run([arguments.chunker, what.split()[0], *common, *rest], arguments.descriptors, nar_folder)
                print(f"| {what} | {threads} | {peaks.rss_bytes / 2**20:.0f} | {peaks.descriptors} | {peaks.threads} "
                      f"| {peaks.nars} |", flush=True)
                too_much |= peaks.rss_bytes > SLACK * arguments.memory * 2**20
            shutil.rmtree(back)
    sys.exit(1 if too_much else 0)


if __name__ == "__main__":
    main()
