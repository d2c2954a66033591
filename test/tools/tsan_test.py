#!/usr/bin/env python3
"""A data race fails continuous integration: it runs tests under ThreadSanitizer, whose reports fail their test.

usage: tsan_test.py COMPILER SOURCE      of a program that races unless LOCKED is defined; beside this file
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILER = sys.argv.pop(1)
SOURCE = pathlib.Path(__file__).with_name(sys.argv.pop(1))


def run_race(*flags):
    """A small program under ThreadSanitizer, run as tools/tsan.sh runs the tests."""
    options = re.search(r'^export TSAN_OPTIONS="(.*)"$', (ROOT / "tools" / "tsan.sh").read_text(), re.MULTILINE)[1]
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "race")
        subprocess.run([COMPILER, "-std=c++20", "-O1", "-g", "-fsanitize=thread", *flags, SOURCE, "-o", program, "-pthread"],
                       check=True)
        # Where addresses are chosen with more random bits than it expects, an older ThreadSanitizer does not start
        # without setarch, which some containers do not allow.
        allowed = subprocess.run(["setarch", "-R", "true"], check=False, capture_output=True).returncode == 0
        return subprocess.run([*(["setarch", "-R"] if allowed else []), program], check=False, capture_output=True,
                              text=True, env={**os.environ, "TSAN_OPTIONS": options})


class Race(unittest.TestCase):
    def test_fails(self):
        done = run_race()
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn("data race", done.stderr)

    def test_without_one_it_passes(self):
        done = run_race("-DLOCKED")
        self.assertEqual((done.returncode, done.stdout), (0, "2000\n"), done.stderr)

    def test_continuous_integration_looks_for_them(self):
        lines = (ROOT / ".ci" / "run").read_text().splitlines()
        self.assertIn("set -euo pipefail", lines)
        self.assertTrue(any(line.startswith("tools/tsan.sh") for line in lines))


if __name__ == "__main__":
    unittest.main()
