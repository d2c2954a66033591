"""BLAKE3 in plain Python, from its specification: slow, short, and independent of our C++.

Only the plain hash with 32 bytes of output. About 0.3 MB/s; `digest()` uses the `blake3` package
instead where it is installed.
"""

import struct

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
CHUNK_BYTES, BLOCK_BYTES = 1024, 64
MASK = 0xFFFFFFFF

# The quarter rounds of one round: four columns, then four diagonals.
QUARTERS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
            (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def _rotate(word, bits):
    return ((word >> bits) | (word << (32 - bits))) & MASK


def _compress(chaining, words, counter, block_bytes, flags):
    """The compression function; gives the first eight words of its output."""
    state = [*chaining, *IV[:4], counter & MASK, counter >> 32, block_bytes, flags]
    for turn in range(7):
        for i, (a, b, c, d) in enumerate(QUARTERS):
            state[a] = (state[a] + state[b] + words[2 * i]) & MASK
            state[d] = _rotate(state[d] ^ state[a], 16)
            state[c] = (state[c] + state[d]) & MASK
            state[b] = _rotate(state[b] ^ state[c], 12)
            state[a] = (state[a] + state[b] + words[2 * i + 1]) & MASK
            state[d] = _rotate(state[d] ^ state[a], 8)
            state[c] = (state[c] + state[d]) & MASK
            state[b] = _rotate(state[b] ^ state[c], 7)
        if turn < 6:
            words = [words[i] for i in PERMUTATION]
    return tuple(state[i] ^ state[i + 8] for i in range(8))


def _chunk(data, counter, root):
    """The chaining value of one chunk of at most 1024 bytes."""
    chaining = IV
    blocks = [data[i:i + BLOCK_BYTES] for i in range(0, len(data), BLOCK_BYTES)] or [b""]
    for i, block in enumerate(blocks):
        last = i == len(blocks) - 1
        flags = (CHUNK_START if i == 0 else 0) | (CHUNK_END if last else 0) | (ROOT if last and root else 0)
        words = struct.unpack("<16I", block.ljust(BLOCK_BYTES, b"\0"))
        chaining = _compress(chaining, words, counter, len(block), flags)
    return chaining


def _subtree(data, first_chunk, root):
    """The chaining value of a tree; its left half holds the largest power of two of chunks."""
    if len(data) <= CHUNK_BYTES:
        return _chunk(data, first_chunk, root)
    left_chunks = 1
    while left_chunks * 2 * CHUNK_BYTES < len(data):
        left_chunks *= 2
    split = left_chunks * CHUNK_BYTES
    left = _subtree(data[:split], first_chunk, False)
    right = _subtree(data[split:], first_chunk + left_chunks, False)
    return _compress(IV, left + right, 0, BLOCK_BYTES, PARENT | (ROOT if root else 0))


def reference_digest(data):
    """32 bytes, always by the code above."""
    return struct.pack("<8I", *_subtree(bytes(data), 0, True))


try:
    from blake3 import blake3 as _package

    def digest(data):
        return _package(data).digest()
except ImportError:
    digest = reference_digest
