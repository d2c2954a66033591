#!/usr/bin/env python3
"""Finds the features of chunks as src/delta/similarity.hpp says, slowly and plainly, and writes their vectors.

usage: tools/reference_similarity.py    writes vectors/similarity.json

The hash of a window of 32 bytes b is the sum of gear[b[i]] * 4^(31 - i), modulo 2^64 as everything here. Windows
whose hash is below 2^57 are the sample. Feature k is mix of the greatest hash * factor[k] + addend[k] of them. Gear,
factors (made odd) and addends are the first numbers that splitmix64 gives from 0.
"""

import json
import pathlib

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


GEAR = [splitmix(i) for i in range(256)]
FACTORS = [splitmix(256 + k) | 1 for k in range(FEATURE_COUNT)]
ADDENDS = [splitmix(256 + FEATURE_COUNT + k) for k in range(FEATURE_COUNT)]


def window_hash(window):
    return sum(GEAR[byte] << (2 * (WINDOW_BYTES - 1 - i)) for i, byte in enumerate(window)) % MODULUS


def sample(chunk):
    hashes = (window_hash(chunk[at:at + WINDOW_BYTES]) for at in range(len(chunk) - WINDOW_BYTES + 1))
    return sorted({value for value in hashes if value < 1 << 57})


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
