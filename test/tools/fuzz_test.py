#!/usr/bin/env python3
"""Tests of tools/fuzz.py: the table of what was fuzzed adds up."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

import fuzz  # noqa: E402

EMPTY = "before\n\n| target | inputs | hours | findings |\n|---|---|---|---|\n\nbehind\n| a | b |\n"


class Record(unittest.TestCase):
    def test_runs_add_up(self):
        text = fuzz.add_to_record(EMPTY, {"nar": fuzz.Run(1_500_000, 0.5, 1), "cut": fuzz.Run(7, 0.25, 0)})
        text = fuzz.add_to_record(text, {"nar": fuzz.Run(2_000_000, 1.25, 0)})
        self.assertIn("| `cut` | 7 | 0.25 | 0 |\n| `nar` | 3 500 000 | 1.75 | 1 |\n"
                      "| **all** | 3 500 007 | 2.00 | 1 |\n", text)

    def test_the_rest_of_the_document_stays(self):
        text = fuzz.add_to_record(EMPTY, {"nar": fuzz.Run(1, 1, 1)})
        self.assertTrue(text.startswith("before\n\n| target |"))
        self.assertTrue(text.endswith("|\n\nbehind\n| a | b |\n"))

    def test_the_document_has_the_table(self):
        text = fuzz.RECORD.read_text()
        self.assertEqual(fuzz.add_to_record(text, {}), text)


if __name__ == "__main__":
    unittest.main()
