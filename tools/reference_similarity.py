#!/usr/bin/env python3
"""Finds the features of chunks as src/delta/similarity.hpp says, slowly and plainly, and writes their vectors.

usage: tools/reference_similarity.py    writes vectors/similarity.json

Numbers are little-endian and unsigned. A window of 32 bytes is in the sample if the sum of its first two u32, each
times its factor, and of RANK_ADDEND is below 2^25, modulo 2^32. Its hash is mix of the sum of its four u64, each times
its factor, modulo 2^64 as all that follows. Feature k is mix of the greatest hash * factor[k] + addend[k] of the
sample; these factors (made odd) and addends are the numbers that splitmix64 gives from 0 after 256 others.
"""

import json
import pathlib
import struct

from reference_cut import make_input, xorshift

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
MODULUS = 1 << 64
WINDOW_BYTES = 32
FEATURE_COUNT = 4


def mix(z):
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9 % MODULUS
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb % MODULUS
    return z ^ (z >> 31)


def splitmix(index):
    return mix((index + 1) * 0x9e3779b97f4a7c15 % MODULUS)


RANK_FACTORS = (0x9e3779b1, 0x85ebca77)
RANK_ADDEND = 0xc2b2ae3d
HASH_FACTORS = (0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0x27d4eb2f165667c5)
FACTORS = [splitmix(256 + k) | 1 for k in range(FEATURE_COUNT)]
ADDENDS = [splitmix(256 + FEATURE_COUNT + k) for k in range(FEATURE_COUNT)]


def rank(window):
    return (sum(a * b for a, b in zip(struct.unpack("<2I", window[:8]), RANK_FACTORS)) + RANK_ADDEND) % (1 << 32)


def window_hash(window):
    return mix(sum(a * b for a, b in zip(struct.unpack("<4Q", window), HASH_FACTORS)) % MODULUS)


def sample(chunk):
    windows = (chunk[at:at + WINDOW_BYTES] for at in range(len(chunk) - WINDOW_BYTES + 1))
    return sorted({window_hash(window) for window in windows if rank(window) < 1 << 25})


def features(sampled):
    if not sampled:
        return None
    return [mix(max((value * factor + addend) % MODULUS for value in sampled))
            for factor, addend in zip(FACTORS, ADDENDS)]


def as_text(found):
    """JSON readers may lose bits of large numbers."""
    return found and [f"{value:016x}" for value in found]


def described(chunk):
    sampled = sample(chunk)
    return {"sample": as_text(sampled), "features": as_text(features(sampled))}


def chunks():
    for kind in ("xorshift", "nibbles", "zeros", "cycle251"):
        for size in (0, 31, 32, 1023, 4999, 20001):
            yield {"kind": kind, "size": size} | described(make_input(kind, size))


def lone_window():
    """A window that is the only sampled one among zeros, so that it must be seen wherever it stands."""
    for seed in range(1, 10000):
        window = xorshift(WINDOW_BYTES, seed)
        chunk = bytes(WINDOW_BYTES) + window + bytes(WINDOW_BYTES)
        if sample(chunk) == [window_hash(window)]:
            return {"window": window.hex()} | described(chunk)
    raise ValueError("no such window")


def main():
    lines = ",\n".join(json.dumps(chunk) for chunk in chunks())
    text = f'{{"chunks": [\n{lines}\n],\n"lone_window": {json.dumps(lone_window())}}}\n'
    (VECTORS / "similarity.json").write_text(text)


if __name__ == "__main__":
    main()
