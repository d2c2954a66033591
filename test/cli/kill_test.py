#!/usr/bin/env python3
"""Kills chunker with SIGKILL at random moments of ingest, gc and repair, and looks at what is left.

After every kill: `verify --content` finds nothing, every NAR that was acknowledged restores bit for bit, and
the next command just goes on. A repair, killed or not, costs only NARs that it names.  usage: kill_test.py CHUNKER [--rounds N] [--seed N]
"""
import argparse
import hashlib
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time


def token(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text + b"\0" * (-len(text) % 8)


def nar_of(contents: bytes) -> bytes:
    words = [b"nix-archive-1", b"(", b"type", b"regular", b"contents", contents, b")"]
    return b"".join(token(word) for word in words)


class Killer:
    def __init__(self, program: str, folder: str, seed: int):
        self.program = program
        self.store = os.path.join(folder, "store")
        self.folder = folder
        self.random = random.Random(seed)
        self.shared = [self.random.randbytes(200_000) for _ in range(8)]
        self.acknowledged: dict[str, str] = {}
        self.removed: set[str] = set()
        self.killed = 0
        self.durations = {"ingest": 0.3, "gc": 0.05, "verify": 0.1}

    def command(self, *words: str) -> list[str]:
        return [self.program, words[0], "--store", self.store, *words[1:]]

    def run(self, *words: str) -> bytes:
        done = subprocess.run(self.command(*words), capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{words} ended with {done.returncode}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout

    def write_nars(self, number: int) -> list[str]:
        """Some NARs that share a part of their bytes with earlier ones, resemble them, or differ in references."""
        paths = []
        for i in range(12):
            shared = bytearray(self.random.choice(self.shared))
            if self.random.random() < 0.7:  # For most of them a delta is worth it.
                for at in range(self.random.randrange(16_000), len(shared), 16_000):
                    shared[at] ^= 1
            reference = b"/nix/store/" + bytes(self.random.choices(b"0123456789abcdfghijklmnpqrsvwxyz", k=32))
            parts = [bytes(shared), reference, self.random.randbytes(self.random.randrange(300_000))]
            path = os.path.join(self.folder, f"r{number}-{i}.nar")
            with open(path, "wb") as file:
                file.write(nar_of(b"".join(parts)))
            paths.append(path)
        return paths

    def start_and_kill(self, kind: str, *words: str) -> bytes:
        """Runs until a random moment; what it said until then."""
        begun = time.monotonic()
        with subprocess.Popen(self.command(kind, *words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(self.random.uniform(0, 1.2) * self.durations[kind])
                self.durations[kind] = time.monotonic() - begun
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                self.killed += 1
            return process.stdout.read()

    def note(self, said: bytes, paths: list[str]) -> None:
        digests = {os.path.basename(path): hashlib.sha256(open(path, "rb").read()).hexdigest() for path in paths}
        for line in said.split(b"\n")[:-1]:  # The last line may be cut short.
            record = json.loads(line)
            if record["kind"] == "nar":
                self.acknowledged[record["name"]] = digests[record["name"]]

    def check(self) -> None:
        # A kill before the store's very first file was durable leaves no store, and nothing acknowledged.
        if not os.path.exists(os.path.join(self.store, "chunker.store")):
            if self.acknowledged:
                sys.exit("the store is gone")
            return
        if not os.path.exists(os.path.join(self.store, "index")):
            self.run("rebuild-index")
        self.run("verify", "--content")
        for name, digest in self.acknowledged.items():
            nar = self.run("restore", name, "-o", "-")
            if hashlib.sha256(nar).hexdigest() != digest:
                sys.exit(f"{name} was acknowledged and came back different")

    def damage_a_pack(self) -> None:
        packs = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(self.store, "packs")) for name in names]
        with open(self.random.choice(sorted(packs)), "r+b") as pack:
            size = pack.seek(0, os.SEEK_END)
            at = max(8, self.random.choice([self.random.randrange(size), size - self.random.randrange(1, 200)]))
            pack.seek(at)
            byte = pack.read(1)[0]
            pack.seek(at)
            pack.write(bytes([byte ^ 1 << self.random.randrange(8)]))

    def repair(self, paths: list[str]) -> None:
        """Damages packs, kills a repair, lets the next one end, and ingests again what there is."""
        self.damage_a_pack()
        self.damage_a_pack()
        self.start_and_kill("verify", "--content", "--repair")
        ended = subprocess.run(self.command("verify", "--content", "--repair"), capture_output=True, text=True, check=False)
        if ended.returncode not in (0, 1):
            sys.exit(f"a repair ended with {ended.returncode}: {ended.stderr}")
        named = subprocess.run(self.command("verify"), capture_output=True, text=True, check=False).stderr
        lost = sorted(set(re.findall(r"^chunker: (r\d+-\d+\.nar): ", named, re.MULTILINE)))
        for name in lost:
            self.acknowledged.pop(name, None)  # One that was killed before it said so may be there too.
        if lost:
            self.run("remove", *lost)
        self.note(self.run("ingest", "--json", *paths), paths)
        self.check()

    def round(self, number: int) -> None:
        paths = self.write_nars(number)
        self.note(self.start_and_kill("ingest", "--json", "--pack-size", "300K", *paths), paths)
        self.check()
        if number % 3 == 2 and len(self.acknowledged) > 8:
            victims = self.random.sample(sorted(self.acknowledged), 5)
            self.run("remove", *victims)
            for victim in victims:
                del self.acknowledged[victim]
            self.start_and_kill("gc", "--garbage-min", "0")
            self.check()
        if number % 4 == 3:
            self.repair(paths)
        for path in paths:
            os.remove(path)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="chunker-kill-") as folder:
        killer = Killer(os.path.abspath(chosen.program), folder, chosen.seed)
        for number in range(chosen.rounds):
            killer.round(number)
        if killer.killed < chosen.rounds // 3:
            sys.exit(f"only {killer.killed} of {chosen.rounds} rounds were killed in time: nothing was shown")
        print(f"{killer.killed} kills in {chosen.rounds} rounds; {len(killer.acknowledged)} acknowledged NARs, none lost")


if __name__ == "__main__":
    main()
