#!/usr/bin/env python3
"""Makes system calls of chunker's commands fail, one or all from one on, and looks at what is left.

After every failure: the command ends with a message and an exit code, by no signal; `verify --content` finds nothing,
every NAR that was acknowledged restores bit for bit, and the next command just goes on.
usage: failing_calls_test.py CHUNKER FAILING_CALLS_LIBRARY [--rounds N] [--seed N]
"""
import argparse
import collections
import errno
import os
import random
import subprocess
import sys
import tempfile

from killed_store import Fault, KilledStore, TO_THE_END

# What a path has in it, and how many calls of a command have to do with it at most, about.
PARTS = {"/store/": 150, "/store/index": 80, ".log": 10, "/packs/": 20, "/tmp/": 30}
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
FOR_EVER = 1_000_000


class FailingStore(KilledStore):
    """Its commands are disturbed by failing calls instead of signals."""

    def __init__(self, program: str, library: str, folder: str, source: random.Random):
        super().__init__(program, folder, source)
        self.library = os.path.abspath(library)
        self.failed = collections.Counter()

    def any_failure(self) -> str:
        part = self.random.choice(list(PARTS))
        first = self.random.randrange(PARTS[part])
        return f"{part}:{first}:{self.random.choice([1, FOR_EVER])}:{self.random.choice(ERRORS)}"

    def disturb(self, how, *words: str, codes=(0,)) -> bytes:
        self.killed = False
        if how is TO_THE_END:
            return self.run(*words, codes=codes)
        done = subprocess.run(self.command(*words), capture_output=True, check=False,
                              env=os.environ | {"LD_PRELOAD": self.library, "FAILING_CALLS": how})
        self.say(f"# FAILING_CALLS={how}: {done.returncode}")
        complaint = done.stderr.decode()
        if done.returncode < 0 or (done.returncode not in codes and not complaint.startswith("chunker: ")):
            raise Fault(f"{words}, FAILING_CALLS={how}: ended with {done.returncode}: {complaint}")
        self.killed = done.returncode not in codes
        self.failed[words[0]] += self.killed
        return done.stdout


def round_of(store: FailingStore, number: int) -> None:
    store.ingest(store.any_failure(), range(number * 3, number * 3 + 3), "--pack-size", "200K")
    store.check_settled()
    if number % 3 == 2 and len(store.acknowledged) > 4:
        store.remove(store.any_failure(), store.random.sample(sorted(store.listed()), 3))
        store.check_settled()
        store.disturb(store.any_failure(), "gc", "--garbage-min", "0")
        store.check_settled()
    if number % 5 == 4:
        store.disturb(store.any_failure(), "rebuild-index")
        store.check_settled()
    if number % 5 == 3:
        store.repair(store.any_failure())


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("library")
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="chunker-failing-") as folder:
        store = FailingStore(chosen.program, chosen.library, folder, random.Random(chosen.seed))
        try:
            for number in range(chosen.rounds):
                round_of(store, number)
        except Fault as fault:
            sys.exit(f"{open(store.trace, encoding='utf-8').read()}\n{fault}")
        if store.failed["ingest"] < chosen.rounds // 4:
            sys.exit(f"only {store.failed['ingest']} ingests failed in {chosen.rounds} rounds: nothing was shown")
        print(f"{dict(store.failed)} failed in {chosen.rounds} rounds; {len(store.acknowledged)} NARs, none lost")


if __name__ == "__main__":
    main()
