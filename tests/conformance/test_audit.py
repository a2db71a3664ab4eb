"""The whole audit: of the problems that come with the package, and as a command."""

import json
import time
from random import Random

import pytest
from conformance import problems
from conformance.problems import CHECKED, NO_BOUND, ONLY_KNOWN_JOBS, PLAN, QUEUE, UNCHECKED

from evolve import catalog, cli
from evolve.conformance import Status, audit
from evolve.report import check


@pytest.mark.parametrize("name", catalog.names())
def test_every_problem_of_the_package_passes(name):
    found = audit(catalog.load(name), Random(0), time.monotonic)
    assert found.passed, check.describe(found)
    lookahead = {"spot": "20 of 20 pairs differ later", "prism": "asks once a case"}.get(name, "")
    assert lookahead in next(finding.found for finding in found.findings if finding.check == "look-ahead")
    checks = {finding.check for finding in found.findings}
    assert checks >= {"baselines", "headroom", "wrong decisions", "hard cases", "look-ahead", "simulator", "splits"}


def test_the_command_prints_what_is_to_be_done_and_fails(tmp_path, capsys):
    path = problems.write(tmp_path, PLAN, (CHECKED, ONLY_KNOWN_JOBS), NO_BOUND)
    assert cli.main(["check", str(path)]) == 1
    said = capsys.readouterr()
    assert "FIX   wrong decisions  a wrong decision is accepted and better than every baseline: one element" in said.out
    assert "-> raise InvalidDecision in `simulate` when elements are missing" in said.out
    assert "NOT passed: " in said.out
    assert said.err == ""


def test_the_command_passes_an_honest_problem_and_prints_json(tmp_path, capsys):
    path = problems.write(tmp_path, QUEUE)
    assert cli.main(["check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cases"] == 20
    assert {finding["status"] for finding in found["findings"]} == {"ok", "look"}


def test_a_simulator_that_hangs_inside_c_code_takes_only_its_own_process_down(tmp_path, capsys):
    path = problems.write(tmp_path, QUEUE, (UNCHECKED, "            job = min(waiting) + 0 * sum(range(abs(job)))\n"))
    assert cli.main(["check", str(path)]) == 1
    said = capsys.readouterr().out
    assert "did not come back, from inside C code (2**62 in place of one number, at call 1 of" in " ".join(said.split())


def test_a_problem_whose_reference_fails_is_told_so_and_no_more(tmp_path):
    path = problems.write(tmp_path, PLAN, ("return sorted(range(len(jobs))", "return sorted(range(3)"))
    found = audit(catalog.load(str(path)), Random(0), time.monotonic)
    (finding,) = found.findings
    assert finding.status is Status.FIX
    assert "the reference of" in finding.found


def test_what_is_no_problem_is_an_error(capsys):
    assert cli.main(["check", "no_such_problem"]) == 1
    assert "no problem 'no_such_problem'" in capsys.readouterr().err
