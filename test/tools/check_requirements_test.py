"""Feeds tools/check_requirements.py small tables and test results, and expects its complaints."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_requirements as check  # noqa: E402

PASSED = '<testcase classname="{0}" name="{1}" status="run" result="completed"/>'
SKIPPED = '<testcase classname="{0}" name="{1}" status="run" result="skipped"><skipped/></testcase>'
FAILED = '<testcase classname="{0}" name="{1}" status="run" result="completed"><failure/></testcase>'


class CheckRequirements(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.build = pathlib.Path(self.folder.name)
        (self.build / "test-results").mkdir()
        self.results(PASSED.format("NarMagic", "R1_1_Detects"))
        self.scripts({"kill": "run"})
        self.rows = {f"{name}.{i}": f"| {name}.{i} | text | open | - | - |"
                     for name, count in check.CRITERIA.items() for i in range(1, count + 1)}
        self.rows["R1.1"] = "| R1.1 | text | done | `tools/` | `NarMagic.R1_1_Detects` |"

    def results(self, *cases):
        body = "".join(cases)
        (self.build / "test-results/nar.xml").write_text(
            f"<testsuites><testsuite>{body}</testsuite></testsuites>")

    def scripts(self, statuses):
        body = "".join(f'<testcase name="{name}" status="{status}"/>'
                       for name, status in statuses.items())
        (self.build / "ctest.xml").write_text(f"<testsuite>{body}</testsuite>")

    def run_check(self, *arguments):
        table = self.build / "requirements.md"
        table.write_text("# Title\n\n" + "\n".join(self.rows.values()) + "\n")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = check.main(["--build", str(self.build), "--table", str(table), *arguments])
        return status, output.getvalue()

    def expect_complaint(self, words):
        status, output = self.run_check()
        self.assertEqual(status, 1, output)
        self.assertIn(words, output)

    def test_accepts_a_true_table(self):
        status, output = self.run_check()
        self.assertEqual(status, 0, output)
        self.assertIn("1 done, 0 part, 163 open of 164 criteria", output)

    def test_every_criterion_has_one_row(self):
        del self.rows["R25.5"]
        self.expect_complaint("R25.5: has 0 rows, not one")
        self.rows["again"] = self.rows["NFR-5.4"]
        self.expect_complaint("NFR-5.4: has 2 rows, not one")

    def test_unknown_criterion_and_state(self):
        self.rows["more"] = "| R26.1 | text | open | - | - |"
        self.expect_complaint("R26.1: there is no such criterion")
        self.rows["R2.1"] = "| R2.1 | text | nearly | - | - |"
        self.expect_complaint("R2.1: a row has five cells")

    def test_done_needs_a_test(self):
        self.rows["R2.2"] = "| R2.2 | text | done | - | - |"
        self.expect_complaint("R2.2: is marked done and names no test")
        self.rows["R2.2"] = "| R2.2 | text | part | - | - |"
        self.assertEqual(self.run_check()[0], 0)

    def test_done_needs_a_place_that_exists(self):
        self.rows["R2.2"] = "| R2.2 | text | part | `src/nowhere/` | - |"
        self.expect_complaint("`src/nowhere/` does not exist")

    def test_named_tests_ran_and_passed(self):
        self.rows["R2.2"] = "| R2.2 | text | done | - | `Cut.Merges` |"
        self.expect_complaint("`Cut.Merges` did not run")
        magic = PASSED.format("NarMagic", "R1_1_Detects")
        for bad in (SKIPPED, FAILED):
            self.results(magic, bad.format("Cut", "Merges"))
            self.expect_complaint("`Cut.Merges` failed or was skipped")
        self.results(magic, PASSED.format("Cut", "Merges"))
        self.assertEqual(self.run_check()[0], 0)

    def test_one_failing_parameter_fails_the_name(self):
        self.rows["R2.2"] = "| R2.2 | text | done | - | `Cut.Merges` |"
        magic = PASSED.format("NarMagic", "R1_1_Detects")
        self.results(magic, PASSED.format("All/Cut", "Merges/0"), PASSED.format("All/Cut", "Merges/1"))
        self.assertEqual(self.run_check()[0], 0)
        self.results(magic, PASSED.format("All/Cut", "Merges/0"), FAILED.format("All/Cut", "Merges/1"))
        self.expect_complaint("`Cut.Merges` failed or was skipped")

    def test_scripts_are_tests_too(self):
        self.rows["R2.2"] = "| R2.2 | text | done | - | `kill` |"
        self.assertEqual(self.run_check()[0], 0)
        for status in ("fail", "notrun", "disabled"):
            self.scripts({"kill": status})
            self.expect_complaint("`kill` failed or was skipped")

    def test_a_test_that_carries_a_criterion_is_in_its_row(self):
        magic = PASSED.format("NarMagic", "R1_1_Detects")
        self.results(magic, PASSED.format("Cut", "NFR3_2_R1_6_Survives"))
        self.expect_complaint("NFR-3.2: `Cut.NFR3_2_R1_6_Survives` not in its row")
        self.expect_complaint("R1.6: `Cut.NFR3_2_R1_6_Survives` not in its row")
        status, output = self.run_check("--add-tests")
        self.assertEqual(status, 0, output)
        table = (self.build / "requirements.md").read_text()
        self.assertIn("| R1.6 | text | open | - | `Cut.NFR3_2_R1_6_Survives` |", table)
        self.results(magic, PASSED.format("Cut", "R1_9_Survives"))
        self.expect_complaint("R1.9: `Cut.R1_9_Survives` carries a criterion that has no row")

    def test_needs_results(self):
        (self.build / "ctest.xml").unlink()
        with self.assertRaises(SystemExit):
            self.run_check()


if __name__ == "__main__":
    unittest.main()
