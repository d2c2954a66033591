#!/usr/bin/env python3
"""Writes src/cut/gear_table.cpp, the gear table of FastCDC.

usage: tools/make_gear_table.py > src/cut/gear_table.cpp

Entry i is the first eight bytes, read big-endian, of the MD5 of 64 bytes that all have the value i.
MD5 is no secret here, only a way to write down 256 random numbers.
"""

import hashlib

HEAD = """// Made by tools/make_gear_table.py; do not edit.
#include "cut/gear.hpp"

namespace chunker::cut {

// clang-format off
const std::array<std::uint64_t, 256> kGearTable = {"""
TAIL = """};
// clang-format on

}  // namespace chunker::cut"""


def entry(index):
    return int.from_bytes(hashlib.md5(bytes([index]) * 64).digest()[:8], "big")


def main():
    print(HEAD)
    for row in range(0, 256, 4):
        print("    " + " ".join(f"0x{entry(i):016x}," for i in range(row, row + 4)))
    print(TAIL)


if __name__ == "__main__":
    main()
