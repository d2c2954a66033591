#!/usr/bin/env python3
"""Fills the disk under chunker and looks at what is left.

A full disk ends ingest with exit code 75 and one clear message; what was acknowledged stays, verify is clean,
and with room again the next ingest just goes on.  Two kinds of full disk: a limit on the size of files (works
for everybody), and a small tmpfs (where this process may mount one).  usage: full_disk_test.py CHUNKER
"""
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

from killed_store import nar_of


def fail(why: str) -> None:
    sys.exit(why)


def write_nars(folder: str) -> list[str]:
    source = random.Random(7)
    paths = []
    for i in range(16):
        paths.append(os.path.join(folder, f"n{i:02}.nar"))
        with open(paths[-1], "wb") as file:
            file.write(nar_of(source.randbytes(500_000)))
    return paths


def limit_file_size(limit: int):
    def apply() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return apply


def ingest(program: str, store: str, paths: list[str], before=None) -> tuple[int, list[str], str]:
    command = [program, "ingest", "--store", store, "--json", "--pack-size", "1200K", *paths]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=before, check=False)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, [r["name"] for r in records if r["kind"] == "nar"], done.stderr


def check(program: str, store: str, acknowledged: list[str], paths: list[str]) -> None:
    verify = subprocess.run([program, "verify", "--content", "--store", store], capture_output=True, text=True, check=False)
    if verify.returncode != 0:
        fail(f"damage after a full disk: {verify.stdout}{verify.stderr}")
    originals = {os.path.basename(path): path for path in paths}
    for name in acknowledged:
        back = subprocess.run([program, "restore", "--store", store, name, "-o", "-"], capture_output=True, check=True)
        if back.stdout != open(originals[name], "rb").read():
            fail(f"{name} was acknowledged and came back different")


def expect_full(outcome: tuple[int, list[str], str], count: int) -> list[str]:
    code, acknowledged, said = outcome
    if code != 75:
        fail(f"a full disk must end with 75, not {code}: {said}")
    if "io_no_space" not in said or "Make room" not in said:
        fail(f"the message does not say what is full: {said}")
    if len(acknowledged) >= count:
        fail("everything fitted: nothing was shown")
    return acknowledged


def with_file_size_limit(program: str, folder: str, paths: list[str]) -> None:
    store = os.path.join(folder, "store")
    code, acknowledged, said = ingest(program, store, paths[:4])
    if code != 0:
        fail(f"the first ingest failed: {said}")
    # Packs of 1200K do not fit below this limit.
    acknowledged += expect_full(ingest(program, store, paths[4:], limit_file_size(1_000_000)), len(paths) - 4)
    check(program, store, acknowledged, paths)
    finish(program, store, paths)


def with_small_tmpfs(program: str, folder: str, paths: list[str]) -> bool:
    mount = os.path.join(folder, "small")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount], capture_output=True, check=False).returncode != 0:
        return False
    try:
        store = os.path.join(mount, "store")
        acknowledged = expect_full(ingest(program, store, paths), len(paths))
        if not acknowledged:
            fail("6 MB hold some of 8 MB of NARs")
        check(program, store, acknowledged, paths)
        subprocess.run(["mount", "-o", "remount,size=40m", mount], check=True)
        finish(program, store, paths)
    finally:
        subprocess.run(["umount", mount], check=True)
    return True


def finish(program: str, store: str, paths: list[str]) -> None:
    code, names, said = ingest(program, store, paths)
    if code != 0 or len(names) != len(paths):
        fail(f"with room again ingest must succeed: {said}")
    check(program, store, names, paths)


def main() -> None:
    program = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="chunker-full-")
    try:
        paths = write_nars(folder)
        with_file_size_limit(program, folder, paths)
        mounted = os.geteuid() == 0 and with_small_tmpfs(program, folder, paths)
        print("nothing lost on a full disk: file size limit" + (", tmpfs of 6 MB" if mounted else ""))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
