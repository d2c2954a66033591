#!/usr/bin/env python3
"""Test of tools/coverage.sh: line coverage below 90 % fails it. gcovr, which measures it, is played here."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GCOVR = """#!/usr/bin/env python3
import sys
covered = float(open(__file__ + ".covered").read())
print(f"lines: {covered}% (1 out of 1)")
asked = float(sys.argv[sys.argv.index("--fail-under-line") + 1])
assert asked == 90
sys.exit(2 if covered < asked else 0)
"""


def run_with(covered):
    with tempfile.TemporaryDirectory() as folder:
        gcovr = pathlib.Path(folder, "gcovr")
        gcovr.write_text(GCOVR)
        gcovr.chmod(0o755)
        gcovr.with_name("gcovr.covered").write_text(str(covered))
        path = f"{folder}:{os.environ['PATH']}"
        return subprocess.run([ROOT / "tools" / "coverage.sh", folder], env={**os.environ, "PATH": path}, check=False,
                              capture_output=True, text=True)


class Coverage(unittest.TestCase):
    def test_below_ninety_percent_fails(self):
        done = run_with(89.9)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("lines: 89.9%", done.stdout)

    def test_ninety_percent_pass(self):
        self.assertEqual(run_with(90).returncode, 0)

    def test_make_coverage_asks_it(self):
        said = subprocess.run(["make", "-n", "coverage"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        self.assertIn("tools/coverage.sh build/cov", said.splitlines())


if __name__ == "__main__":
    unittest.main()
