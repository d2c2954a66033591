#!/usr/bin/env python3
"""Writes vectors/formats/: packs and manifests that every version of chunker must read and write alike.

    tools/make_format_vectors.py           writes the files anew
    tools/make_format_vectors.py --check   fails if they differ from what is there

An own writer, sharing no code with the C++; what it writes is read back by tools/inspect_pack.py.
test/store/ builds the same packs and manifests and compares byte for byte. A file here is never changed
once a release has written stores: a new version of a format gets new files.
"""

import bz2
import hashlib
import json
import pathlib
import re
import sys

import blake3_reference
import inspect_pack

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors" / "formats"
REGULAR, DIRECTORY, SYMLINK, EXECUTABLE = 1, 2, 3, 5
NONE, ZSTD, BZIP2, OF_A_USER = 0, 10, 40, 65535
FRAME, MANIFEST, NAME, REMOVAL = b"\1", b"\2", b"\3", b"\4"


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varints(*values):
    return b"".join(map(varint, values))


def blake3(data):
    return blake3_reference.digest(data)


def sha256(data):
    return hashlib.sha256(data).digest()


# The archives.

def nar_string(data):
    return len(data).to_bytes(8, "little") + data + bytes(-len(data) % 8)


def nar_of_file(contents):
    return b"".join(map(nar_string, (b"nix-archive-1", b"(", b"type", b"regular", b"contents", contents, b")")))


# The formats.

DEFAULT_RECIPE = varints(1, 1, 128 << 10, 512 << 10, 2 << 20, 1, 0, 2, 0)
ODD_RECIPE = varints(2, 1, 1, 300, 65537, 3, (1 << 64) - 1, 1, 1)


def chunk_list(chunks):
    return b"".join(digest + varint(size) for digest, size in chunks)


def entry_table(entries):
    out, before, end = b"", b"", 0
    for path, kind, offset, size in entries:
        shared = 0
        while shared < min(len(path), len(before)) and path[shared] == before[shared]:
            shared += 1
        out += varints(shared, len(path) - shared) + path[shared:] + varints(kind, offset - end, size)
        before, end = path, offset + size
    return out


def part(raw, inline_bytes_max=128):
    if len(raw) <= inline_bytes_max:
        return varints(len(raw), 0) + raw
    pieces = [raw[i:i + (256 << 10)] for i in range(0, len(raw), 256 << 10)]
    return varints(len(raw), len(pieces)) + b"".join(map(blake3, pieces))


NIX_DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"


def reference_lists(data):
    """The hash list and the position list of what `data` refers to."""
    hashes, positions, end = [], b"", 0
    for found in re.finditer(rb"/nix/store/([%s]{32})" % NIX_DIGITS.encode(), data):
        number = 0
        for character in found[1].decode():
            number = number * 32 + NIX_DIGITS.index(character)
        spelled = number.to_bytes(20, "little")
        if spelled not in hashes:
            hashes.append(spelled)
        positions += varints(found.start(1) - end, hashes.index(spelled))
        end = found.end(1)
    return b"".join(hashes), positions


def manifest(nar_sha256, nar_bytes, recipe, chunks, entries, references=None, landmarks=0):
    flags = (1 if references else 0) | (4 if landmarks else 0)
    recipe += varints(landmarks) if landmarks else b""
    body = (b"CKMANIF\1" + nar_sha256 + varints(nar_bytes, flags) + recipe +
            varints(len(chunks), len(entries)) + part(chunk_list(chunks)) + part(entry_table(entries)))
    if references:
        body += part(references[0], 16 << 10) + part(references[1])
    return body + blake3(body)[:16]


def frame(payload, codec, chunks, base=()):
    record = FRAME + varints(len(payload), codec, 1 if base else 0, len(chunks)) + chunk_list(chunks)
    return record + (varint(len(base)) + b"".join(base) if base else b""), payload


def manifest_record(payload, nar_sha256, nar_bytes, chunk_count):
    return MANIFEST + varint(len(payload)) + nar_sha256 + varints(nar_bytes, chunk_count), payload


def name(text, nar_sha256, added):
    return NAME + varint(len(text)) + text + nar_sha256 + varint(added), b""


def removal(text):
    return REMOVAL + varint(len(text)) + text, b""


def directory(sequence, records):
    return varints(sequence, len(records)) + b"".join(record for record, _ in records)


def pack(sequence, records):
    payloads = b"CKPACK\0\1" + b"".join(payload for _, payload in records)
    encoded = directory(sequence, records)
    return (payloads + encoded + len(payloads).to_bytes(8, "little") + len(encoded).to_bytes(8, "little") +
            blake3(encoded) + b"CKPACKED")


# The samples. test/store/format_samples.hpp builds the same ones.

TINY_NAR = nar_of_file(b"hello\n")


def tiny_manifest():
    """One file, one chunk: everything is inline."""
    contents_at = TINY_NAR.index(b"hello\n")
    return manifest(sha256(TINY_NAR), len(TINY_NAR), DEFAULT_RECIPE, [(blake3(TINY_NAR), len(TINY_NAR))],
                    [(b"", REGULAR, contents_at, 6)])


def tiny_pack():
    """A whole store in one pack: a chunk, the manifest that needs it, and a name for it."""
    stored = tiny_manifest()
    return pack(1, [frame(TINY_NAR, NONE, [(blake3(TINY_NAR), len(TINY_NAR))]),
                    manifest_record(stored, sha256(TINY_NAR), len(TINY_NAR), 1),
                    name(b"hello.nar", sha256(TINY_NAR), 1767225600)])


def records_pack():
    """Every kind of record, several chunks in a frame, codecs, numbers of every width."""
    shared = [b"a" * 100, b"b" * 200, b"c" * 16384]
    alone = bytes(i * i % 251 for i in range(70000))
    raw = b"".join(shared)
    stored = tree_manifest()
    return pack((1 << 63) - 1, [
        name(b"x", sha256(b"x"), 0),
        frame(bz2.compress(raw), BZIP2, [(blake3(chunk), len(chunk)) for chunk in shared]),
        removal(b"x"),
        manifest_record(stored, sha256(b"tree"), 1000000, 3),
        frame(b"\0opaque", OF_A_USER, [(blake3(alone), len(alone))]),
        name(b"\xff not UTF-8 \x01" + b"n" * 4082, sha256(b"y"), (1 << 64) - 1),
        removal(b"n" * 4096),
    ])


def object_pack():
    """What the objects layout keeps under chunks/: one frame of one chunk."""
    return pack(300, [frame(TINY_NAR, NONE, [(blake3(TINY_NAR), len(TINY_NAR))])])


def delta_pack():
    """A chunk, and another one kept as what distinguishes it from the first two times over."""
    base, changed = bytes(i * i % 251 for i in range(5000)), bytes(i * i % 251 for i in range(5001))
    # A zstd frame of one raw block: the format does not ask how much of the base a frame uses.
    payload = b"\x28\xb5\x2f\xfd\x60" + (5001 - 256).to_bytes(2, "little")
    payload += (5001 << 3 | 1).to_bytes(3, "little") + changed
    return pack(7, [frame(base, NONE, [(blake3(base), 5000)]),
                    frame(payload, ZSTD, [(blake3(changed), 5001)], [blake3(base)] * 2)])


TREE = [
    (b"", DIRECTORY, 24, 0),
    (b"bin", DIRECTORY, 200, 0),
    (b"bin/sh", SYMLINK, 500, 4),
    (b"bin/shadow", EXECUTABLE, 700, 500000),
    (b"bin/z\xff", REGULAR, 500900, 0),
    (b"empty", DIRECTORY, 501200, 0),
    (b"lib", DIRECTORY, 501400, 0),
    (b"lib/" + b"d" * 40, DIRECTORY, 501800, 0),
    (b"lib/" + b"d" * 40 + b"/deep", REGULAR, 502600, 1),
    (b"lib-2", SYMLINK, 503000, 4095),
    (b"lib0", REGULAR, 508000, 400000),
]


def tree_manifest():
    """Three chunks inline, entries of every kind in a piece of their own, an odd recipe."""
    chunks = [(blake3(b"1"), 1), (blake3(b"2"), 299999), (blake3(b"3"), 700000)]
    return manifest(sha256(b"tree"), 1000000, ODD_RECIPE, chunks, TREE)


def large_chunks():
    return [(bytes((i * 7 + j * 13) & 0xFF for j in range(32)), i * i * 977 % 2000003 + 1) for i in range(9000)]


def large_manifest():
    """9000 chunks, so that the chunk list is two pieces; nothing is said of the entries."""
    chunks = large_chunks()
    return manifest(sha256(b"large"), sum(size for _, size in chunks), DEFAULT_RECIPE, chunks, [])


def landmarks_manifest():
    """The smallest, but cut with landmarks."""
    return manifest(sha256(b"landmarks"), 1, DEFAULT_RECIPE, [(blake3(b"1"), 1)], [], landmarks=0b1011)


SCRIPT = (b"#!/nix/store/kpcd173cq987hw957sx6m0868wv3x6d9-bash/bin/sh\n"
          b"exec /nix/store/y5q4drg5558zk8aamsx6xliv3i23x644-sed/bin/sed "
          b"-f /nix/store/kpcd173cq987hw957sx6m0868wv3x6d9-bash/f\n")


def references_manifest():
    """The script of doc/format/references.md 40 times, so that the positions are a piece."""
    data = SCRIPT * 40
    normalized = re.sub(rb"(?<=/nix/store/)[0-9a-z]{32}", b"e" * 32, data)
    return manifest(sha256(data), len(data), DEFAULT_RECIPE, [(blake3(normalized), len(data))], [],
                    reference_lists(data))


def rejected():
    """What nobody may read: lines of format, payload end, bytes and the reason."""
    digest = bytes(range(32))
    some_name = name(b"n", digest, 1)[0]
    chunk = digest + varint(10)
    directories = [
        (8, b"", "nothing at all"),
        (8, b"\1", "no record count"),
        (8, b"\0\0", "sequence 0"),
        (8, varint(1 << 63) + b"\0", "a sequence beyond 63 bits"),
        (8, b"\x81\0\0", "a varint that is not in its shortest form"),
        (8, b"\xff" * 9 + b"\2\0", "a varint beyond 64 bits"),
        (8, b"\1\0\0", "a byte behind the last record"),
        (9, b"\1\0", "payloads end before the directory"),
        (7, b"\1\0", "the directory begins inside the magic"),
        (8, b"\1" + varint(1 << 62), "more records than bytes"),
        (8, b"\1\2" + some_name, "fewer records than announced"),
        (8, b"\1\1\5\0\0", "a kind of record that does not exist"),
        (8, b"\1\1\x81\0" + some_name[1:], "a kind that is not in its shortest form"),
        (18, b"\1\1\1" + varints(10, 0, 2, 1) + chunk, "flags of a later version"),
        (18, b"\1\1\1" + varints(10, 10, 1, 1) + chunk, "a delta without a base"),
        (18, b"\1\1\1" + varints(10, 10, 1, 1) + chunk + b"\0", "a delta with an empty base"),
        (18, b"\1\1\1" + varints(10, 10, 1, 1) + chunk + varint(257) + digest * 257, "a base of too many chunks"),
        (18, b"\1\1\1" + varints(10, 10, 1, 1) + chunk + varint(2) + digest, "a base that is cut off"),
        (18, b"\1\1\1" + varints(10, 20, 1, 1) + chunk + varint(1) + digest, "a delta of another codec"),
        (18, b"\1\1\1" + varints(10, 10, 1, 1) + digest + varint((4 << 20) + 1) + varint(1) + digest,
         "a delta beyond 4 MiB"),
        (8, b"\1\1\1" + varints(0, 10, 0, 1) + chunk, "a frame without payload"),
        (18, b"\1\1\1" + varints(10, 0, 0, 0), "a frame without chunks"),
        (18, b"\1\1\1" + varints(10, 65536, 0, 1) + chunk, "a codec beyond 16 bits"),
        (19, b"\1\1\1" + varints(11, 0, 0, 1) + chunk, "an uncompressed payload of another size"),
        (17, b"\1\1\1" + varints(10, 0, 0, 1) + chunk, "a payload that reaches into the directory"),
        (18, b"\1\1\1" + varints(10, 10, 0, 1 << 40) + chunk, "more chunks than bytes"),
        (18, b"\1\1\1" + varints(10, 10, 0, 1) + digest + b"\0", "an empty chunk"),
        (18, b"\1\1\1" + varints(10, 10, 0, 1) + digest + varint((1 << 30) + 1), "a chunk beyond 1 GiB"),
        (18, b"\1\1\1" + varints(10, 10, 0, 2) + chunk + digest + varint((1 << 20) - 9), "a shared frame beyond 1 MiB"),
        (8 + (1 << 30) + 1, b"\1\1\1" + varints((1 << 30) + 1, 10, 0, 1) + chunk, "a payload beyond 1 GiB"),
        (8, b"\1\1\2" + varint(0) + digest + varints(10, 1), "a manifest without payload"),
        (9 + (1 << 20), b"\1\1\2" + varint((1 << 20) + 1) + digest + varints(10, 1), "a manifest beyond 1 MiB"),
        (18, b"\1\1\2" + varint(10) + digest + varints(10, 11), "more chunks than bytes of a NAR"),
        (18, b"\1\1\2" + varint(10) + digest + varints(10, 0), "a NAR of bytes without chunks"),
        (18, b"\1\1\2" + varint(10) + digest + varints(1 << 63, 1), "a NAR beyond 63 bits"),
        (8, b"\1\1\3\0" + digest + b"\1", "an empty name"),
        (8, b"\1\1\3" + varint(4097) + b"n" * 4097 + digest + b"\1", "a name beyond 4096 bytes"),
        (8, b"\1\1\4\3a\0b", "a name with a NUL"),
        (8, b"\1\1\4\5abc", "a name cut off"),
    ]
    for end, data, reason in directories:
        yield "directory", end, data, reason
    for data, reason in rejected_manifests():
        yield "manifest", 0, data, reason


def rejected_manifests():
    def sealed(body):
        return body + blake3(body)[:16]

    def body(nar_bytes=100, flags=0, recipe=DEFAULT_RECIPE, counts=(1, 1), chunks=None, table=None, tail=b""):
        chunks = part(chunk_list([(digest, 100)])) if chunks is None else chunks
        table = part(entry_table([(b"", DIRECTORY, 24, 0)])) if table is None else table
        return (b"CKMANIF\1" + digest + varints(nar_bytes, flags) + recipe + varints(*counts) + chunks + table + tail)

    def tree(*entries):
        return sealed(body(counts=(1, len(entries)), table=part(entry_table(entries))))

    def table(count, raw):
        return sealed(body(counts=(1, count), table=part(raw)))

    digest = bytes(range(32))
    root = (b"", DIRECTORY, 24, 0)
    root_bytes = entry_table([root])
    good = sealed(body())
    yield b"", "nothing at all"
    yield good[:-1], "the last byte is missing"
    yield good + b"\0", "a byte too many"
    yield b"CKMANIF\2" + good[8:], "the version alone is damaged"
    yield sealed(b"CKMANIF\2" + body()[8:]), "a later version"
    yield sealed(body(flags=2)), "flags of a later version"
    yield sealed(body(flags=1)), "references that are announced and not there"
    yield sealed(body(tail=part(digest[:20]) + part(b"\0\0"))), "references that are not announced"
    for hashes, positions, reason in ((b"", b"", "references without any"), (digest[:20], b"", "no position"),
                                      (digest[:19], b"\0\0", "half a hash"), (digest[:20], b"\0", "half a position"),
                                      (digest[:20], varints(69, 0), "a reference that ends outside the NAR"),
                                      (digest[:20], varints(0, 1), "a reference to a hash that is not there"),
                                      (digest[:20] * 2, varints(0, 0, 0, 1), "a hash twice"),
                                      (bytes(20) + digest[:20], varints(0, 0), "a hash that nothing names")):
        yield sealed(body(flags=1, tail=part(hashes, 16 << 10) + part(positions))), reason
    yield sealed(body(flags=1, tail=varints(20, 1) + digest + part(b"\0\0"))), "a small hash list in a piece"
    yield sealed(body(tail=b"\0")), "a byte behind the parts"
    yield sealed(body(nar_bytes=1 << 63)), "a NAR beyond 63 bits"
    for i, value, reason in ((0, 0, "algorithm 0, of a later version"), (0, 4, "algorithm 4, of a later version"),
                             (1, 0, "recipe version 0, of a later version"), (1, 2, "a recipe of a later version"),
                             (1, 1 << 32 | 1, "a recipe of a much later version"),
                             (7, 3, "NAR mode 3, of a later version"),
                             (5, 256, "a normalization beyond a byte"), (8, 2, "a header chunk that is not 0 or 1")):
        fields = [1, 1, 1, 2, 3, 1, 0, 2, 0]
        fields[i] = value
        yield sealed(body(recipe=varints(*fields))), reason
    yield sealed(body(nar_bytes=99)), "chunks that are more than the NAR"
    yield sealed(body(nar_bytes=101)), "chunks that are less than the NAR"
    yield sealed(body(nar_bytes=2 << 30, chunks=part(chunk_list([(digest, 2 << 30)])))), "a chunk beyond 1 GiB"
    yield sealed(body(counts=(2, 1), chunks=part(chunk_list([(digest, 100), (digest, 0)])))), "an empty chunk"
    yield sealed(body(counts=(1 << 60, 1))), "more chunks than bytes"
    yield sealed(body(counts=(1, 1 << 60))), "more entries than bytes"
    yield sealed(body(counts=(1, 0))), "an entry table without entries"
    yield sealed(body(chunks=varints(33, 1) + digest)), "a small part in a piece"
    yield sealed(body(table=varints(129, 0) + bytes(129))), "a large part inline"
    yield sealed(body(table=varints((1 << 30) + 1, 4097) + digest)), "a part beyond 1 GiB"
    yield sealed(body(table=varints(300, 2) + digest * 2)), "too many pieces"
    yield tree((b"a", REGULAR, 24, 0)), "no root"
    yield tree(root, (b"a/b", REGULAR, 40, 0)), "a parent that is not there"
    yield tree(root, (b"a", SYMLINK, 40, 4), (b"a/b", REGULAR, 60, 0)), "a file behind a symlink"
    yield tree((b"", REGULAR, 24, 1), (b"a", REGULAR, 40, 0)), "a file inside a file"
    yield tree(root, (b"a", DIRECTORY, 40, 0), (b"b", DIRECTORY, 50, 0), (b"a/b", REGULAR, 60, 0)), \
        "back into a directory that was closed"
    yield tree(root, (b"b", REGULAR, 40, 0), (b"a", REGULAR, 60, 0)), "names that descend"
    yield tree(root, (b"a", REGULAR, 40, 0), (b"a", REGULAR, 60, 0)), "a name twice"
    for bad in (b"..", b".", b"/", b"//", b"/a", b"a/", b"a\0b", b"a/../b"):
        yield tree(root, (bad, REGULAR, 40, 0)), f"the name {bad!r}"
    yield tree(root, (b"a", REGULAR, 24, 0)), "two entries at one offset"
    yield tree(root, (b"a", REGULAR, 40, 61)), "an entry that ends beyond the NAR"
    yield tree((b"", DIRECTORY, 24, 1)), "a directory with a size"
    yield tree((b"", SYMLINK, 24, 0)), "a symlink without target"
    yield tree((b"", 6, 24, 0)), "an executable directory"
    yield tree((b"", 7, 24, 1)), "an executable symlink"
    yield tree((b"", 4, 24, 0)), "a kind that does not exist"
    yield table(2, root_bytes + b"\1\1a\1\5\0"), "more shared than the path before has"
    yield table(3, root_bytes + b"\0\1a\1\5\0" + b"\0\2ab\1\5\0"), "less shared than could be"
    yield table(2, root_bytes + b"\0\1a\1" + varint((1 << 64) - 24) + b"\0"), "an offset that wraps around"
    yield table(2, root_bytes + b"\0\1a\1\5" + varint((1 << 64) - 1)), "a size that wraps around"
    yield table(2, root_bytes + b"\0\x7fa\1\5\0"), "a path cut off"


def files():
    yield "tiny.manifest", tiny_manifest()
    yield "tiny.pack", tiny_pack()
    yield "records.pack", records_pack()
    yield "object.pack", object_pack()
    yield "delta.pack", delta_pack()
    yield "tree.manifest", tree_manifest()
    yield "tree.entries", entry_table(TREE)
    yield "large.manifest", large_manifest()
    yield "references.manifest", references_manifest()
    yield "landmarks.manifest", landmarks_manifest()
    lines = ["# format, payload end, bytes, why nobody may read them (tools/make_format_vectors.py)"]
    lines += [f"{kind} {end} {data.hex() or '-'} {reason}" for kind, end, data, reason in rejected()]
    yield "rejected.txt", ("\n".join(lines) + "\n").encode()


def check_blake3():
    """Our plain BLAKE3 gives the official test vectors."""
    for case in json.loads((VECTORS.parent / "blake3.json").read_text())["cases"]:
        if case["input_bytes"] <= 31744:
            data = bytes(i % 251 for i in range(case["input_bytes"]))
            if blake3_reference.reference_digest(data).hex() != case["digest"]:
                sys.exit(f"blake3_reference.py is wrong for {len(data)} bytes")


def check_by_reading():
    """The reader of tools/inspect_pack.py takes all samples and none of the rejected ones."""
    for data in (tiny_pack(), records_pack(), object_pack(), delta_pack()):
        inspect_pack.read_pack(data)
    for data in (tiny_manifest(), tree_manifest(), large_manifest(), references_manifest(), landmarks_manifest()):
        inspect_pack.read_manifest(data)
    for kind, end, data, reason in rejected():
        try:
            if kind == "directory":
                inspect_pack.read_directory(data, end)
            else:
                inspect_pack.read_manifest(data)
        except inspect_pack.Corrupt:
            continue
        sys.exit(f"inspect_pack.py reads {kind} {data.hex()}: {reason}")


def main():
    check_blake3()
    check_by_reading()
    differing = 0
    for file_name, data in files():
        path = VECTORS / file_name
        if sys.argv[1:] == ["--check"]:
            if not path.exists() or path.read_bytes() != data:
                print(f"{path} differs", file=sys.stderr)
                differing += 1
        else:
            VECTORS.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
