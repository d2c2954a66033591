#!/usr/bin/env python3
"""Cuts as doc/format/recipe.md says, slowly and plainly, and writes the golden vectors of the cutters.

usage: tools/reference_cut.py            writes cut.json, nar_cut.json and landmark_cut.json in vectors/ (a minute)
       tools/reference_cut.py polynomial prints how the polynomial of rabin_karp was found

This is the slow truth that the C++ must agree with: it was written from the description, sees the whole
input at once and knows nothing of pieces, kernels or tables of the C++ side.
"""

import hashlib
import itertools
import json
import math
import pathlib
import random
import sys
from typing import NamedTuple

from reference_landmarks import ARM64_ENDS, ENDBR64, X86_ENDS, move

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"

# --- recipes -------------------------------------------------------------------------------------------


class Recipe(NamedTuple):
    algorithm: str
    min_bytes: int
    avg_bytes: int
    max_bytes: int
    normalization: int = 1
    seed: int = 0
    nar_mode: str = "off"
    header_chunk: bool = False
    prefer_sections: bool = False
    dedup_hint: bool = False
    prefer_definitions: bool = False
    prefer_lines: bool = False


# --- fast_cdc ------------------------------------------------------------------------------------------

U64 = (1 << 64) - 1
GEAR = [int.from_bytes(hashlib.md5(bytes([i]) * 64).digest()[:8], "big") for i in range(256)]
MASKS = {
    5: 0x1804110, 6: 0x1803110, 7: 0x18035100, 8: 0x1800035300, 9: 0x19000353000, 10: 0x590003530000,
    11: 0xd90003530000, 12: 0xd90103530000, 13: 0xd90303530000, 14: 0xd90313530000, 15: 0xd90f03530000,
    16: 0xd90303537000, 17: 0xd90703537000, 18: 0xd90707537000, 19: 0xd91707537000, 20: 0xd91747537000,
    21: 0xd91767537000, 22: 0xd93767537000, 23: 0xd93777537000, 24: 0xd93777577000, 25: 0xdb3777577000,
}


def even(value):
    return value - value % 2


def fast_cdc(data, begin, end, recipe):
    """The length of the chunk that begins at `begin` of a stream that ends at `end`."""
    size = min(end - begin, recipe.max_bytes)
    bits = round(math.log2(recipe.avg_bytes))
    before, after = MASKS[bits + recipe.normalization], MASKS[bits - recipe.normalization]
    center = even(recipe.avg_bytes)
    gear = [entry ^ recipe.seed for entry in GEAR]
    value = 0
    for p in range(even(recipe.min_bytes), even(size)):
        value = (2 * value + gear[data[begin + p]]) & U64
        if value & (before if p < center else after) == 0:
            return p
    return size


# --- rabin_karp ----------------------------------------------------------------------------------------

POLYNOMIAL = 0x2487ed5110b4c1
DEGREE = 53
WINDOW = 48


def remainder(value, divisor):
    while value.bit_length() >= divisor.bit_length():
        value ^= divisor << (value.bit_length() - divisor.bit_length())
    return value


# The remainder of each byte times x^53 brings back what leaves the top; times x^(8 * 48) what leaves the window.
BACK = [remainder(byte << DEGREE, POLYNOMIAL) for byte in range(256)]
LEAVE = [remainder(byte << (8 * WINDOW), POLYNOMIAL) for byte in range(256)]


def rabin_karp(data, begin, end, recipe):
    size = min(end - begin, recipe.max_bytes)
    if size <= recipe.min_bytes:
        return size
    mask = (1 << round(math.log2(recipe.avg_bytes - recipe.min_bytes))) - 1
    low = (1 << (DEGREE - 8)) - 1
    first = begin + recipe.min_bytes - WINDOW
    value = remainder(int.from_bytes(data[first:first + WINDOW], "big"), POLYNOMIAL)
    for length in range(recipe.min_bytes, size):
        if value & mask == mask:
            return length
        value = ((value & low) << 8) ^ BACK[value >> (DEGREE - 8)] ^ data[begin + length]
        value ^= LEAVE[data[begin + length - WINDOW]]
    return size


def show_polynomial():
    """Irreducible: x^(2^53) = x, and as 53 is prime, no common factor with x^2 - x (Rabin's test)."""
    fraction = 0x243f6a8885a308d3 >> (64 - DEGREE)  # pi = 3.243f6a88 85a308d3 ... in base sixteen

    def irreducible(polynomial):
        power = 2
        for _ in range(DEGREE):
            square = sum(((power >> bit) & 1) << (2 * bit) for bit in range(DEGREE))
            power = remainder(square, polynomial)
        return power == 2 and polynomial & 1 and bin(polynomial).count("1") % 2 == 1

    candidate = (1 << DEGREE) | fraction
    while not irreducible(candidate):
        candidate += 1
    print(f"2^53 plus 53 bits of pi's fraction: {(1 << DEGREE) | fraction:#x}; first irreducible: {candidate:#x}")


# --- plain streams -------------------------------------------------------------------------------------


def natural(data, begin, end, recipe):
    if recipe.algorithm == "fixed":
        return min(recipe.avg_bytes, end - begin)
    return {"fast_cdc": fast_cdc, "rabin_karp": rabin_karp}[recipe.algorithm](data, begin, end, recipe)


def cut_plain(data, begin, end, recipe, files=()):
    cuts = []
    while begin < end:
        cut = begin + natural(data, begin, end, recipe)
        begin = min(end, move(data, begin, cut, recipe, files)) if cut < end else end
        cuts.append(begin)
    return cuts


# --- NARs ----------------------------------------------------------------------------------------------


class File(NamedTuple):
    begin: int
    end: int
    padded_end: int


def files_of(nar):
    """The regular files of a well-formed NAR that are not empty."""
    files = []
    at = 0

    def string():
        nonlocal at
        size = int.from_bytes(nar[at:at + 8], "little")
        begin = at + 8
        at = begin + (size + 7) // 8 * 8
        return begin, nar[begin:begin + size]

    while at < len(nar):
        begin, text = string()
        if text == b"name":
            string()  # whatever a file is called, "contents" for one, is no keyword
        elif text == b"target":
            string()
        elif text == b"contents":
            begin, text = string()
            if text:
                files.append(File(begin, begin + len(text), at))
    return files


def place(cut, start, recipe, files):
    """Out of contents, a cut moves to the end of its word, or to its beginning where max forbids that."""
    if any(file.begin <= cut < file.end for file in files):
        return cut
    up = -(-cut // 8) * 8
    return up if up - start <= recipe.max_bytes else up - 8


def cut_off(data, begin, recipe, files):
    cuts = cut_plain(data, begin, len(data), recipe, files)
    if len(cuts) > 1 and cuts[-1] - cuts[-2] < 8:
        start = cuts[-3] if len(cuts) > 2 else begin
        if cuts[-1] - start <= recipe.max_bytes:
            del cuts[-2]
        else:
            cuts[-2] = cuts[-1] - 8
    return cuts


def cut_biased(data, start, recipe, files):
    boundaries = sorted(offset for file in files for offset in (file.begin, file.padded_end))
    cuts = []
    while start < len(data):
        cut = start + natural(data, start, len(data), recipe)
        if cut < len(data):
            near = [b for b in boundaries
                    if abs(b - cut) <= recipe.avg_bytes // 4 and start < b <= start + recipe.max_bytes]
            if near:
                cut = min(near, key=lambda b: (abs(b - cut), b))
            else:
                cut = place(move(data, start, cut, recipe, files), start, recipe, files)
        cuts.append(cut)
        start = cut
    return cuts


def cut_aligned(data, start, recipe, files):
    cuts = []

    def between(start, end):
        while start < end:
            cut = move(data, start, start + natural(data, start, end, recipe), recipe, files)
            start = min(end, place(cut, start, recipe, files))
            cuts.append(start)

    def contents(file):
        cuts.extend(cut_plain(data, file.begin, file.end, recipe, [file]))
        cuts.pop()
        start = cuts[-1] if cuts and cuts[-1] > file.begin else file.begin
        if file.padded_end - start > recipe.max_bytes:
            cuts.append(file.padded_end - 8)
        cuts.append(file.padded_end)

    for file in files:
        if file.end - file.begin >= recipe.min_bytes:
            between(start, file.begin)
            contents(file)
            start = file.padded_end
    between(start, len(data))
    return cuts


def cut_nar(nar, recipe):
    files = files_of(nar)
    start, cuts = 0, []
    if recipe.header_chunk:
        end = files[0].begin if files else len(nar)
        most = recipe.max_bytes - recipe.max_bytes % 8
        cuts = [*range(most, end, most), end]
        start = end
    mode = {"off": cut_off, "biased": cut_biased, "aligned": cut_aligned}[recipe.nar_mode]
    return cuts + mode(nar, start, recipe, files)


# --- inputs --------------------------------------------------------------------------------------------


def xorshift(size, seed):
    """xorshift64 (13, 7, 17) from `seed`, eight bytes a step, low byte first."""
    state, out = seed, bytearray()
    while len(out) < size:
        state ^= (state << 13) & U64
        state ^= state >> 7
        state ^= (state << 17) & U64
        out += state.to_bytes(8, "little")
    return bytes(out[:size])


def make_input(kind, size):
    if kind == "xorshift":
        return xorshift(size, 0x9e3779b97f4a7c15)
    if kind == "nibbles":  # sixteen values only
        return bytes(byte & 15 for byte in xorshift(size, 0x2545f4914f6cdd1d))
    pattern = {"zeros": b"\0", "period2": b"\0\xff", "cycle251": bytes(range(251))}[kind]
    return (pattern * (size // len(pattern) + 1))[:size]


def text_bytes(size, seed):
    def character(byte):
        special = b"\n" * 10 + b"}" * 4 + b"\r\t" + b" " * 48
        return special[byte] if byte < len(special) else 0x21 + byte % 94

    return bytes(character(byte) for byte in xorshift(size, seed))


def code_bytes(size, seed, step, places):
    """Noise; at some multiples of `step` it looks as if a function began."""
    out = bytearray(xorshift(size, seed))
    for at in range(step, size - step, step):
        if out[at] < 64:
            place = places[out[at] % len(places)]
            begin = at if place == ENDBR64 else at - len(place)
            out[begin:begin + len(place)] = place
    return bytes(out)


def make_contents(kind, size, head):
    """What a file holds: `head`, and behind it bytes of a kind."""
    seed = size + 1
    if kind == "text":
        body = text_bytes(size, seed)
    elif kind == "x86":
        body = code_bytes(size, seed, 16, (*X86_ENDS, ENDBR64))
    else:
        body = code_bytes(size, seed, 4, ARM64_ENDS)
    return (head + body[len(head):])[:size]


KINDS = ["xorshift", "nibbles", "zeros", "period2", "cycle251"]


def nar_string(text):
    return len(text).to_bytes(8, "little") + text + b"\0" * (-len(text) % 8)


def nar_node(node):
    """A node is a file's size (negative: executable) or its kind, size and head; a symlink's target, or a
    directory as a dict."""
    strings = [b"("]
    if isinstance(node, int):
        strings += [b"type", b"regular"] + ([b"executable", b""] if node < 0 else [])
        strings += [b"contents", xorshift(abs(node), abs(node) + 1)]
    elif isinstance(node, list):
        kind, size, head = node
        strings += [b"type", b"regular", b"contents", make_contents(kind, size, bytes.fromhex(head))]
    elif isinstance(node, str):
        strings += [b"type", b"symlink", b"target", node.encode()]
    else:
        out = b"".join(nar_string(text) for text in strings + [b"type", b"directory"])
        for name, child in node.items():
            out += b"".join(nar_string(text) for text in [b"entry", b"(", b"name", name.encode(), b"node"])
            out += nar_node(child) + nar_string(b")")
        return out + nar_string(b")")
    return b"".join(nar_string(text) for text in strings + [b")"])


def make_nar(tree):
    return nar_string(b"nix-archive-1") + nar_node(tree)


# --- vectors -------------------------------------------------------------------------------------------


def fold(value, cuts):
    """FNV-1a of the cuts as eight bytes each, low byte first, and of their count behind them."""
    for number in [*cuts, len(cuts)]:
        for byte in number.to_bytes(8, "little"):
            value = ((value ^ byte) * 0x100000001b3) & U64
    return value


FOLD_BEGIN = 0xcbf29ce484222325
SIZES = [0, 1, 63, 64, 65, 127, 4999, 20001]
LARGE = {"xorshift": 300007, "nibbles": 100003}
SIZE_TRIPLES = [(64, 256, 1024), (65, 257, 1025), (67, 1000, 5001), (999, 1448, 1449), (1000, 46340, 200001),
                (1000, 46341, 200001), (4097, 16001, 65537), (16384, 65536, 262144)]


def plain_recipes():
    for sizes, level, seed in itertools.product(SIZE_TRIPLES, range(4), (0, 0xfedcba9876543210)):
        yield Recipe("fast_cdc", *sizes, level, seed)
    for sizes in [(64, 128, 128), (64, 256, 1024), *SIZE_TRIPLES[1:]]:
        yield Recipe("rabin_karp", *sizes)
    for sizes in [(64, 64, 64), (64, 251, 1000), (100, 5000, 5000)]:
        yield Recipe("fixed", *sizes)


LANDMARKS = ["prefer_sections", "dedup_hint", "prefer_definitions", "prefer_lines"]


def describe(recipe):
    fields = dict(recipe._asdict(), seed=str(recipe.seed))  # JSON readers may lose bits of large numbers
    return {name: value for name, value in fields.items() if value or name not in LANDMARKS}


def plain_vectors():
    inputs = [make_input(kind, size) for kind in KINDS for size in SIZES + [LARGE.get(kind, 20002)]]
    folded = []
    for recipe in plain_recipes():
        value = FOLD_BEGIN
        for data in inputs:
            value = fold(value, cut_plain(data, 0, len(data), recipe))
        folded.append({**describe(recipe), "fold": str(value)})
    listed = []
    for recipe, kind, size in [(Recipe("fast_cdc", 131072, 524288, 2097152), "xorshift", 8000001),
                               (Recipe("fast_cdc", 16384, 65536, 262144), "xorshift", 1500001),
                               (Recipe("fast_cdc", 16384, 65536, 262144), "zeros", 600001),
                               (Recipe("rabin_karp", 131072, 524288, 2097152), "xorshift", 5000001),
                               (Recipe("fixed", 64, 4096, 4096), "cycle251", 10000)]:
        data = make_input(kind, size)
        listed.append({**describe(recipe), "input": kind, "bytes": size,
                       "cuts": cut_plain(data, 0, size, recipe)})
    return {"kinds": KINDS, "sizes": SIZES, "large_sizes": [LARGE.get(kind, 20002) for kind in KINDS],
            "folded": folded, "listed": listed}


def trees():
    rng = random.Random(2)

    def directory(depth, sizes):
        nodes = {}
        for index in range(rng.randrange(1, 12)):
            kind = rng.random()
            if kind < 0.1:
                nodes[f"{index:02}-link"] = "t" * rng.randrange(1, 30)
            elif kind < 0.25 and depth < 3:
                nodes[f"{index:02}-directory"] = directory(depth + 1, sizes)
            else:
                name = rng.choice(["contents", "name", "x" * rng.randrange(1, 60)])
                nodes[f"{index:02}-{name}"] = rng.choice([1, 1, -1]) * rng.choice(sizes)
        return nodes

    small = [0, 1, 5, 7, 8, 9, 63, 64, 65, 200, 255, 256, 300]
    large = [1024, 1025, 1031, 2000, 3333, 5001, 9999, 20003]
    # Twice 1029: with max_bytes 1029 the padding of a file that is exactly full does not fit.
    return [0, 1, -7, 30011, "target", {}, {"a": "b"}, {"a": 0, "b": {}, "c": "d"}, {"a": 2058, "b": 2058},
            {f"{i:03}": "link" * 5 for i in range(40)}, {f"{i:03}": i for i in range(60)},
            *(directory(0, small) for _ in range(4)), *(directory(0, small + large) for _ in range(8))]


def nar_recipes():
    sizes = {
        "fast_cdc": [(64, 256, 1024), (65, 257, 1029), (300, 1024, 4001), (1024, 4096, 16384)],
        "rabin_karp": [(64, 256, 1024), (65, 257, 1029), (1000, 4000, 16001)],
        "fixed": [(64, 64, 64), (64, 67, 70), (64, 251, 1029), (64, 1029, 1029)],
    }
    modes = itertools.product(("off", "biased", "aligned"), (False, True))
    for (mode, header), algorithm in itertools.product(list(modes), sizes):
        for triple in sizes[algorithm]:
            yield Recipe(algorithm, *triple, nar_mode=mode, header_chunk=header)


def nar_vectors():
    all_trees = trees()
    nars = [make_nar(tree) for tree in all_trees]
    folded = []
    for recipe in nar_recipes():
        value = FOLD_BEGIN
        for nar in nars:
            value = fold(value, cut_nar(nar, recipe))
        folded.append({**describe(recipe), "fold": str(value)})
    return {"trees": all_trees, "nar_bytes": [len(nar) for nar in nars], "folded": folded}


# --- vectors of landmarks ------------------------------------------------------------------------------


def elf_head(machine, segments, sections_at, wide=True, order="little", table_at=64):
    """`segments` are type, flags, offset and size."""
    def number(value, size):
        return value.to_bytes(size, order)

    word = 8 if wide else 4
    head = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "little" else 2, 1]) + bytes(9)
    head += number(3, 2) + number(machine, 2) + number(1, 4) + bytes(word)
    head += number(table_at, word) + number(sections_at, word) + bytes(4) + number(64 if wide else 52, 2)
    head += number(56 if wide else 32, 2) + number(len(segments), 2) + bytes(6)
    head += bytes(table_at - len(head))
    for kind, flags, offset, size in segments:
        if wide:
            head += number(kind, 4) + number(flags, 4) + number(offset, 8) + bytes(16) + number(size, 8) + bytes(16)
        else:
            head += number(kind, 4) + number(offset, 4) + bytes(8) + number(size, 4) + bytes(4) + number(flags, 4)
            head += bytes(4)
    return head


def mach_o_head(machine, segments):
    """`segments` are offset, size, and their sections: offset, size, flags."""
    commands = b""
    for offset, size, sections in segments:
        commands += b"".join(value.to_bytes(4, "little") for value in (0x19, 72 + 80 * len(sections)))
        commands += bytes(32) + offset.to_bytes(8, "little") + size.to_bytes(8, "little") + bytes(8)
        commands += len(sections).to_bytes(4, "little") + bytes(4)
        for begin, length, flags in sections:
            commands += bytes(40) + length.to_bytes(8, "little") + begin.to_bytes(4, "little") + bytes(12)
            commands += flags.to_bytes(4, "little") + bytes(12)
    head = b"\xcf\xfa\xed\xfe" + machine.to_bytes(4, "little") + bytes(8) + (len(segments) + 1).to_bytes(4, "little")
    head += (len(commands) + 8).to_bytes(4, "little") + bytes(8)
    return head + (2).to_bytes(4, "little") + (8).to_bytes(4, "little") + commands


def landmark_trees():
    code, data, note = (1, 5), (1, 6), (4, 4)
    segments = [(*note, 600, 32), (*code, 4096, 9001), (*data, 14000, 6000), (*code, 25000, 70000)]
    hostile = [(1, 5, (1 << 64) - 5, 10), (1, 5, 4096, (1 << 64) - 4097), (1, 1, 9000, 1 << 62)] * 23
    parts = [(0, 20000, [(4096, 7777, 0x80000400), (13000, 3003, 0)]), (20480, 30000, [(0, 40, 1), (21000, 20000, 0)]),
             (50480, 9000, [(51000, 9000, 0x400)])]
    files = {
        "a": ["text", 40001, ""], "b": ["x86", 100003, elf_head(62, segments, 97000).hex()],
        "c": ["arm64", 100000, elf_head(183, segments, 99999, order="big").hex()],
        "d": ["x86", 60000, elf_head(3, segments[:3], 59999, wide=False, table_at=52).hex()],
        "e": ["x86", 60007, mach_o_head(0x01000007, parts).hex()],
        "f": ["arm64", 60007, mach_o_head(0x0100000c, parts).hex()],
        "g": ["x86", 40000, elf_head(62, hostile, (1 << 64) - 1).hex()],
        "h": ["x86", 30000, elf_head(8, segments, 0, table_at=4000).hex()],
        "i": ["text", 30000, (b"a\n" * 2047 + b"a").hex()], "j": ["text", 30000, (b"a\n" * 2047 + b"a\0").hex()],
        "k": ["text", 5000, ""], "l": ["text", 4096, ""], "m": ["text", 4097, ""], "n": 700, "o": ["text", 9000, ""]}
    half = dict(list(files.items())[7:])
    return [*files.values(), {"a": "target", "b": 300, **half}, {"x": files, "y": ["text", 50000, ""]}]


def landmark_recipes():
    wanted = [*((name,) for name in LANDMARKS), tuple(LANDMARKS[2:]), tuple(LANDMARKS)]
    sizes = {"fast_cdc": [(300, 1024, 4001), (2001, 8000, 30001)], "rabin_karp": [(1000, 4000, 16001)],
             "fixed": [(1000, 5000, 5100)]}
    for names, mode, algorithm in itertools.product(wanted, ("off", "biased", "aligned"), sizes):
        for triple in sizes[algorithm]:
            yield Recipe(algorithm, *triple, nar_mode=mode, header_chunk=len(names) > 2,
                         **{name: True for name in names})


def landmark_vectors():
    """Folded: the cuts of each tree's NAR, then those of each file alone, as a stream that is no NAR."""
    trees_here = landmark_trees()
    nars = [make_nar(tree) for tree in trees_here]
    streams = [make_contents(kind, size, bytes.fromhex(head))
               for kind, size, head in (tree for tree in trees_here if isinstance(tree, list))]
    folded = []
    for recipe in landmark_recipes():
        value = FOLD_BEGIN
        for nar in nars:
            value = fold(value, cut_nar(nar, recipe))
        for stream in streams:
            value = fold(value, cut_plain(stream, 0, len(stream), recipe, [File(0, 1 << 62, 1 << 62)]))
        folded.append({**describe(recipe), "fold": str(value)})
    return {"trees": trees_here, "nar_bytes": [len(nar) for nar in nars], "folded": folded}


def write(name, vectors):
    """One line per vector."""
    parts = []
    for key, value in vectors.items():
        rows = [json.dumps(row) for row in value]
        parts.append(f'"{key}": [\n' + ",\n".join(rows) + "\n]")
    (VECTORS / name).write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["polynomial"]:
        show_polynomial()
    else:
        write("cut.json", plain_vectors())
        write("nar_cut.json", nar_vectors())
        write("landmark_cut.json", landmark_vectors())
