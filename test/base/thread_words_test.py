#!/usr/bin/env python3
"""What the compiler must refuse, and with which words (include/chunker/threads.hpp, src/pipeline/workers.hpp).

usage: thread_words_test.py COMPILER [TEST...]
"""

import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILER = sys.argv.pop(1)

WORKERS = '#include "pipeline/workers.hpp"\nusing namespace chunker;\n'
# Workers that use one object of this type at the same time.
SHARED = WORKERS + '#include "chunker/{header}"\nvoid share({type}& one) {{\n' \
    '  pipeline::for_each_in_order(2, 2, one, []({type}&, std::size_t) {{}});\n}}\n'


def compile_errors(code):
    command = [COMPILER, "-std=c++23", "-fsyntax-only", f"-I{ROOT}/include", f"-I{ROOT}/src", "-x", "c++", "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode != 0 else ""


def public_types():
    """Header and name of every type at the top of a public header."""
    for header in sorted((ROOT / "include" / "chunker").glob("*.hpp")):
        text = header.read_text()
        for name in re.findall(r"^(?:class|struct)\s+(\w+)\b(?!::)[^;{(]*\{", text, re.MULTILINE):
            if not re.search(rf"^struct std::\w+<chunker::{name}>", text, re.MULTILINE) and name != "std":
                yield header.name, name


class ThreadWords(unittest.TestCase):
    maxDiff = None

    def expect_refused(self, code, message):
        errors = compile_errors(code)
        self.assertNotEqual(errors, "", "it compiles")
        self.assertIn(message, errors)

    def test_public_types_state_theirs(self):
        types = list(public_types())
        self.assertGreater(len(types), 50)
        lines = ['#include "chunker/chunker.hpp"']
        lines += [f"static_assert(chunker::threads_of<chunker::{name}> <= chunker::Threads::shared);" for _, name in types]
        self.assertEqual(compile_errors("\n".join(lines)), "")

    def test_a_type_without_one_does_not_compile(self):
        code = '#include "chunker/threads.hpp"\nstruct New {{{}}};\nstatic_assert(chunker::Sendable<New>);\n'
        self.assertEqual(compile_errors(code.format("static constexpr auto kThreads = chunker::Threads::movable;")), "")
        self.expect_refused(code.format(""), "this type does not state its thread word")

    def test_options_are_shared(self):
        for constness in ("", "const "):
            code = SHARED.format(header="chunking.hpp", type=constness + "ChunkingOptions")
            self.assertEqual(compile_errors(code), "")

    def test_scratch_is_not_shared_and_may_be_sent(self):
        self.expect_refused(SHARED.format(header="codec.hpp", type="CompressionScratch"),
                            "workers share only what is Threads::shared")
        self.assertEqual(compile_errors('#include "chunker/codec.hpp"\n'
                                        "static_assert(chunker::Sendable<chunker::CompressionScratch>);\n"), "")

    def test_what_is_being_built_is_not_shared_and_what_is_frozen_is(self):
        self.expect_refused(SHARED.format(header="codec.hpp", type="CodecRegistry"),
                            "workers share only what is Threads::shared")
        self.assertEqual(compile_errors(SHARED.format(header="codec.hpp", type="const CodecRegistry")), "")

    def test_caches_are_shared(self):
        for header, cache in (("hash_cache.hpp", "HashCache"), ("dictionary_cache.hpp", "DictionaryCache"),
                              ("scratch_pool.hpp", "ScratchPool")):
            self.assertEqual(compile_errors(SHARED.format(header=header, type=cache)), "")

    def test_workers_capture_nothing(self):
        code = WORKERS + "void work(int& all, {} one) {{\n" \
            "  pipeline::for_each_in_order(2, 2, all, [{}](int&, std::size_t) {{}});\n}}\n"
        self.assertEqual(compile_errors(code.format("int", "")), "")
        self.expect_refused(code.format("int", "one"), "and capture nothing")


if __name__ == "__main__":
    unittest.main()
