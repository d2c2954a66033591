#!/usr/bin/env python3
"""Compares chunker with borg, restic, casync, bup and zpaq, and with b3sum and openssl, on the same files.

usage: bench/peers.py CORPUS [--runs N] [--chunker PROGRAM] [--only NAME,NAME] [--work DIR]

Every run takes all files in and gives all of them back, each program into fresh folders of one file
system, one program after the other so that whatever else the machine does falls on all of them. Before each
step what it reads is read once, and as many bytes as it may write are written and removed, so that the page
cache is warm and a virtual machine has got its memory from its host. Printed are medians, as a Markdown table. The first run also
compares what came back with the input, byte for byte. `chunker` is as shipped; for `chunker-plain` and the
peers chunk sizes are 128K:512K:2048K and compression is zstd level 3, where a program lets one choose.
The names that end in -2 and -1 are the same at zstd's levels 2 and 1: `chunker-plain-2` still stores less than borg at
level 3, `chunker-plain-1` about as much. `chunker-cut` and `chunker-cut-sha256` cut and hash, as much as `chunker cut` does, beside programs that
only hash.
"""

import argparse
import filecmp
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

MB = 1e6


class Program:
    """How one program takes `files` (names in the current folder) in and gives them back."""

    version_command = []
    stores = True  # Otherwise it only reads.

    def __init__(self, store):
        self.store = store
        self.environment = {}

    def prepare(self):
        """What is done once per store and is not timed."""

    def version(self):
        text = subprocess.run(self.version_command, capture_output=True, text=True, check=True).stdout
        match = re.search(r"\b\d+(\.\d+)*", text)
        return match[0] if match else "unknown"

    def run(self, command, folder):
        return subprocess.run(command, cwd=folder, env={**os.environ, **self.environment}, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Chunker(Program):
    path = "chunker"
    options = []

    @property
    def version_command(self):
        return [self.path, "--version"]

    def take_in(self, files):
        return [self.path, "ingest", "--store", self.store, *self.options, *files]

    def give_back(self, out):
        return [self.path, "restore", "--store", self.store, "--all", "--output-dir", out]


class PlainChunker(Chunker):
    """What the peers do as well, and nothing else."""

    options = ["--chunk-sizes", "128K:512K:2048K", "--no-references", "--no-deltas"]


def at_level(program, level):
    """The same at another of zstd's levels."""
    return type(f"{program.__name__}{level}", (program,), {"options": [*program.options, "--zstd-level", str(level)]})


class Borg(Program):
    version_command = ["borg", "--version"]

    def prepare(self):
        self.environment = {"BORG_BASE_DIR": self.store + "-home",
                            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
        self.run(["borg", "init", "--encryption", "none", self.store], ".")

    def take_in(self, files):
        return ["borg", "create", "--compression", "zstd,3", "--chunker-params", "buzhash,17,21,19,4095",
                self.store + "::all", *files]

    def give_back(self, out):
        return ["borg", "extract", self.store + "::all"]


class Restic(Program):
    version_command = ["restic", "version"]

    def prepare(self):
        self.environment = {"RESTIC_PASSWORD": "benchmark", "RESTIC_CACHE_DIR": self.store + "-home"}
        self.run(["restic", "--repo", self.store, "init"], ".")

    def take_in(self, files):
        return ["restic", "--repo", self.store, "backup", *files]

    def give_back(self, out):
        return ["restic", "--repo", self.store, "restore", "latest", "--target", out]


class Casync(Program):
    version_command = ["casync", "--version"]

    def prepare(self):
        os.mkdir(self.store)
        self.places = [f"--store={self.store}/chunks", "--without=privileged", self.store + "/all.caidx"]

    def take_in(self, files):
        return ["casync", "make", "--chunk-size=128K:512K:2048K", *self.places, "."]

    def give_back(self, out):
        return ["casync", "extract", *self.places, "."]


class Bup(Program):
    version_command = ["bup", "--version"]

    def prepare(self):
        self.environment = {"BUP_DIR": self.store, "GIT_CONFIG_COUNT": "1",  # git would advise to name the branch.
                            "GIT_CONFIG_KEY_0": "init.defaultBranch", "GIT_CONFIG_VALUE_0": "main"}
        self.run(["bup", "init"], ".")

    def take_in(self, files):
        return ["sh", "-c", "bup index . && bup save --quiet --name all --strip ."]

    def give_back(self, out):
        return ["bup", "restore", "--quiet", "--outdir", ".", "/all/latest/."]


class Zpaq(Program):
    version_command = ["zpaq"]

    def version(self):
        said = subprocess.run(self.version_command, capture_output=True, text=True, check=False).stdout
        return re.search(r"v(\d+(\.\d+)*)", said)[1]

    def prepare(self):
        os.mkdir(self.store)

    def take_in(self, files):
        return ["zpaq", "add", self.store + "/all.zpaq", *files, "-m1", "-threads", str(os.cpu_count())]

    def give_back(self, out):
        return ["zpaq", "extract", self.store + "/all.zpaq", "-to", out, "-threads", str(os.cpu_count())]


class CuttingChunker(Chunker):
    stores = False
    hash = "blake3"

    def take_in(self, files):
        return [self.path, "cut", "--quiet", "--hash", self.hash, *files]


class CuttingChunkerSha256(CuttingChunker):
    hash = "sha256"


class B3sum(Program):
    version_command = ["b3sum", "--version"]
    stores = False

    def take_in(self, files):
        return ["b3sum", *files]


class Openssl(Program):
    version_command = ["openssl", "version"]
    stores = False

    def take_in(self, files):
        return ["openssl", "dgst", "-sha256", *files]


PROGRAMS = {"chunker": Chunker, "chunker-2": at_level(Chunker, 2), "chunker-1": at_level(Chunker, 1),
            "chunker-plain": PlainChunker, "chunker-plain-2": at_level(PlainChunker, 2),
            "chunker-plain-1": at_level(PlainChunker, 1), "borg": Borg, "restic": Restic, "casync": Casync, "bup": Bup,
            "zpaq": Zpaq, "chunker-cut": CuttingChunker, "chunker-cut-sha256": CuttingChunkerSha256, "b3sum": B3sum,
            "openssl": Openssl}


@dataclass
class Measured:
    """One list per quantity, one value per run."""

    in_seconds: list = field(default_factory=list)
    in_cpu_seconds: list = field(default_factory=list)
    in_peak_bytes: list = field(default_factory=list)
    stored_bytes: list = field(default_factory=list)
    allocated_bytes: list = field(default_factory=list)
    out_seconds: list = field(default_factory=list)
    out_cpu_seconds: list = field(default_factory=list)
    out_peak_bytes: list = field(default_factory=list)

    def median(self, name):
        return statistics.median(getattr(self, name))


def warm(folder, scratch, bytes_count):
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            with open(path, "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass
    with open(scratch, "wb", buffering=0) as file:
        for _ in range(0, bytes_count, 1 << 20):
            file.write(bytes(1 << 20))
    os.unlink(scratch)
    os.sync()


def timed(program, command, folder):
    """Wall seconds, CPU seconds and peak resident bytes of one command."""
    with tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **program.environment},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(command[:6])} ... failed with {process.returncode}:\n"
                     f"{errors.read().decode(errors='replace')[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def disk_usage(folder):
    """Apparent and allocated bytes of the files under a folder."""
    stats = [path.lstat() for path in pathlib.Path(folder).rglob("*") if not path.is_dir()]
    return sum(stat.st_size for stat in stats), sum(stat.st_blocks * 512 for stat in stats)


def check_restored(files, source, out):
    restored = {path.name: path for path in pathlib.Path(out).rglob("*") if path.is_file()}
    for name in files:
        if name not in restored or not filecmp.cmp(source / name, restored[name], shallow=False):
            sys.exit(f"{name} did not come back as it went in")


def measure(program, measured, source, files, out, compare):
    program.prepare()
    logical_bytes = sum((source / name).stat().st_size for name in files)
    warm(source, out.parent / "scratch", logical_bytes)
    seconds, cpu_seconds, peak_bytes = timed(program, program.take_in(files), source)
    measured.in_seconds.append(seconds)
    measured.in_cpu_seconds.append(cpu_seconds)
    measured.in_peak_bytes.append(peak_bytes)
    if not program.stores:
        return
    apparent, allocated = disk_usage(program.store)
    measured.stored_bytes.append(apparent)
    measured.allocated_bytes.append(allocated)
    out.mkdir()
    warm(program.store, out.parent / "scratch", logical_bytes)
    seconds, cpu_seconds, peak_bytes = timed(program, program.give_back(str(out)), out)
    measured.out_seconds.append(seconds)
    measured.out_cpu_seconds.append(cpu_seconds)
    measured.out_peak_bytes.append(peak_bytes)
    if compare:
        check_restored(files, source, out)


def stage(corpus, source):
    """Links (or copies) the files into one folder, so that every program sees the same ones."""
    paths = sorted(corpus.glob("*.nar")) or sorted(path for path in corpus.iterdir() if path.is_file())
    source.mkdir()
    for path in paths:
        try:
            os.link(path, source / path.name)
        except OSError:
            shutil.copyfile(path, source / path.name)
    for path in paths:  # Into the page cache.
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
    return [path.name for path in paths]


def print_table(results, versions, logical_bytes):
    print("| program | in s | MB/s | CPU s | peak MB | stored MB | on disk MB | ratio | out s | MB/s | CPU s | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, measured in results.items():
        m = measured.median
        row = (f"| {name} {versions[name]} | {m('in_seconds'):.2f} | {logical_bytes / MB / m('in_seconds'):.0f} "
               f"| {m('in_cpu_seconds'):.2f} | {m('in_peak_bytes') / MB:.0f} |")
        if PROGRAMS[name].stores:
            row += (f" {m('stored_bytes') / MB:.1f} | {m('allocated_bytes') / MB:.1f} "
                    f"| {logical_bytes / m('stored_bytes'):.3f} "
                    f"| {m('out_seconds'):.2f} | {logical_bytes / MB / m('out_seconds'):.0f} "
                    f"| {m('out_cpu_seconds'):.2f} | {m('out_peak_bytes') / MB:.0f} |")
        print(row)


def print_ratios(results):
    ours = [name for name in results if name.startswith("chunker")]
    for our_name in ours:
        our = results[our_name].median
        print(f"\n| {our_name} against | in: times as fast | out: times as fast | stored: share of its bytes |")
        print("|---|---|---|---|")
        for name, measured in results.items():
            if name in ours or PROGRAMS[name].stores != PROGRAMS[our_name].stores:
                continue
            their = measured.median
            row = f"| {name} | {their('in_seconds') / our('in_seconds'):.2f} |"
            if PROGRAMS[name].stores:
                row += (f" {their('out_seconds') / our('out_seconds'):.2f} "
                        f"| {our('stored_bytes') / their('stored_bytes'):.3f} |")
            print(row)


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{model[1] if model else os.uname().machine}, {os.cpu_count()} CPUs, {memory / 2**30:.0f} GiB"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--chunker", default="chunker", help="the program chunker")
    all_but_slow = ",".join(name for name in PROGRAMS if name != "zpaq")
    parser.add_argument("--only", default=all_but_slow, help="programs, separated by commas; all but zpaq if not given")
    parser.add_argument("--work", help="where stores and restored files go; three times the corpus fits")
    options = parser.parse_args()
    Chunker.path = options.chunker
    names = options.only.split(",")

    with tempfile.TemporaryDirectory(prefix="chunker-peers-", dir=options.work) as work:
        work = pathlib.Path(work)
        source = work / "source"
        files = stage(options.corpus, source)
        logical_bytes = sum((source / name).stat().st_size for name in files)
        print(f"{len(files)} files, {logical_bytes / MB:.1f} MB; medians of {options.runs}; {machine()}\n",
              flush=True)
        results = {name: Measured() for name in names}
        for run in range(options.runs):
            for name in names:
                folder = work / "run"
                folder.mkdir()
                program = PROGRAMS[name](str(folder / "store"))
                measure(program, results[name], source, files, folder / "out", compare=run == 0)
                shutil.rmtree(folder)
        versions = {name: PROGRAMS[name]("").version() for name in names}
    print_table(results, versions, logical_bytes)
    print_ratios(results)


if __name__ == "__main__":
    main()
