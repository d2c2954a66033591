#!/usr/bin/env python3
"""The requirements' speeds and resources (NFR-1 and NFR-2), measured here, as a Markdown table.

usage: bench/targets.py [--chunker PROGRAM] [--runs N] [NAR...]

Without NARs `chunker bench` makes one up. The requirement names a machine, an AMD EPYC 7763 with 256 GB: what it gives
is only known there, so that the last column says what was measured here against what is wanted, no more.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

IDLE_SECONDS = 10
LARGE_BYTES = 100_000_000


def bench(arguments, sample, *stages):
    command = [arguments.chunker, "bench", "--json", "--runs", str(arguments.runs), "--sample", sample, *arguments.nars]
    for stage in stages:
        command += ["--stage", stage]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def speed(objects, stage, ways):
    """The fastest of these ways: peak and average."""
    found = [o for o in objects if o["kind"] == "speed" and o["stage"] == stage and o["way"] in ways]
    best = max(found, key=lambda o: o["average_gb_per_second"])
    return best["peak_gb_per_second"], best["average_gb_per_second"], best["way"]


def speed_row(number, what, least, measured):
    peak, average, way = measured
    return (number, what, f"over {least} GB/s", f"{average:.2f} (peak {peak:.2f}), {way}", average > least)


def large_nar(path):
    """One file of 100 MB that does not compress: everything is copied as often as it can be."""
    def text(*words):
        return b"".join(len(w).to_bytes(8, "little") + w + bytes(-len(w) % 8) for w in words)
    with path.open("wb") as file:
        file.write(text(b"nix-archive-1", b"(", b"type", b"regular", b"contents"))
        file.write(LARGE_BYTES.to_bytes(8, "little"))
        for _ in range(LARGE_BYTES // 1_000_000):
            file.write(os.urandom(1_000_000))
        file.write(bytes(-LARGE_BYTES % 8) + text(b")"))


def peak_bytes(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command[:2])} ended with {process.returncode}")
    return usage.ru_maxrss * 1024


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_share(arguments, store):
    """Of one processor, while an ingest waits for its input, its store open."""
    command = [arguments.chunker, "ingest", "--quiet", "--store", store, "--name", "idle", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    before = processor_seconds(process.pid)
    time.sleep(IDLE_SECONDS)
    share = (processor_seconds(process.pid) - before) / IDLE_SECONDS
    process.communicate()
    return share


def rows(arguments):
    ten_megabytes = "256M" if arguments.nars else "10000000"
    objects = bench(arguments, ten_megabytes, "cut") + bench(arguments, "256M", "hash", "code", "latency")
    yield speed_row("NFR-1.1", "cutting", 2, speed(objects, "cut", ["NARs, blind", "NARs, aligned"]))
    yield speed_row("NFR-1.2", "SHA-256", 1, speed(objects, "hash", ["sha256, one by one"]))
    yield speed_row("NFR-1.3", "BLAKE3", 5, speed(objects, "hash", ["blake3, one by one", "blake3, together"]))
    yield speed_row("NFR-1.4", "zstd level 3", 0.5, speed(objects, "compress", ["zstd"]))
    yield speed_row("NFR-1.5", "LZ4", 2, speed(objects, "compress", ["lz4"]))
    latency = next(o for o in objects if o["kind"] == "latency")
    p99_ms = latency["p99_us"] / 1000
    yield ("NFR-1.6", "1 MB cut, hashed, compressed: p99", "under 5 ms",
           f"{p99_ms:.2f} ms of {latency['count']}, median {latency['median_us'] / 1000:.2f}", p99_ms < 5)
    with tempfile.TemporaryDirectory() as folder:
        nar, store = pathlib.Path(folder) / "large.nar", os.path.join(folder, "store")
        large_nar(nar)
        peak_in = peak_bytes([arguments.chunker, "ingest", "--quiet", "--store", store, str(nar)])
        peak_out = peak_bytes([arguments.chunker, "restore", "--quiet", "--store", store, "-o",
                               os.path.join(folder, "back"), "large.nar"])
        peak = max(peak_in, peak_out)
        yield ("NFR-2.1", "memory for a file of 100 MB", "at most 50 MB",
               f"{peak_in / 1e6:.1f} MB in, {peak_out / 1e6:.1f} MB out", peak <= 50e6)
        share = idle_share(arguments, store)
        yield ("NFR-2.2", "processor while idle", "under 1 %", f"{100 * share:.2f} %", share < 0.01)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunker", default="chunker")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("nars", nargs="*", metavar="NAR")
    print("| | what | wanted | measured here | met here |\n|---|---|---|---|---|")
    for number, what, wanted, measured, met in rows(parser.parse_args()):
        print(f"| {number} | {what} | {wanted} | {measured} | {'yes' if met else 'no'} |", flush=True)


if __name__ == "__main__":
    main()
