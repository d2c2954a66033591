"""Landmarks as doc/format/recipe.md says, slowly and plainly: the half of tools/reference_cut.py that knows files."""

BEGINNING = 4096
TEXT = {*range(8, 14), 27, *range(32, 127), *range(128, 256)}
X86_ENDS = (b"\xc3", b"\xcc", b"\x90", b"\x0f\x1f\0", b"\x0f\x1f\x40\0", b"\x0f\x1f\x44\0\0",
            b"\x0f\x1f\x80\0\0\0\0", b"\x0f\x1f\x84\0\0\0\0\0")
ENDBR64 = b"\xf3\x0f\x1e\xfa"
ARM64_ENDS = (b"\xc0\x03\x5f\xd6", b"\x1f\x20\x03\xd5")  # ret, nop


def elf_parts(head):
    """Machine, boundaries and code of an ELF file that begins with `head`."""
    order = "big" if head[5] == 2 else "little"

    def number(at, size):
        return int.from_bytes(head[at:at + size], order)

    wide = head[4] != 1
    word = 8 if wide else 4
    table, sections, entry, count = (32, 40, 54, 56) if wide else (28, 32, 42, 44)
    header_bytes, flags_at, offset_at, size_at = (56, 4, 8, 32) if wide else (32, 24, 4, 16)
    machine = {3: "x86", 62: "x86", 183: "arm64"}.get(number(18, 2))
    boundaries, code = set(), []
    if number(entry, 2) != header_bytes:
        return machine, boundaries, code
    at = number(table, word)
    for _ in range(number(count, 2)):
        if at + header_bytes > len(head):
            break
        begin, size = number(at + offset_at, word), number(at + size_at, word)
        if size and begin + size < 1 << 64:
            boundaries |= {begin, begin + size}
            if number(at, 4) == 1 and number(at + flags_at, 4) & 1:
                code.append((begin, begin + size))
        at += header_bytes
    return machine, boundaries | {number(sections, word)}, code


def mach_o_parts(head):
    def number(at, size):
        return int.from_bytes(head[at:at + size], "little")

    machine = {0x01000007: "x86", 0x0100000c: "arm64"}.get(number(4, 4))
    boundaries, code = set(), []

    def part(begin, size, instructions):
        if size and begin + size < 1 << 64:
            boundaries.update((begin, begin + size))
            if instructions:
                code.append((begin, begin + size))

    at = 32
    for _ in range(number(16, 4)):
        size = number(at + 4, 4)
        if at + 8 > len(head) or size < 8:
            break
        if number(at, 4) == 0x19 and at + 72 <= len(head):
            part(number(at + 40, 8), number(at + 48, 8), False)
            for section in range(at + 72, at + 72 + 80 * number(at + 64, 4), 80):
                if section + 80 > min(at + size, len(head)):
                    break
                flags = number(section + 64, 4)
                if number(section + 48, 4) and flags & 0xff != 1:
                    part(number(section + 48, 4), number(section + 40, 8), flags & 0x80000400)
        at += size
    return machine, boundaries, code


def parts_of(head):
    if head.startswith(b"\x7fELF"):
        return elf_parts(head)
    return mach_o_parts(head) if head.startswith(b"\xcf\xfa\xed\xfe") else (None, set(), [])


def function_before(data, begin, first, cut, head):
    """Where the last function in data[first:cut] begins; `begin` is where the file does."""
    machine, _, code = parts_of(head)
    ranges = [(low, high) for low, high in code if low <= cut - begin < high]
    if not ranges or not machine:
        return None
    first = max(first, begin + ranges[0][0])
    step, ends = (4, ARM64_ENDS) if machine == "arm64" else (16, X86_ENDS)
    places = [at for at in range(first, cut + 1) if at > begin and (at - begin) % step == 0]
    for at in reversed(places):
        if data[first:at].endswith(ends) or (machine == "x86" and data[at:cut].startswith(ENDBR64)):
            return at
    return places[-1] if places and machine == "arm64" else None


def text_before(data, first, cut, recipe):
    newlines = [at for at in range(first, cut) if data[at] == 10]
    if recipe.prefer_definitions:
        for previous, last in reversed(list(zip(newlines, newlines[1:]))):
            line, following = data[previous + 1:last], data[last + 1:min(last + 2, cut)]
            if (line in (b"", b"\r") or line.startswith(b"}")) and (following.isalpha() or following in
                                                                    (b"_", b"@", b"#", b"/")):
                return last + 1
    return newlines[-1] + 1 if newlines and recipe.prefer_lines else None


def move(data, start, cut, recipe, files):
    """Where the natural cut of the chunk that begins at `start` moves to."""
    inside = [file for file in files if file.begin + BEGINNING <= cut < file.end]
    if not inside:
        return cut
    begin, end = inside[0].begin, inside[0].end
    head = data[begin:begin + BEGINNING]
    reach = min(recipe.avg_bytes // 4, recipe.min_bytes - 64)
    first = max(cut - reach, start + recipe.min_bytes, begin)
    if recipe.prefer_sections:
        last = min(cut + reach, start + recipe.max_bytes, end - 1)
        near = [begin + b for b in parts_of(head)[1] if first <= begin + b <= last]
        if near:
            return min(near, key=lambda b: (abs(b - cut), b))
    found = None
    if first < cut and recipe.dedup_hint:
        found = function_before(data, begin, first, cut, head)
    if first < cut and found is None and TEXT.issuperset(head):
        found = text_before(data, first, cut, recipe)
    return cut if found is None else found
