#!/usr/bin/env python3
"""Shows what a pack or a manifest holds, and checks it (doc/format/pack.md, doc/format/manifest.md).

    tools/inspect_pack.py STORE/packs/ab/abcd...       what is in it, as a table
    tools/inspect_pack.py --json FILE...               the same for programs, one object per file
    tools/inspect_pack.py --explain FILE               every byte of the format, field by field
    tools/inspect_pack.py --payload 3 FILE > OUT       the payload of record 3 as it is stored

It shares no code with the C++ and needs nothing but Python 3.9. Everything is checked that reading a
pack checks: bounds, digests (BLAKE3 in plain Python, 0.3 MB/s, unless the `blake3` package is there)
and the key, if the file lies under one. What frames decode to is not: `chunker verify --content` does.
"""

import argparse
import json
import os
import re
import sys

import blake3_reference

PACK_MAGIC, PACK_END = b"CKPACK\0\1", b"CKPACKED"
MANIFEST_MAGIC = b"CKMANIF\1"
TRAILER_BYTES, CHECK_BYTES, DIGEST_BYTES = 56, 16, 32
SHARED_FRAME_BYTES_MAX = 1 << 20
BASE_CHUNKS_MAX, DELTA_BYTES_MAX = 256, 4 << 20
FRAME_BYTES_MAX = PART_BYTES_MAX = 1 << 30
DIRECTORY_BYTES_MAX = 256 << 20
MANIFEST_BYTES_MAX = 1 << 20
NAR_BYTES_MAX = SEQUENCE_MAX = (1 << 63) - 1
PART_INLINE_BYTES_MAX, HASH_LIST_INLINE_BYTES_MAX, PIECE_BYTES = 128, 16 << 10, 256 << 10
STORE_HASH_BYTES, STORE_HASH_CHARACTERS = 20, 32
NAME_BYTES_MAX = 4096
ENTRY_NAME_BYTES_MAX, ENTRY_PATH_BYTES_MAX, TARGET_BYTES_MAX = 255, 4095, 4095
CODECS = {0: "none", 10: "zstd", 11: "zstd_x86", 20: "lz4", 30: "xz", 40: "bzip2"}
ALGORITHMS = {1: "fast_cdc", 2: "rabin_karp", 3: "fixed"}
NAR_MODES = {0: "off", 1: "biased", 2: "aligned"}
ENTRY_KINDS = {1: "regular", 2: "directory", 3: "symlink", 5: "executable"}


class Corrupt(Exception):
    """What is wrong, and at which byte."""


class Fields:
    """Reads fields from the front, and remembers each for --explain."""

    def __init__(self, data, at=0, trace=None):
        self.data, self.start, self.at = data, at, 0
        self.trace = [] if trace is None else trace

    def fail(self, text, at=None):
        raise Corrupt(f"{text} at byte {self.start + (self.at if at is None else at)}")

    def need(self, condition, text, at=None):
        if not condition:
            self.fail(text, at)

    def _took(self, size, label, shown):
        self.trace.append((self.start + self.at, self.data[self.at:self.at + size], label, shown))
        self.at += size

    def raw(self, size, label, show=None):
        self.need(size <= len(self.data) - self.at, f"{label} is cut off")
        value = bytes(self.data[self.at:self.at + size])
        self._took(size, label, value.hex() if show is None else show(value))
        return value

    def digest(self, label):
        return self.raw(DIGEST_BYTES, label, lambda value: "").hex()

    def varint(self, label, most=(1 << 64) - 1, show=str):
        value = size = 0
        while True:
            self.need(self.at + size < len(self.data) and size < 10, f"{label} is cut off or malformed")
            byte = self.data[self.at + size]
            value |= (byte & 0x7F) << (7 * size)
            size += 1
            if byte < 0x80:
                break
        self.need(byte != 0 or size == 1, f"{label} is not in its shortest form")
        self.need(value <= most, f"{label} is impossible")
        self._took(size, label, show(value))
        return value

    def count(self, label, bytes_each):
        begin = self.at
        value = self.varint(label)
        self.need(value <= (len(self.data) - self.at) // bytes_each, f"{label} is beyond the end", begin)
        return value

    def end(self, what):
        self.need(self.at == len(self.data), f"bytes follow {what}")


def text_of(data):
    return data.decode("utf-8", "backslashreplace")


# Packs.

def read_frame(fields):
    frame = {"record": "frame", "payload_bytes": fields.varint("payload_bytes")}
    frame["codec"] = fields.varint("codec", 0xFFFF, lambda value: CODECS.get(value, str(value)))
    is_delta = fields.varint("flags", show=lambda value: {0: "0", 1: "1, a delta"}.get(value, "?"))
    fields.need(is_delta <= 1, "flags of a later version")
    count = fields.count("chunk_count", DIGEST_BYTES + 1)
    frame["chunks"] = [{"digest": fields.digest("chunk digest"), "size_bytes": fields.varint("chunk_bytes")}
                       for _ in range(count)]
    sizes = [chunk["size_bytes"] for chunk in frame["chunks"]]
    fields.need(count > 0, "a frame without chunks")
    fields.need(all(1 <= size <= FRAME_BYTES_MAX for size in sizes), "a chunk of an impossible size")
    fields.need(count == 1 or sum(sizes) <= SHARED_FRAME_BYTES_MAX, "a shared frame of more than 1 MiB")
    fields.need(1 <= frame["payload_bytes"] <= FRAME_BYTES_MAX, "a payload of an impossible size")
    fields.need(frame["codec"] != 0 or frame["payload_bytes"] == sum(sizes), "sizes of an uncompressed frame differ")
    frame["raw_bytes"] = sum(sizes)
    if is_delta:
        count = fields.count("base_count", DIGEST_BYTES)
        fields.need(1 <= count <= BASE_CHUNKS_MAX, "a base of an impossible number of chunks")
        frame["base"] = [fields.digest("base digest") for _ in range(count)]
        fields.need(frame["codec"] == 10, "a delta that is not of zstd")
        fields.need(sum(sizes) <= DELTA_BYTES_MAX, "a delta of more than 4 MiB")
    return frame


def read_manifest_record(fields):
    record = {"record": "manifest", "payload_bytes": fields.varint("payload_bytes"),
              "nar_sha256": fields.digest("NAR SHA-256"),
              "nar_bytes": fields.varint("nar_bytes", NAR_BYTES_MAX),
              "chunk_count": fields.varint("chunk_count")}
    fields.need(1 <= record["payload_bytes"] <= MANIFEST_BYTES_MAX, "a manifest of an impossible size")
    fields.need(record["chunk_count"] <= record["nar_bytes"] and
                (record["chunk_count"] == 0) == (record["nar_bytes"] == 0), "an impossible chunk count")
    return record


def read_name_text(fields):
    size = fields.varint("length", NAME_BYTES_MAX)
    name = fields.raw(size, "name", text_of)
    fields.need(size > 0 and b"\0" not in name, "a name is empty or contains a NUL")
    return text_of(name)


def read_name(fields):
    return {"record": "name", "name": read_name_text(fields), "nar_sha256": fields.digest("NAR SHA-256"),
            "added_unix_seconds": fields.varint("added_unix_seconds")}


def read_removal(fields):
    return {"record": "removal", "name": read_name_text(fields)}


RECORDS = {1: read_frame, 2: read_manifest_record, 3: read_name, 4: read_removal}


def read_directory(data, payload_end, trace=None):
    fields = Fields(data, payload_end, trace)
    sequence = fields.varint("sequence", SEQUENCE_MAX)
    fields.need(sequence > 0, "a sequence of 0", 0)
    records, payload_offset = [], len(PACK_MAGIC)
    for _ in range(fields.count("record_count", 3)):
        kind = fields.varint("kind of record", 4, lambda value: ["", "frame", "manifest", "name", "removal"][value])
        fields.need(kind in RECORDS, "a record of no known kind")
        record = RECORDS[kind](fields)
        if "payload_bytes" in record:
            record["payload_offset"] = payload_offset
            payload_offset += record["payload_bytes"]
        records.append(record)
    fields.end("the last record")
    fields.need(payload_offset == payload_end, "payloads do not end where the directory begins", 0)
    return {"sequence": sequence, "records": records}


def read_pack(data, path=""):
    """The directory of a pack, everything checked; with the fields in the order of the file."""
    if len(data) < len(PACK_MAGIC) + TRAILER_BYTES:
        raise Corrupt("too short for a pack")
    trace = []
    Fields(data, 0, trace).raw(8, "magic", lambda value: "version 1")
    if not data.startswith(PACK_MAGIC):
        raise Corrupt("not a pack of version 1 at byte 0")
    trailer_offset = len(data) - TRAILER_BYTES
    trailer = Fields(data[trailer_offset:], trailer_offset)
    number = lambda value: str(int.from_bytes(value, "little"))
    offset = int.from_bytes(trailer.raw(8, "directory_offset", number), "little")
    size = int.from_bytes(trailer.raw(8, "directory_bytes", number), "little")
    digest = trailer.digest("BLAKE3(directory)")
    if trailer.raw(8, "trailer magic", lambda value: "") != PACK_END:
        raise Corrupt(f"no trailer magic at byte {len(data) - 8}")
    if not (len(PACK_MAGIC) <= offset and offset + size == trailer_offset and size <= DIRECTORY_BYTES_MAX):
        raise Corrupt(f"directory offset and size do not fit at byte {trailer_offset}")
    encoded = data[offset:trailer_offset]
    if blake3_reference.digest(encoded).hex() != digest:
        raise Corrupt(f"the directory does not hash to its digest at byte {offset}")
    directory_trace = []
    directory = read_directory(encoded, offset, directory_trace)
    explain_payloads(data, directory["records"], trace)
    keys = {f"packs/{digest[:2]}/{digest}"}
    if [r["record"] for r in directory["records"]] == ["frame"]:
        chunks = directory["records"][0]["chunks"]
        if len(chunks) == 1:
            keys.add("chunks/{0:.2}/{0}".format(chunks[0]["digest"]))
    key = re.search(r"(packs|chunks)/[0-9a-f]{2}/[0-9a-f]{64}$", os.path.abspath(path)) if path else None
    if key and key[0] not in keys:
        raise Corrupt("the pack lies under another pack's key")
    return {"format": "pack", "digest": digest, "size_bytes": len(data), **directory}, \
        trace + directory_trace + trailer.trace


def explain_payloads(data, records, trace):
    """Reads the manifests among the payloads into their records; frames are left as they are."""
    for number, record in enumerate(records):
        if "payload_offset" not in record:
            continue
        at = record["payload_offset"]
        payload = data[at:at + record["payload_bytes"]]
        if record["record"] == "frame":
            trace.append((at, payload, "payload of a frame", CODECS.get(record["codec"], "?")))
            continue
        record["manifest"], fields = read_manifest(payload, at)
        trace += fields
        for field in ("nar_sha256", "nar_bytes", "chunk_count"):
            if record["manifest"][field] != record[field]:
                raise Corrupt(f"record {number} contradicts its manifest about {field} at byte {at}")


# Manifests.

HAS_REFERENCES, HAS_LANDMARKS = 1, 4
LANDMARKS = ["prefer_sections", "dedup_hint", "prefer_definitions", "prefer_lines"]


def show_flags(value):
    words = [word for bit, word in ((HAS_REFERENCES, "references"), (HAS_LANDMARKS, "landmarks")) if value & bit]
    return f"{value}, has {' and '.join(words)}" if words else str(value)


def read_landmarks(fields):
    bits = fields.varint("landmarks", (1 << len(LANDMARKS)) - 1)
    fields.need(bits != 0, "landmarks that are announced and not there")
    return {name: True for i, name in enumerate(LANDMARKS) if bits & 1 << i}


def read_recipe(fields):
    recipe = {"algorithm": fields.varint("algorithm", 3, ALGORITHMS.get), "version": fields.varint("version")}
    for name in ("min_bytes", "avg_bytes", "max_bytes"):
        recipe[name] = fields.varint(name)
    recipe["normalization"] = fields.varint("normalization", 255)
    recipe["seed"] = fields.varint("seed")
    recipe["nar_mode"] = fields.varint("nar_mode", 2, NAR_MODES.get)
    recipe["header_chunk"] = bool(fields.varint("header_chunk", 1))
    fields.need(recipe["algorithm"] > 0 and recipe["version"] == 1, "a recipe of a later version")
    recipe["algorithm"] = ALGORITHMS[recipe["algorithm"]]
    recipe["nar_mode"] = NAR_MODES[recipe["nar_mode"]]
    return recipe


def read_part(fields, label, items, bytes_each, read_items, inline_bytes_max=PART_INLINE_BYTES_MAX):
    raw_bytes = fields.varint(f"{label}: raw_bytes", PART_BYTES_MAX)
    fields.need(items <= raw_bytes // bytes_each, f"{label} is too small for its items")
    pieces = fields.varint(f"{label}: piece_count")
    expected = 0 if raw_bytes <= inline_bytes_max else -(-raw_bytes // PIECE_BYTES)
    fields.need(pieces == expected, f"{label} of this size has {expected} pieces")
    if pieces:
        return {"raw_bytes": raw_bytes, "pieces": [fields.digest(f"{label}: digest") for _ in range(pieces)]}
    fields.need(raw_bytes <= len(fields.data) - fields.at, f"{label} is cut off")
    part = Fields(fields.data[fields.at:fields.at + raw_bytes], fields.start + fields.at, fields.trace)
    fields.at += raw_bytes
    return {"raw_bytes": raw_bytes, "items": read_items(part)}


def read_chunk_list(fields, count, nar_bytes):
    chunks = [{"digest": fields.digest("chunk digest"), "size_bytes": fields.varint("chunk_bytes", FRAME_BYTES_MAX)}
              for _ in range(count)]
    fields.end("the chunk list")
    fields.need(all(chunk["size_bytes"] for chunk in chunks), "a chunk is empty")
    fields.need(sum(chunk["size_bytes"] for chunk in chunks) == nar_bytes, "chunks do not add up to the NAR")
    return chunks


def check_entry(fields, path, kind, size, before, directories):
    """Whether an archive could have this entry after `before`; `directories` are the open ones."""
    if before is None:
        fields.need(path == b"", "the first entry is not the root")
    else:
        parent, _, name = path.rpartition(b"/")
        while directories and directories[-1] != parent:
            directories.pop()
        fields.need(bool(directories) and path[:1] != b"/", "an entry's parent is not an open directory")
        fields.need(0 < len(name) <= ENTRY_NAME_BYTES_MAX and name not in (b".", b"..") and b"\0" not in name,
                    "an entry's name is not one")
        if before != parent:
            beside = before[len(parent) + 1 if parent else 0:].split(b"/")[0]
            fields.need(beside < name, "names of a directory do not ascend")
    fields.need(len(path) <= ENTRY_PATH_BYTES_MAX, "a path is too long")
    fields.need(kind != 2 or size == 0, "a directory has a size")
    fields.need(kind != 3 or 1 <= size <= TARGET_BYTES_MAX, "a symlink's target has an impossible size")
    if kind == 2:
        directories.append(path)


def read_entry_table(fields, count, nar_bytes):
    entries, directories, before, offset, end, path_bytes = [], [], None, -1, 0, 0
    for _ in range(count):
        shared = fields.varint("shared")
        path = before or b""
        fields.need(shared <= len(path), "more is shared than there is")
        suffix = fields.raw(fields.varint("length", ENTRY_PATH_BYTES_MAX), "path", text_of)
        fields.need(shared == len(path) or suffix[:1] != path[shared:shared + 1], "more could be shared")
        path = path[:shared] + suffix
        path_bytes += len(path)
        fields.need(path_bytes <= (16 << 20) + 32 * len(fields.data), "paths are too long for their number")
        kind = fields.varint("kind", 5, lambda value: ENTRY_KINDS.get(value, "?"))
        fields.need(kind in ENTRY_KINDS, "an entry of no known kind")
        begin = end + fields.varint("gap")
        fields.need(begin > offset, "an entry begins where the one before it does")
        size = fields.varint("size_bytes")
        fields.need(begin + size <= nar_bytes, "an entry reaches beyond its archive")
        check_entry(fields, path, kind, size, before, directories)
        entries.append({"path": text_of(path), "kind": ENTRY_KINDS[kind], "offset_bytes": begin, "size_bytes": size})
        before, offset, end = path, begin, begin + size
    fields.end("the entry table")
    return entries


NIX_DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"


def spelled(store_hash):
    number = int.from_bytes(store_hash, "little")
    return "".join(NIX_DIGITS[number >> (5 * i) & 31] for i in reversed(range(STORE_HASH_CHARACTERS)))


def read_hash_list(fields):
    hashes = []
    while fields.at < len(fields.data):
        hashes.append(spelled(fields.raw(STORE_HASH_BYTES, f"hash {len(hashes)}", spelled)))
    fields.need(len(set(hashes)) == len(hashes), "a hash comes twice")
    return hashes


def read_position_list(fields, hashes, nar_bytes):
    positions, end, named = [], 0, 0
    while fields.at < len(fields.data):
        begin = end + fields.varint("gap")
        end = begin + STORE_HASH_CHARACTERS
        fields.need(end <= nar_bytes, "a reference ends outside the NAR")
        index = fields.varint("hash_index")
        fields.need(index <= named and (hashes is None or index < len(hashes)), "a hash index is out of order")
        named = max(named, index + 1)
        positions.append({"offset_bytes": begin, "hash_index": index})
    fields.need(hashes is None or named == len(hashes), "a hash is named by no reference")
    return positions


def read_references(fields, manifest):
    hash_list = read_part(fields, "hash list", 1, STORE_HASH_BYTES, read_hash_list, HASH_LIST_INLINE_BYTES_MAX)
    hashes = hash_list.get("items")
    position_list = read_part(fields, "position list", 1, 2,
                              lambda part: read_position_list(part, hashes, manifest["nar_bytes"]))
    manifest.update(hash_list=hash_list, position_list=position_list)


def read_manifest(data, at=0):
    if len(data) < len(MANIFEST_MAGIC) + CHECK_BYTES or not data.startswith(MANIFEST_MAGIC):
        raise Corrupt(f"not a manifest of version 1 at byte {at}")
    if len(data) > MANIFEST_BYTES_MAX:
        raise Corrupt(f"a manifest larger than 1 MiB at byte {at}")
    body = data[:-CHECK_BYTES]
    if blake3_reference.digest(body)[:CHECK_BYTES] != data[-CHECK_BYTES:]:
        raise Corrupt(f"a manifest does not hash to its check at byte {at + len(body)}")
    fields = Fields(body, at)
    fields.raw(len(MANIFEST_MAGIC), "magic", lambda value: "version 1")
    manifest = {"format": "manifest", "nar_sha256": fields.digest("NAR SHA-256"),
                "nar_bytes": fields.varint("nar_bytes", NAR_BYTES_MAX)}
    flags = fields.varint("flags", show=show_flags)
    fields.need(flags & ~(HAS_REFERENCES | HAS_LANDMARKS) == 0, "flags of a later version")
    manifest["recipe"] = read_recipe(fields)
    if flags & HAS_LANDMARKS:
        manifest["recipe"].update(read_landmarks(fields))
    chunks, entries = fields.varint("chunk_count"), fields.varint("entry_count")
    manifest.update(chunk_count=chunks, entry_count=entries)
    manifest["chunk_list"] = read_part(fields, "chunk list", chunks, DIGEST_BYTES + 1,
                                       lambda part: read_chunk_list(part, chunks, manifest["nar_bytes"]))
    manifest["entry_table"] = read_part(fields, "entry table", entries, 5,
                                        lambda part: read_entry_table(part, entries, manifest["nar_bytes"]))
    if flags & HAS_REFERENCES:
        read_references(fields, manifest)
    fields.end("the parts")
    check = Fields(data[-CHECK_BYTES:], at + len(body), fields.trace)
    check.raw(CHECK_BYTES, "check", lambda value: "BLAKE3 of what is before, first 16 bytes")
    return manifest, fields.trace


# Showing.

def explain(trace):
    """One line per 16 bytes: where, which bytes, what they mean."""
    for offset, data, label, shown in trace:
        meaning = f"{label}: {shown}" if shown else label
        for i in range(0, len(data), 16):
            yield f"{offset + i:06x}  {data[i:i + 16].hex(' '):<47}  {meaning if i == 0 else ''}".rstrip()


def table_row(number, record):
    kind = record["record"]
    if kind == "frame":
        codec = CODECS.get(record["codec"], record["codec"])
        what = f"{codec}, {record['raw_bytes']} raw, {len(record['chunks'])} chunk(s)"
        what += f", base of {len(record['base'])}" if "base" in record else ""
        what += "".join(f"\n{'':35}{c['digest']} {c['size_bytes']}" for c in record["chunks"])
    elif kind == "manifest":
        what = f"sha256:{record['nar_sha256']}, {record['nar_bytes']} bytes, {record['chunk_count']} chunk(s)"
    elif kind == "name":
        what = f"{record['name']!r} is sha256:{record['nar_sha256']} since {record['added_unix_seconds']}"
    else:
        what = repr(record["name"])
    at, size = record.get("payload_offset", ""), record.get("payload_bytes", "")
    return f"{number:>5} {kind:<9}{at:>10} {size:>8} {what}"


def show(path, value):
    if value["format"] == "manifest":
        print(json.dumps(value, indent=2))
        return
    print(f"{path}: pack {value['digest']}, sequence {value['sequence']}, {value['size_bytes']} bytes")
    print(f"{'':>5} {'record':<9}{'offset':>10} {'bytes':>8}")
    for number, record in enumerate(value["records"]):
        print(table_row(number, record))


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    value, trace = read_manifest(data) if data.startswith(MANIFEST_MAGIC[:7]) else read_pack(data, path)
    return data, value, trace


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="FILE", nargs="+")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--json", action="store_true")
    mode.add_argument("--explain", action="store_true")
    mode.add_argument("--payload", metavar="RECORD", type=int)
    options = parser.parse_args()
    failed = False
    for path in options.files:
        try:
            data, value, trace = read(path)
            if options.json:
                print(json.dumps({"file": path, **value}))
            elif options.explain:
                print("\n".join(explain(trace)))
            elif options.payload is not None:
                record = value["records"][options.payload]
                at = record["payload_offset"]
                sys.stdout.buffer.write(data[at:at + record["payload_bytes"]])
            else:
                show(path, value)
        except (Corrupt, OSError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
        except (KeyError, IndexError):
            print(f"{path}: no payload of that number", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
