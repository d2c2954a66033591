"""A store whose commands are killed at random moments, and a ledger of what it acknowledged.

kill_test.py goes through a fixed course with it, soak.py through a random one.
"""
import collections
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import time

from name_ledger import Fault, NameLedger

TO_THE_END = None
GARBLED = ("flipped bit", "cut short", "gone")


def token(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text + b"\0" * (-len(text) % 8)


def tokens(*words: bytes) -> bytes:
    return b"".join(token(word) for word in words)


def file_node(contents: bytes) -> bytes:
    return tokens(b"(", b"type", b"regular", b"contents", contents, b")")


def nar_of(contents: bytes) -> bytes:
    return token(b"nix-archive-1") + file_node(contents)


def nar_of_files(files: list[bytes]) -> bytes:
    entries = (tokens(b"entry", b"(", b"name", b"file%04d" % i, b"node") + file_node(contents) + token(b")")
               for i, contents in enumerate(files))
    return tokens(b"nix-archive-1", b"(", b"type", b"directory") + b"".join(entries) + token(b")")


def digest_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Package:
    """A NAR that its number alone makes, so that it can be made again; many are alike, as versions are."""

    shared = [random.Random(f"shared {i}").randbytes(200_000) for i in range(8)]

    def __init__(self, number: int):
        source = random.Random(number)
        contents = bytearray(source.choice(self.shared))
        if source.random() < 0.7:  # For most of them a delta is worth it.
            for at in range(source.randrange(16_000), len(contents), 16_000):
                contents[at] ^= 1
        reference = b"/nix/store/" + bytes(source.choices(b"0123456789abcdfghijklmnpqrsvwxyz", k=32))
        parts = [bytes(contents), reference, source.randbytes(source.randrange(300_000))]
        small = [source.randbytes(source.randrange(3000)) for _ in range(source.randrange(40))]
        self.nar = nar_of(b"".join(parts)) if source.random() < 0.7 else nar_of_files([*small, *parts])
        self.digest = hashlib.sha256(self.nar).hexdigest()
        self.name = f"tool{source.randrange(6)}-1.{number % 50}.nar"  # Now and then a name comes again.


class KilledStore:
    def __init__(self, program: str, folder: str, source: random.Random):
        self.program = os.path.abspath(program)
        self.store = os.path.join(folder, "store")
        self.trace = os.path.join(folder, "trace")  # every command, to do it again by hand
        self.sources = os.path.join(folder, "sources")
        self.restored = os.path.join(folder, "restored")
        os.makedirs(self.sources)
        self.random = source
        self.made: dict[str, int] = {}          # digest of every NAR it ever saw: the number of its Package
        self.acknowledged: dict[str, int] = {}  # of those that it must give back
        self.names = NameLedger()
        self.durations = collections.defaultdict(lambda: 0.2)
        self.counts = collections.Counter()
        self.killed = False                     # whether the last disturbed command was

    # Commands

    def command(self, *words: str) -> list[str]:
        command = [self.program, words[0], "--store", self.store, *words[1:]]
        self.say(" ".join(command))
        return command

    def say(self, what: str) -> None:
        with open(self.trace, "a", encoding="utf-8") as trace:
            trace.write(what + "\n")

    def run(self, *words: str, codes=(0,), under=()) -> bytes:
        """Runs to the end, perhaps by a program that limits it."""
        done = subprocess.run([*under, *self.command(*words)], capture_output=True, check=False)
        if done.returncode not in codes:
            raise Fault(f"{words} ended with {done.returncode}: {done.stderr.decode()}{done.stdout.decode()}")
        self.counts[words[0], "ended"] += 1
        self.counts["tries later"] += done.returncode == 75
        return done.stdout

    def disturb(self, how, *words: str, codes=(0,)) -> bytes:
        """Runs until a random moment, when the signal `how` comes; what it said until then."""
        self.killed = False
        if how is TO_THE_END:
            return self.run(*words, codes=codes)
        begun = time.monotonic()
        with subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                said, complaint = process.communicate(
                    timeout=self.random.uniform(0, 1.2) * self.durations[words[0]])
                self.durations[words[0]] = time.monotonic() - begun
                signaled = ()
            except subprocess.TimeoutExpired:
                process.send_signal(how)
                said, complaint = process.communicate()
                signaled = (-how, 128 + how)
        if process.returncode not in (*codes, *signaled):
            raise Fault(f"{words}, {how.name}: ended with {process.returncode}: {complaint.decode()}")
        self.counts[words[0], how.name if process.returncode in signaled else "ended"] += 1
        self.killed = process.returncode in signaled
        if self.killed:
            self.say(f"# {how.name} after {time.monotonic() - begun:.3f} s")
        return said

    def kills(self) -> int:
        return sum(count for what, count in self.counts.items() if what[1:] == ("SIGKILL",))

    # What goes in

    def write(self, numbers) -> dict[str, Package]:
        """Files of these packages, without those whose name another of them has; by path."""
        packages = {}
        for number in numbers:
            package = Package(number)
            path = os.path.join(self.sources, package.name)
            if path not in packages:
                packages[path] = package
                self.made[package.digest] = number
                with open(path, "wb") as file:
                    file.write(package.nar)
        self.names.ingests(package.name for package in packages.values())
        return packages

    def note(self, said: bytes, packages: dict[str, Package]) -> None:
        """Remembers what was acknowledged."""
        digests = {package.name: package.digest for package in packages.values()}
        for line in said.split(b"\n")[:-1]:  # The last line may be cut short.
            record = json.loads(line)
            if record["kind"] != "nar":
                continue
            digest = record["nar_sha256"]
            if digest != digests[record["name"]]:
                raise Fault(f"{record['name']} was acknowledged as another NAR")
            self.acknowledged[digest] = self.made[digest]
            self.counts["acknowledged"] += 1

    def ingest(self, how, numbers, *options: str, codes=(0,)) -> None:
        packages = self.write(numbers)
        self.note(self.disturb(how, "ingest", "--json", *options, *packages, codes=codes), packages)
        for path in packages:
            os.remove(path)

    def settle(self) -> None:
        """What a killed command has made durable may show only to the next writer: this is one."""
        self.run("gc", "--dry-run")

    def listed(self) -> dict[str, str]:
        """The digest behind each name of the store."""
        records = map(json.loads, self.run("list", "--json").splitlines())
        return {record["name"]: record["nar_sha256"] for record in records if record["kind"] == "nar"}

    def remove(self, how, names: list[str]) -> None:
        """What has no other name is not owed any more; if the removal is killed, the next check learns how it ended."""
        before = self.listed()
        owed = {digest for name, digest in before.items() if name not in names}
        self.disturb(how, "remove", *names)
        self.names.removes(names, acknowledged=not self.killed)
        self.counts["names removed"] += len(names)
        for name in names:
            if before[name] not in owed:
                self.acknowledged.pop(before[name], None)

    # What comes out

    def there(self) -> bool:
        """A kill before the store's very first file was durable leaves no store, and nothing acknowledged."""
        there = os.path.exists(os.path.join(self.store, "chunker.store"))
        if not there and self.acknowledged:
            raise Fault("the store is gone")
        return there

    def restore_all(self, how=TO_THE_END, *options: str, codes=(0,)) -> set[str]:
        """The digests of what was restored; every file must be one of the NARs that were made, whole."""
        shutil.rmtree(self.restored, ignore_errors=True)
        self.disturb(how, "restore", "--all", "--output-dir", self.restored, *options, codes=codes)
        return self.compare(self.restored)

    def compare(self, folder: str) -> set[str]:
        digests = set()
        files = list(os.scandir(folder)) if os.path.isdir(folder) else []
        if back := self.names.returned(file.name for file in files):
            raise Fault(f"removed names were restored: {sorted(back)}")
        for file in files:
            if not file.name.startswith("."):  # An unfinished one that its command could not remove.
                digest = digest_of(file.path)
                if digest not in self.made:
                    raise Fault(f"{file.name} was restored, and no such NAR was ever stored")
                digests.add(digest)
                self.counts["compared"] += 1
                self.counts["compared bytes"] += file.stat().st_size
        return digests

    def check(self) -> None:
        """No damage, and everything acknowledged comes back bit for bit."""
        if not self.there():
            return
        if not os.path.exists(os.path.join(self.store, "index")):
            self.run("rebuild-index")
        self.run("verify", "--content")
        lost = self.acknowledged.keys() - self.restore_all()
        if lost:
            raise Fault(f"acknowledged and lost: {sorted(lost)}")
        if self.acknowledged:
            digest = self.random.choice(sorted(self.acknowledged))
            if hashlib.sha256(self.run("restore", digest, "-o", "-")).hexdigest() != digest:
                raise Fault(f"{digest} was acknowledged and came back different")
        self.look()

    def check_settled(self) -> None:
        """The next writer takes in what came back; then all is well."""
        self.settle()
        self.check()

    def look(self) -> None:
        """The names are as they must be; what they name is owed from now on, acknowledged or not."""
        self.settle()
        listed = self.listed()
        self.names.look(listed)
        self.acknowledged.update({digest: self.made[digest] for digest in listed.values()})

    # Damage

    @staticmethod
    def named_in(said: bytes) -> set[str]:
        """The NARs that a repair wants to be ingested again."""
        problems = [record for record in map(json.loads, said.splitlines()) if record["kind"] == "problem"]
        return {problem["context"].split(": ")[0] for problem in problems if "ingest this NAR again" in problem["message"]}

    def blobs(self) -> list[str]:
        """The packs and chunk objects."""
        return sorted(os.path.join(at, name) for folder in ("packs", "chunks")
                      for at, _, names in os.walk(os.path.join(self.store, folder)) for name in names)

    def damage(self) -> None:
        """Garbles a pack or chunk object."""
        blobs = self.blobs()
        if not blobs:
            return
        blob = self.random.choice(blobs)
        kind = self.random.choice(GARBLED)
        self.say(f"# {kind}: {blob}")
        self.counts["damaged, " + kind] += 1
        if kind == "gone":
            os.remove(blob)
            return
        with open(blob, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if kind == "cut short":
                file.truncate(self.random.randrange(size))
                return
            # As often as not at its end, where a pack says what is in it.
            at = self.random.choice([self.random.randrange(size), size - self.random.randrange(1, min(size, 200) + 1)])
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << self.random.randrange(8)]))

    def repair(self, how=signal.SIGKILL) -> None:
        """Damages packs, disturbs a repair, lets the next one end, and ingests again what is lost.

        A repair costs nothing that could be restored before it, disturbed or not.
        """
        self.settle()  # Or a removal would look like a loss.
        for _ in range(self.random.randrange(1, 4)):
            self.damage()
        before = self.restore_all(codes=(0, 1))
        self.disturb(how, "verify", "--content", "--repair", codes=(0, 1))
        said = self.run("verify", "--content", "--repair", "--json", codes=(0, 1))
        after = self.restore_all(codes=(0, 1))
        if before - after:
            raise Fault(f"a repair has lost what was whole: {sorted(before - after)}")
        listed = self.listed()
        lost = {listed[name] for name in self.named_in(said)}  # What can be restored may lack its table of entries.
        unsaid = (self.acknowledged.keys() | set(listed.values())) - after - lost
        if unsaid:
            raise Fault(f"a repair does not name what is lost: {sorted(unsaid)}")
        self.ingest_again(lost)

    def ingest_again(self, lost) -> None:
        self.counts["lost by damage"] += len(lost)
        for digest in sorted(lost):  # One by one: two that are lost may have had one name.
            self.ingest(TO_THE_END, [self.made[digest]])
        self.check()
