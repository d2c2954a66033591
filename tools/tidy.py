#!/usr/bin/env python3
"""Checks what no compiler checks: floors, purity, lengths, names and the shape of headers.

usage: tools/tidy.py [ROOT]      prints "file:line: what: cure" for each fault; exits 1 if there is any
"""

import pathlib
import re
import sys
from typing import NamedTuple

# Which floor a folder of src/ is on. An include points to its own folder or to a lower floor, so folders
# of one floor do not know each other; only floor 2 has steps, and a step may use those before it
# (ARCHITECTURE.md).
FLOORS = {
    "base": 0,
    "nar": 1, "refs": 1, "cut": 1, "hash": 1, "sniff": 1, "codec": 1, "delta": 1, "sign": 1,
    "resource": 2, "cache": 2, "store": 2,
    "pipeline": 3,
    "capi": 4, "cli": 4, "server": 4, "telemetry": 4,
}

# Which folder implements a public header; the header is on that folder's floor.
PUBLIC_HEADERS = {
    "error": "base", "bytes": "base", "threads": "base", "digest": "base", "sink": "base",
    "algorithm": "base", "algorithm_use": "base", "log": "base",
    "nar": "nar", "nar_listing": "nar", "references": "refs", "recipe": "cut", "chunk": "cut", "hash": "hash", "codec": "codec", "sign": "sign",
    "content_type": "sniff", "dictionary": "codec", "dictionary_cache": "cache",
    "hash_cache": "cache",
    "nar_tree": "resource", "memory_budget": "resource", "scratch_pool": "resource", "cpu_quota": "resource", "manifest": "store", "store": "store",
    "chunking": "pipeline", "chunk_stream": "pipeline", "ingest": "pipeline", "restore": "pipeline", "batch": "pipeline",
    "maintain": "pipeline", "algorithm_registry": "pipeline", "batch_compression": "pipeline",
    "dictionary_training": "pipeline", "async_chunk_stream": "pipeline", "memory_chunker": "pipeline", "benchmark": "pipeline",
}
STEPS = ("resource", "cache", "store")
TABLE_OF_CONTENTS = "chunker/chunker.hpp"

# Which folders may include a dependency, by how its headers' names begin.
EDGE = {folder for folder, floor in FLOORS.items() if floor == 4}
FOREIGN_HEADERS = {
    "tbb/": {"resource", "pipeline"}, "oneapi/": {"resource", "pipeline"},
    "rocksdb/": {"store"}, "openssl/": {"hash", "sign"}, "blake3.h": {"hash"},
    "zstd": {"codec"}, "zdict": {"codec"}, "lz4": {"codec"}, "lzma": {"codec"}, "bzlib": {"codec"},
    "CLI/": EDGE, "fmt/": EDGE, "nlohmann/": EDGE, "spdlog/": EDGE,
}

# What makes code of floor 1 impure: I/O, threads, clocks, logs.
IMPURE_HEADERS = re.compile(
    r"(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token|chrono|ctime|"
    r"time\.h|fstream|iostream|filesystem|syncstream|unistd\.h|fcntl\.h|pthread\.h|dirent\.h|sys/.*|"
    r"base/mutex\.hpp)$")
IMPURE_NAMES = re.compile(r"\b(getenv|fopen|f?printf|thread_local|std::c(out|err|in))\b")

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70

SRC, TEST, BELOW_EDGE, ALL = "src", "test", "below floor 4", "anywhere"
# (pattern, where, what is wrong, cure). Comments and strings are blanked before the search.
BANNED = [(re.compile(pattern), where, what, cure) for pattern, where, what, cure in [
    (r"\bstd::(v?format(_to(_n)?)?)\b", ALL, "g++ 12 has no std::format", "std::to_string, or fmt on floor 4"),
    (r"\bstd::print(ln)?\b", ALL, "g++ 12 has no std::print", "fmt::print on floor 4"),
    (r"\bstd::generator\b", ALL, "g++ 12 has no std::generator", "a visitor or an iterator"),
    (r"\.(and_then|or_else|transform_error)\s*\(", ALL, "std::expected of g++ 12 has no such member",
     "CHUNKER_TRY"),
    (r"\bstd::endl\b", ALL, "std::endl flushes", "'\\n'"),
    (r"\bstd::regex\b", SRC, "std::regex recurses once per character", "a small parser"),
    (r"\busing namespace std\s*;", ALL, "using namespace std", "write std::"),
    (r"(?<!static_)\bassert\s*\(", SRC, "assert vanishes from release builds", "CHUNKER_CHECK, or an Error"),
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof)\s*\(", ALL, "unbounded or unchecked C function",
     "std::string, std::from_chars"),
    (r"\bs?rand\s*\(", ALL, "rand() is neither random nor repeatable", "std::mt19937_64 with a seed"),
    (r"\bNULL\b", ALL, "NULL", "nullptr"),
    (r"\.detach\s*\(\s*\)", ALL, "a detached thread outlives what it uses", "join it"),
    (r"\bstd::c(out|err)\b", BELOW_EDGE, "a library does not talk", "return it, or an Error"),
    (r"(?<![\w.>])(std::)?exit\s*\(", BELOW_EDGE, "a library does not end the process", "return an Error"),
    (r"\bGTEST_SKIP\b|\bDISABLED_\w+", TEST, "a test that does not run", "mend or delete it"),
    (r"\b(EXPECT|ASSERT)_TRUE\s*\(\s*true\s*\)|\bSUCCEED\s*\(", TEST, "a test that cannot fail",
     "expect something"),
]]
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

CODE = {".cpp", ".hpp", ".h", ".c"}
TEXT = CODE | {".py", ".sh", ".md", ".txt", ".cmake", ".json", ".yml", ".exs", ".ex", ".map"}
TEXT_NAMES = {"Makefile", "LICENSE", "run", ".clang-format", ".editorconfig", ".gitignore"}
TOP_FOLDERS = ("src", "include", "test", "fuzz", "bench", "tools", "cmake", "doc", "bindings", ".ci")
DATA = re.compile(r"(^|/)(corpus|data|__pycache__)/|_table\.(hpp|cpp|inc)$")

COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\[^\n']+|\\'|[^'\\\n])'", re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


class Fault(NamedTuple):
    path: str
    line: int
    what: str
    cure: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}: {self.cure}"


class SourceFile:
    """One text file, its path relative to the root, and its text with comments and literals blanked."""

    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.parts = self.path.split("/")
        self.suffix = path.suffix
        self.raw = path.read_bytes()
        self.text = self.raw.decode("utf-8", "replace")
        self.lines = self.text.splitlines()
        self.is_code = self.suffix in CODE

    @property
    def code(self):
        blanked = COMMENT_OR_LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), self.text)
        return blanked.splitlines()

    @property
    def folder(self):
        """The folder of src/ it belongs to, or None: tests, tools and the table of contents may see all."""
        if self.parts[0] == "src" and len(self.parts) > 2:
            return self.parts[1]
        if self.path.startswith("include/chunker/c/"):
            return "capi"
        if self.parts[0] == "include" and self.path != "include/" + TABLE_OF_CONTENTS:
            return PUBLIC_HEADERS.get(self.parts[-1].removesuffix(".hpp"))
        return None

    def includes(self):
        for number, line in enumerate(self.lines, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match[2], match[1] == "<"


def read_tree(root):
    paths = [path for path in root.iterdir() if path.is_file()]
    for folder in TOP_FOLDERS:
        paths += sorted((root / folder).rglob("*"))
    return [SourceFile(root, path) for path in paths
            if path.is_file() and (path.suffix in TEXT or path.name in TEXT_NAMES)
            and not DATA.search(path.relative_to(root).parent.as_posix() + "/")]


def may_use(here, there):
    if here in STEPS and there in STEPS:
        return STEPS.index(there) <= STEPS.index(here)
    return there == here or FLOORS[there] < FLOORS[here]


def folder_of_include(name):
    """The folder of src/ that an include in quotes belongs to, "" if it belongs to none."""
    first, _, rest = name.partition("/")
    if first == "chunker":
        return "capi" if rest.startswith("c/") else PUBLIC_HEADERS.get(rest.removesuffix(".hpp"), "")
    return first if first in FLOORS and rest else ""


def check_floors(file):
    if not file.is_code or file.parts[0] not in ("src", "include"):
        return
    here = file.folder
    if file.path == "include/" + TABLE_OF_CONTENTS:
        return
    if here not in FLOORS:
        yield Fault(file.path, 1, "is on no floor",
                    "add its folder to FLOORS or the header to PUBLIC_HEADERS in tools/tidy.py")
        return
    for number, name, angled in file.includes():
        if angled:
            continue
        there = folder_of_include(name)
        if name == TABLE_OF_CONTENTS:
            if FLOORS[here] != 4:
                yield Fault(file.path, number, f'"{name}" is everything', "include what is used")
        elif not there:
            yield Fault(file.path, number, f'"{name}" names no folder of src/ and no public header',
                        "write \"folder/file.hpp\", and give a new public header its floor in tools/tidy.py")
        elif not may_use(here, there):
            yield Fault(file.path, number,
                        f"{here} (floor {FLOORS[here]}) includes {there} (floor {FLOORS[there]})",
                        "include only your own folder and lower floors; move what both need down")


def check_links(file):
    """The same rule for what a component links to."""
    if file.parts[-1] != "CMakeLists.txt" or file.parts[0] != "src":
        return
    text = re.sub(r"#[^\n]*", "", file.text)
    for match in re.finditer(r"chunker_component\(\s*(\w+)([^)]*)\)", text):
        number = text[:match.start()].count("\n") + 1
        uses = re.search(r"\bUSES\b(.*?)(\bLIBRARIES\b|\bSOURCES\b|$)", match[2], re.DOTALL)
        for used in uses[1].split() if uses else []:
            if used not in FLOORS or match[1] not in FLOORS or not may_use(match[1], used):
                yield Fault(file.path, number, f"{match[1]} links to {used}", "USES names lower floors only")


def check_dependencies(file):
    if not file.is_code or file.parts[0] not in ("src", "include"):
        return
    for number, name, _ in file.includes():
        for prefix, folders in FOREIGN_HEADERS.items():
            if not name.startswith(prefix):
                continue
            if file.parts[0] == "include":
                yield Fault(file.path, number, f"<{name}> in a public header",
                            "no foreign type leaves src/; hide it behind a pointer")
            elif file.folder not in folders:
                yield Fault(file.path, number, f"{file.folder} includes <{name}>",
                            f"only {', '.join(sorted(folders))} may know this dependency")


def check_purity(file):
    if not file.is_code or FLOORS.get(file.folder) != 1:
        return
    cure = "floor 1 has no I/O, threads, clock or log; take it as an argument or move up a floor"
    for number, name, _ in file.includes():
        if IMPURE_HEADERS.match(name):
            yield Fault(file.path, number, f"{file.folder} (floor 1) includes {name}", cure)
    for number, line in enumerate(file.code, 1):
        match = IMPURE_NAMES.search(line)
        if match:
            yield Fault(file.path, number, f"{file.folder} (floor 1) uses {match[0]}", cure)


def check_file_length(file):
    if (file.is_code or file.suffix in (".py", ".sh")) and not DATA.search(file.path):
        if len(file.lines) > FILE_LINES_MAX:
            yield Fault(file.path, len(file.lines), f"{len(file.lines)} lines, {FILE_LINES_MAX} at most",
                        "find the two nouns in it and give each a file")


def first_branches(lines):
    """Numbered lines without directives; of #if branches only the first, so that braces balance."""
    skipping, continued = [], False
    for number, line in enumerate(lines, 1):
        directive = re.match(r"\s*#\s*(if|el|endif)?", line)
        inside, continued = continued, (directive or continued) and line.endswith("\\")
        if inside:
            continue
        if directive is None:
            if not any(skipping):
                yield number, line
        elif directive[1] == "if":
            skipping.append(False)
        elif directive[1] == "el" and skipping:
            skipping[-1] = True
        elif directive[1] == "endif" and skipping:
            skipping.pop()


def functions(lines):
    """(first line, number of lines) of each function body, found by braces.

    A brace opens a function if what stands before it (the head) has a parameter list and is neither a
    type, a namespace nor an initializer. A brace without a blank before it initializes something, and the
    head goes on behind it. Labels do not count: a switch over all of an enum is a table.
    """
    heads, function, head, labels = [], None, "", 0
    for number, line in first_branches(lines):
        labels = labels + bool(re.match(r"\s*case [^?]*:\s*$", line)) if function else 0
        for character in line + "\n":
            if character == "{":
                initializes = head[-1:].strip() != ""
                if function is None and not initializes and opens_function(head):
                    function = (len(heads), number - head.strip().count("\n"))
                heads.append(head if initializes else "")
                head = ""
            elif character == "}":
                head = heads.pop() if heads else ""
                if function and len(heads) == function[0]:
                    yield function[1], number - function[1] + 1 - labels
                    function = None
            elif character == ";":
                head = ""
            else:
                head += character


def opens_function(head):
    text = re.sub(r"\btemplate\s*<[^{]*?>\s*(requires[^{]*?\n)?", "", head).strip()
    text = re.sub(r"^((public|private|protected)\s*:\s*)+", "", text)
    if re.match(r"(inline\s+)?(namespace|class|struct|union|enum|extern\s*$|concept)\b", text):
        return False
    return "(" in text and not re.search(r"[=,({]$|\breturn$", text)


def check_function_length(file):
    if not file.is_code or DATA.search(file.path):
        return
    for number, length in functions(file.code):
        if length > FUNCTION_LINES_MAX:
            yield Fault(file.path, number, f"a function of {length} lines, {FUNCTION_LINES_MAX} at most",
                        "give each step of it a name")


def check_text(file):
    for number, line in enumerate(file.raw.split(b"\n"), 1):
        if not line.isascii():
            yield Fault(file.path, number, "not ASCII", "write it in ASCII, or as an escape")
        if line.rstrip() != line:
            yield Fault(file.path, number, "blanks (or a CR) at the end of the line", "take them away")
    if file.raw and not file.raw.endswith(b"\n"):
        yield Fault(file.path, len(file.lines), "no newline at the end of the file", "end the last line")
    for number, line in enumerate(file.lines, 1):
        match = UNFINISHED.search(line)
        if match:
            yield Fault(file.path, number, f"{match[0]} in the tree", "finish it, or open an issue")


def banned_here(where, file):
    return (where == ALL or where == file.parts[0]
            or where == BELOW_EDGE and FLOORS.get(file.folder, 4) < 4)


def check_names(file):
    if not file.is_code:
        return
    patterns = [entry for entry in BANNED if banned_here(entry[1], file)]
    for number, line in enumerate(file.code, 1):
        for pattern, _, what, cure in patterns:
            if pattern.search(line):
                yield Fault(file.path, number, what, cure)


def check_headers(file):
    if file.suffix != ".hpp":
        return
    if "#pragma once" not in file.lines:
        yield Fault(file.path, 1, "a header without #pragma once", "make it the first line")
    if file.parts[0] != "include":
        return
    for number, line in enumerate(file.code):
        match = re.match(r"class\s+(\w+)[^;]*$", line)
        if not match:
            continue
        above = number
        while above > 0 and re.match(r"///|template\b|class\b", file.lines[above - 1]):
            above -= 1
        block = "\n".join(file.lines[above:number])
        absent = [word for word in ("Owns:", "Threads:", "Errors:", "Cost:") if word not in block]
        if absent:
            yield Fault(file.path, number + 1, f"class {match[1]} does not state {' '.join(absent)}",
                        "its comment has five parts: what it is, Owns:, Threads:, Errors:, Cost:")


def check_listed(files):
    """Every source file is named in the CMakeLists.txt of its folder, or of one above."""
    lists = {file.path.removesuffix("CMakeLists.txt"): re.sub(r"#[^\n]*", "", file.text)
             for file in files if file.parts[-1] == "CMakeLists.txt"}
    for file in files:
        if file.suffix not in (".cpp", ".c") or file.parts[0] not in ("src", "test", "fuzz", "bench"):
            continue
        folder = file.path.rpartition("/")[0] + "/"
        while folder and folder not in lists:
            folder = folder.rstrip("/").rpartition("/")[0]
            folder += "/" if folder else ""
        name = file.path.removeprefix(folder)
        stem = name.removesuffix(file.suffix)
        pattern = rf"(?<![\w/.-]){re.escape(stem)}({re.escape(file.suffix)})?(?![\w/.-])"
        if not re.search(pattern, lists.get(folder, "")):
            yield Fault(file.path, 1, f"is not in {folder}CMakeLists.txt", "list it, or delete it")


def check_document_links(file, root):
    if file.suffix != ".md":
        return
    for number, line in enumerate(file.lines, 1):
        for target in re.findall(r"\]\(([^)#\s]+)", line):
            if "://" not in target and not (root / file.path).parent.joinpath(target).exists():
                yield Fault(file.path, number, f"a link to {target}, which is not there", "mend the link")


CHECKS = (check_floors, check_links, check_dependencies, check_purity, check_file_length,
          check_function_length, check_text, check_names, check_headers)


def faults(root):
    files = read_tree(root)
    for file in files:
        for check in CHECKS:
            yield from check(file)
        yield from check_document_links(file, root)
    yield from check_listed(files)


def main(arguments):
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    found = sorted(faults(root))
    for fault in found:
        print(fault)
    print(f"tidy: {len(found)} faults in {len(read_tree(root))} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
