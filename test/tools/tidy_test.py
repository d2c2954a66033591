"""Feeds tools/tidy.py small trees with one fault each, and expects the complaint."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import tidy  # noqa: E402

BLOCK = "/// A thing.\n/// Owns:    it.\n/// Threads: movable.\n/// Errors:  none.\n/// Cost:    none.\n"
GOOD = {
    "src/CMakeLists.txt": "add_subdirectory(nar)\n",
    "src/base/hex.hpp": "#pragma once\n#include \"chunker/error.hpp\"\n",
    "src/nar/CMakeLists.txt": "chunker_component(nar SOURCES parser.cpp USES base)\n",
    "src/nar/parser.cpp": "#include \"base/hex.hpp\"\n#include \"chunker/nar.hpp\"\n\nint f(int x) { return x; }\n",
    "src/cli/CMakeLists.txt": "add_executable(chunker main.cpp)\n",
    "src/cli/main.cpp": "#include <CLI/CLI.hpp>\n\n#include \"chunker/chunker.hpp\"\n",
    "include/chunker/chunker.hpp": "#pragma once\n#include \"chunker/nar.hpp\"\n",
    "include/chunker/error.hpp": "#pragma once\n",
    "include/chunker/nar.hpp": "#pragma once\n\n" + BLOCK + "class NarParser {\n};\nclass Forward;\n",
    "test/nar/CMakeLists.txt": "chunker_test(nar SOURCES parser_test.cpp USES nar)\n",
    "test/nar/parser_test.cpp": "#include \"chunker/chunker.hpp\"\n#include <thread>\n",
    "fuzz/CMakeLists.txt": "chunker_fuzz(nar USES nar)\n",
    "fuzz/nar.cpp": "#include \"chunker/nar.hpp\"\n",
}
UNFINISHED_WORD = "TO" "DO"


class Tidy(unittest.TestCase):
    def faults(self, **changes):
        """The faults of the good tree with files changed; a name's "__" stands for "/", "_dot_" for "."."""
        tree = dict(GOOD)
        tree.update({name.replace("__", "/").replace("_dot_", "."): text
                     for name, text in changes.items()})
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in tree.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
            return [str(fault) for fault in tidy.faults(root)]

    def expect(self, words, **changes):
        """Exactly one fault, with these words in it."""
        found = self.faults(**changes)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def parser(self, text):
        return {"src__nar__parser_dot_cpp": text}

    def test_accepts_a_good_tree(self):
        self.assertEqual(self.faults(), [])

    def test_accepts_this_tree_shape(self):
        # What the good tree must not be punished for: comments, literals and data are not code.
        self.assertEqual(self.faults(**self.parser(
            "// std::format, <thread> and using namespace std in prose\n"
            "const char* text = \"std::format \\\" NULL\";\n"
            "const char* raw = R\"(std::print)\";\nchar quote = '\"'; int big = 1'000'000;\n"
            "static_assert(sizeof(int) == 4);\n")), [])
        self.assertEqual(self.faults(src__nar__gear_table_dot_hpp="#pragma once\n" * 700), [])

    def test_floors(self):
        self.expect("src/nar/parser.cpp:1: nar (floor 1) includes store (floor 2)",
                    **self.parser('#include "store/pack.hpp"\n'))
        self.expect("nar (floor 1) includes cut (floor 1)", **self.parser('#include "cut/gear.hpp"\n'))
        self.expect("nar (floor 1) includes hash (floor 1)",
                    **self.parser('#include "chunker/hash.hpp"\n'))
        self.expect("cli (floor 4) includes server (floor 4)",
                    src__cli__main_dot_cpp='#include "server/http.hpp"\n')
        self.expect("base (floor 0) includes nar (floor 1)",
                    src__base__hex_dot_hpp='#pragma once\n#include "nar/parser.hpp"\n')
        self.expect("base (floor 0) includes nar (floor 1)",
                    include__chunker__error_dot_hpp='#pragma once\n#include "chunker/nar.hpp"\n')

    def test_steps_of_floor_2(self):
        self.assertEqual(self.faults(src__store__pack_dot_hpp='#pragma once\n#include "resource/file.hpp"\n'), [])
        self.expect("resource (floor 2) includes store (floor 2)",
                    src__resource__file_dot_hpp='#pragma once\n#include "store/pack.hpp"\n')

    def test_unknown_places(self):
        self.expect("names no folder of src/ and no public header", **self.parser('#include "parser.hpp"\n'))
        self.expect("names no folder of src/ and no public header",
                    **self.parser('#include "chunker/novel.hpp"\n'))
        self.expect("is on no floor", src__novel__novel_dot_hpp="#pragma once\n")
        self.expect("is on no floor", include__chunker__novel_dot_hpp="#pragma once\n")

    def test_table_of_contents_is_for_the_edge(self):
        self.expect("is everything", **self.parser('#include "chunker/chunker.hpp"\n'))

    def test_links(self):
        self.expect("src/nar/CMakeLists.txt:1: nar links to store",
                    src__nar__CMakeLists_dot_txt="chunker_component(nar SOURCES parser.cpp USES base store)\n")

    def test_dependencies(self):
        self.expect("nar includes <zstd.h>", **self.parser("#include <zstd.h>\n"))
        self.expect("nar includes <fmt/format.h>", **self.parser("#include <fmt/format.h>\n"))
        self.expect("<zstd.h> in a public header",
                    include__chunker__error_dot_hpp="#pragma once\n#include <zstd.h>\n")

    def test_purity(self):
        for name in ("thread", "mutex", "chrono", "fstream", "unistd.h", "sys/stat.h"):
            self.expect(f"nar (floor 1) includes {name}", **self.parser(f"#include <{name}>\n"))
        self.expect("nar (floor 1) includes base/mutex.hpp", **self.parser('#include "base/mutex.hpp"\n'))
        self.expect("nar (floor 1) uses getenv", **self.parser('auto x = std::getenv("X");\n'))
        self.expect("includes thread",
                    include__chunker__nar_dot_hpp="#pragma once\n#include <thread>\n")

    def test_file_length(self):
        self.expect("src/nar/parser.cpp:601: 601 lines, 600 at most", **self.parser("\n" * 601))
        self.assertEqual(self.faults(**self.parser("\n" * 600)), [])

    def test_function_length(self):
        body = "  x = 1;\n" * 69
        head = "template <class T>\nstruct Wide : Base<T> {\n  int a = f({1, 2});\n"
        for start in ("void f(int x) {\n", "Reader::Reader(int x) : x_(x), y_{1} {\n",
                      "int g(std::vector<int> v) const noexcept {\n", "TEST(A, B) {\n",
                      "auto h(int x)\n    -> int {\n"):
            self.expect("a function of", **self.parser(head + start + body + "}\n};\n"))
            short = "  x = 1;\n" * 66
            self.assertEqual(self.faults(**self.parser(head + start + short + "}\n};\n")), [], start)
        for other in ("namespace a::b {\n", "struct S {\n", "constexpr int kTable[f(3)] = {\n",
                      "enum class E {\n", "class CHUNKER_CAPABILITY(\"mutex\") M {\n"):
            self.assertEqual(self.faults(**self.parser(other + body * 2 + "}\n")), [], other)

    def test_function_length_does_not_count_labels(self):
        table = "int f(E e) {\n  switch (e) {\n" + "    case E::x:\n      return 1;\n" * 60 + "  }\n}\n"
        self.assertEqual(self.faults(**self.parser(table)), [])
        self.expect("a function of", **self.parser(table.replace("return 1;", "f(1);\n      return 1;")))

    def test_function_length_reads_one_branch_of_a_conditional(self):
        self.assertEqual(self.faults(**self.parser(
            "#if A\nvoid f() {\n#else\nvoid f(int) {\n#endif\n}\n" + "int x;\n" * 80)), [])

    def test_function_length_does_not_read_macros(self):
        self.assertEqual(self.faults(**self.parser(
            "#define INLINE \\\n  [[gnu::target(1)]] inline\n\nnamespace {\n" + "int x;\n" * 80 + "}\n")), [])

    def test_text(self):
        self.expect("src/nar/parser.cpp:2: not ASCII", **self.parser("int x;\n// na\u00efve\n"))
        self.expect("blanks (or a CR) at the end", **self.parser("int x; \n"))
        self.expect("blanks (or a CR) at the end", **self.parser("int x;\r\n"))
        self.expect("no newline at the end", **self.parser("int x;"))
        self.expect(f"{UNFINISHED_WORD} in the tree", **self.parser(f"// {UNFINISHED_WORD}: later\n"))

    def test_banned_names(self):
        for text, words in {
            "auto x = std::format(y);": "no std::format",
            "std::println(x);": "no std::print",
            "auto x = y.and_then(f);": "CHUNKER_TRY",
            "using namespace std;": "write std::",
            "assert(x);": "CHUNKER_CHECK",
            "int* x = NULL;": "nullptr",
            "std::cerr << x;": "a library does not talk",
            "void f() { exit(1); }": "a library does not end the process",
            "int x = atoi(y);": "std::from_chars",
        }.items():
            self.assertTrue(any(words in fault for fault in self.faults(**self.parser(text + "\n"))), text)
        self.assertEqual(self.faults(src__cli__main_dot_cpp="void f() { std::cerr << 1; std::exit(1); }\n"), [])

    def test_tests_that_prove_nothing(self):
        for text in ("GTEST_" "SKIP();", "TEST(A, DIS" "ABLED_B)", "SUC" "CEED();", "EXPECT_" "TRUE(true);"):
            self.assertEqual(len(self.faults(test__nar__parser_test_dot_cpp=text + "\n")), 1, text)

    def test_headers(self):
        self.expect("without #pragma once", src__base__hex_dot_hpp="int x;\n")
        for word in ("Owns:", "Threads:", "Errors:", "Cost:"):
            block = BLOCK.replace(word, "Word:")
            self.expect(f"include/chunker/nar.hpp:7: class NarParser does not state {word}",
                        include__chunker__nar_dot_hpp=f"#pragma once\n{block}class NarParser {{\n}};\n")
        self.assertEqual(self.faults(include__chunker__nar_dot_hpp=(
            f"#pragma once\n{BLOCK}template <class T>\nclass Reader {{\n}};\n")), [])

    def test_links_of_documents(self):
        good = "[a](src/cli/main.cpp) [b](src/) [c](https://example.org/x) [d](#part)\n"
        self.assertEqual(self.faults(README_dot_md=good), [])
        self.expect("README.md:2: a link to lost.md", README_dot_md=good + "[e](lost.md#part)\n")

    def test_every_source_is_listed(self):
        self.expect("src/nar/lost.cpp:1: is not in src/nar/CMakeLists.txt", src__nar__lost_dot_cpp="int x;\n")
        self.expect("fuzz/lost.cpp:1: is not in fuzz/CMakeLists.txt", fuzz__lost_dot_cpp="int x;\n")
        self.expect("src/nar/other_parser.cpp:1: is not in", src__nar__other_parser_dot_cpp="int x;\n")
        self.expect("src/nar/parser.cpp:1: is not in",
                    src__nar__CMakeLists_dot_txt="# parser.cpp\nchunker_component(nar SOURCES x.cpp)\n")


if __name__ == "__main__":
    unittest.main()
