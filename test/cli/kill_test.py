#!/usr/bin/env python3
"""Kills chunker with SIGKILL at random moments of ingest, gc and repair, and looks at what is left.

After every kill: `verify --content` finds nothing, every NAR that was acknowledged restores bit for bit, and
the next command just goes on.  usage: kill_test.py CHUNKER [--rounds N] [--seed N]
"""
import argparse
import random
import signal
import sys
import tempfile

from killed_store import Fault, KilledStore, TO_THE_END


def round_of(store: KilledStore, number: int) -> None:
    numbers = range(number * 12, number * 12 + 12)
    store.ingest(signal.SIGKILL, numbers, "--pack-size", "300K")
    store.check()
    if number % 3 == 2 and len(store.acknowledged) > 8:
        store.remove(TO_THE_END, store.random.sample(sorted(store.listed()), 5))
        store.disturb(signal.SIGKILL, "gc", "--garbage-min", "0")
        store.check()
    if number % 4 == 3:
        store.repair()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="chunker-kill-") as folder:
        store = KilledStore(chosen.program, folder, random.Random(chosen.seed))
        try:
            for number in range(chosen.rounds):
                round_of(store, number)
        except Fault as fault:
            sys.exit(str(fault))
        if store.kills() < chosen.rounds // 3:
            sys.exit(f"only {store.kills()} kills in {chosen.rounds} rounds: nothing was shown")
        print(f"{store.kills()} kills in {chosen.rounds} rounds; {len(store.acknowledged)} acknowledged NARs, none lost")


if __name__ == "__main__":
    main()
