#!/usr/bin/env python3
"""Does to stores at random, for a given time, whatever may be done to them, and kills the program again and again.

Ingests with all kinds of options, removes, collects garbage, restores, verifies, repairs damage, rebuilds indexes,
reads while other processes write; loses indexes and packs, and brings old ones back; at random moments SIGKILL or
SIGTERM comes. What was acknowledged must always come back bit for bit, what was removed must stay away, verify must
find nothing but the damage that was done on purpose, and a restored file is whole or not there. A store is used for some
minutes, then comes one of another layout and hash. What was done is printed every minute and in a table at the end;
after a fault the store stays, with a trace of its commands.

usage: soak.py CHUNKER [--minutes N] [--seed N] [--folder DIR]
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import mishaps
from killed_store import Fault, KilledStore, TO_THE_END

SIGNALS = (TO_THE_END, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)
# How it is ingested: one set of each line.
COMPRESSION = ([], [], ["--strategy", "fastest"], ["--strategy", "adaptive"], ["--strategy", "auto"],
               ["--min-ratio-threshold", "0.5"])
CUTTING = ([], [], ["--preset", "nar"], ["--chunk-sizes", "4K:16K:64K"], ["--nar-mode", "off"], ["--nar-mode", "biased"],
           ["--algorithm", "rabin_karp"], ["--algorithm", "fixed"], ["--prefer-sections", "--dedup-hint"])
OTHERWISE = ([], [], ["--no-deltas"], ["--no-references"], ["--nice", "5"], ["--cpu-time-limit", "0.05"], ["--ease-off"])
LIMITS = ((["prlimit", "--nofile=24"], []), (["prlimit", "--nofile=48"], []), ([], ["--memory-limit", "8MiB"]),
          ([], ["--memory-limit", "32MiB"]), ([], ["--cpu-time-limit", "0.02"]))
PACK_SIZES = (["--pack-size", "300K"], ["--pack-size", "300K"], ["--pack-size", "2M"], [])
STORE_SECONDS = 300
REPORT_SECONDS = 60
NARS_MAX = 120  # Beyond that removing comes first, so that checking everything stays quick.


class Soak:
    def __init__(self, program: str, folder: str, seed: int):
        self.program = program
        self.folder = folder
        self.random = random.Random(seed)
        self.counts = collections.Counter()
        self.numbers = iter(range(1 << 60))
        self.store = self.new_store()

    def new_store(self) -> KilledStore:
        self.counts["stores"] += 1
        self.creation = ["--layout", self.random.choice(["packs", "packs", "objects"]),
                         "--hash", self.random.choice(["blake3", "sha256"])]
        store = KilledStore(self.program, os.path.join(self.folder, str(self.counts["stores"])), self.random)
        store.counts = self.counts
        return store

    def options(self) -> list[str]:
        sets = (self.random.choice(kinds) for kinds in (COMPRESSION, CUTTING, OTHERWISE, PACK_SIZES))
        return sum(sets, [*self.creation, "--threads", str(self.random.randrange(5))])

    def some_numbers(self) -> list[int]:
        """Of packages: mostly new ones, some that were stored before."""
        old = list(self.store.made.values())
        return [self.random.choice(old) if old and self.random.random() < 0.2 else next(self.numbers)
                for _ in range(self.random.randrange(1, 16))]

    # What may be done. Each leaves the store so that everything acknowledged can be had from it.

    def ingest(self, how) -> None:
        options = self.options()
        self.store.ingest(how, self.some_numbers(), *options, codes=may_end_with(options))

    def ingest_under_pressure(self, _) -> None:
        """Too few descriptors, too little memory or time: exit code 75 at most. Without that all goes in."""
        packages = self.store.write(self.some_numbers())
        under, limit = self.random.choice(LIMITS)
        words = ["ingest", "--json", *self.creation, *packages]
        self.store.note(self.store.run(*words, *limit, codes=(0, 75), under=under), packages)
        self.store.note(self.store.run(*words), packages)
        lost = {package.digest for package in packages.values()} - self.store.acknowledged.keys()
        if lost:
            raise Fault(f"not taken in though nothing was scarce any more: {sorted(lost)}")

    def remove(self, how) -> None:
        self.store.settle()
        names = sorted(self.store.listed())
        if names:
            self.store.remove(how, self.random.sample(names, self.random.randrange(len(names)) // 2 + 1))

    def collect(self, how) -> None:
        self.store.disturb(how, "gc", "--garbage-min", self.random.choice(["0", "5", "50"]))

    def restore(self, how) -> None:
        self.store.restore_all(how, "--threads", str(self.random.randrange(5)))

    def verify(self, how) -> None:
        self.store.disturb(how, "verify", *self.random.choice([[], ["--content"], ["--content", "--repair"]]))

    def rebuild(self, how) -> None:
        if self.random.random() < 0.5:
            shutil.rmtree(os.path.join(self.store.store, "index"))
        self.store.disturb(how, "rebuild-index")

    def some_mishap(self, _) -> None:
        """Of the index or of packs, with other commands meanwhile."""
        def write():
            self.ingest(TO_THE_END)

        def write_and_free():
            self.ingest(TO_THE_END)
            self.remove(TO_THE_END)
            self.collect(TO_THE_END)

        self.random.choice([
            lambda: mishaps.rebuild_sound(self.store), lambda: mishaps.rebuild_damaged(self.store),
            lambda: mishaps.old_index(self.store, write_and_free), lambda: mishaps.pack_returns(self.store, write),
            lambda: mishaps.packs_exchanged(self.store)])()

    def repair(self, how) -> None:
        self.store.check()  # Or damage would be found that was not done here.
        self.store.repair(how)

    def read_beside_writers(self, how) -> None:
        """Two read while one ingests and one collects garbage: they have every NAR that was there before."""
        packages = self.store.write(self.some_numbers())
        options = self.options()
        ingest = self.start("ingest", "--json", *options, *packages)
        gc = self.start("gc", "--json", "--garbage-min", "0")
        folders = [f"{self.store.restored}{number}" for number in range(2)]
        readers = [self.start("restore", "--all", "--output-dir", folder) for folder in folders]
        for folder, reader in zip(folders, readers):
            self.ended(reader, (0,), may_be_locked=True)
            if reader.returncode == 75:  # It began while gc deleted packs.
                self.store.run("restore", "--all", "--output-dir", folder)
            if lost := self.store.acknowledged.keys() - self.store.compare(folder):
                raise Fault(f"not there while other processes write: {sorted(lost)}")
            shutil.rmtree(folder, ignore_errors=True)
        if how is not TO_THE_END:
            ingest.send_signal(how)
        self.ended(gc, (0,), may_be_locked=True)
        said = self.ended(ingest, (*may_end_with(options), *((-how, 128 + how) if how else ())), may_be_locked=True)
        self.store.note(said, packages)
        for process in (gc, ingest):
            if process.returncode == 75:  # The other one is done: now it must work.
                self.store.note(self.store.run(*process.args[1:2], *process.args[4:], codes=may_end_with(process.args)),
                                packages)
        self.counts["beside writers", "ended" if ingest.returncode in (0, 75) else how.name] += 1

    def start(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen(self.store.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @staticmethod
    def ended(process: subprocess.Popen, codes, may_be_locked=False) -> bytes:
        said, complaint = process.communicate()
        if may_be_locked and process.returncode == 75 and b"(store_locked)" in complaint:
            return said
        if process.returncode not in codes:
            raise Fault(f"{process.args} ended with {process.returncode}: {complaint.decode()}")
        return said

    def step(self) -> str:
        there = self.store.there()
        full = len(self.store.acknowledged) > NARS_MAX
        rest = [self.collect, self.restore, self.verify, self.rebuild, self.repair,
                self.read_beside_writers, self.ingest_under_pressure] + [self.some_mishap] * 3
        ways = [self.ingest] if not there else [self.remove, self.collect] if full else [self.ingest] * 4 + [self.remove] + rest
        way, how = self.random.choice(ways), self.random.choice(SIGNALS)
        if there and not os.path.exists(os.path.join(self.store.store, "index")):
            self.store.run("rebuild-index")  # The one before was killed.
        self.store.say(f"## {way.__name__}")
        way(how)
        self.counts["steps"] += 1
        self.counts["step, " + way.__name__] += 1
        if self.random.random() < 0.3:
            self.store.check()
        return f"{way.__name__}, {how.name if how else 'to its end'}"

    def run(self, seconds: float) -> None:
        begun = time.monotonic()
        store_until, report_at = begun + STORE_SECONDS, begun + REPORT_SECONDS
        did = collections.deque(maxlen=10)
        try:
            while (now := time.monotonic()) < begun + seconds:
                if now > report_at:
                    report_at += REPORT_SECONDS
                    print(f"{(now - begun) / 60:5.1f} min: {self.summary()}", flush=True)
                if now > store_until:
                    store_until = now + STORE_SECONDS
                    self.store.check()
                    shutil.rmtree(os.path.dirname(self.store.store))
                    self.store = self.new_store()
                did.append(self.step())
            self.store.check()
        except Fault as fault:
            raise Fault(f"{fault}\nbefore that: {'; '.join(did)}\nthe store: {self.store.store}\n"
                        f"its commands: {self.store.trace}") from None
        finally:
            self.print_table()

    def summary(self) -> str:
        return (f"{self.counts['steps']} steps, {self.store.kills()} kills, {self.counts['acknowledged']} NARs "
                f"acknowledged, {self.counts['compared']} compared, none lost")

    def print_table(self) -> None:
        columns = ["ended", "SIGKILL", "SIGTERM"]
        print("".join(f"{word:>16}" for word in ["command", *columns]))
        for command in sorted({key[0] for key in self.counts if isinstance(key, tuple)}):
            print(f"{command:>16}" + "".join(f"{self.counts[command, column]:16}" for column in columns))
        print()
        for word in sorted(key for key in self.counts if isinstance(key, str)):
            print(f"{word:>28}{self.counts[word]:16}")


def may_end_with(options: list[str]) -> tuple[int, ...]:
    """Trying later is an answer only where the time to compute was limited."""
    return (0, 75) if "--cpu-time-limit" in options else (0,)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options.add_argument("--folder", help="where stores are made; by default a new one in TMPDIR")
    chosen = options.parse_args()
    folder = tempfile.mkdtemp(prefix="chunker-soak-", dir=chosen.folder)
    print(f"for {chosen.minutes:g} minutes, seed {chosen.seed}", flush=True)
    soak = Soak(chosen.program, folder, chosen.seed)
    try:
        soak.run(chosen.minutes * 60)
    except Fault as fault:
        sys.exit(f"FAULT: {fault}\nthe seed: {chosen.seed}")
    shutil.rmtree(folder)
    print("nothing was lost")


if __name__ == "__main__":
    main()
