"""The whole audit: of the problems that come with the package, and as a command."""

import json
import time
from random import Random

import pytest
from conformance import problems
from conformance.problems import CHECKED, NO_BOUND, ONLY_KNOWN_JOBS, PLAN, QUEUE, UNCHECKED

from evolve import catalog, cli
from evolve.conformance import Status, audit
from evolve.problem import Unready
from evolve.report import check

LONG = ("dispatch", "eplb", "txn", "txn_online")
"""Half a minute or more each: `make soak` audits them, and `evolve check` whoever changes them."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak if name in LONG else ()) for name in catalog.names()]
)
def test_every_problem_of_the_package_passes(name):
    try:
        found = audit(catalog.load(name), Random(0), time.monotonic)
    except Unready as lack:
        pytest.skip(str(lack))
    assert found.passed, check.describe(found)
    lookahead = "asks once a case" if name in ("prism", "txn") else "pairs differ later"
    assert lookahead in next(finding.found for finding in found.findings if finding.check == "look-ahead")
    checks = {finding.check for finding in found.findings}
    assert checks >= {"baselines", "headroom", "wrong decisions", "hard cases", "look-ahead", "simulator", "splits"}


def test_the_command_prints_what_is_to_be_done_and_fails(tmp_path, capsys):
    path = problems.write(tmp_path, PLAN, (CHECKED, ONLY_KNOWN_JOBS), NO_BOUND)
    assert cli.main(["check", str(path)]) == 1
    said = capsys.readouterr()
    out = " ".join(said.out.split())  # a terminal may be narrow
    assert "FIX wrong decisions a wrong decision is accepted and better than every baseline: one element" in out
    assert "-> raise InvalidDecision in `simulate` when elements are missing" in out
    assert "NOT passed: " in out
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
    said = " ".join(capsys.readouterr().out.split())
    what = (
        "FIX wrong decisions the simulator did not come back, from inside C code (2**62 in place of one number, at call"
    )
    assert what in said
    assert "20 train cases, 1 baseline look baselines" in said  # what was found before it stands
    assert "look not checked hard cases, look-ahead, order of cases, fresh process, noise, splits" in said


def test_c_code_that_hangs_in_another_check_is_not_called_a_wrong_decision(tmp_path, capsys):
    hangs = "        sum(range(1 << 62 if max(length for _, length in case) > 19 else 0))\n"  # on twins alone
    path = problems.write(tmp_path, QUEUE, ("        now, delay, waiting", f"{hangs}        now, delay, waiting"))
    assert cli.main(["check", str(path)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "FIX look-ahead the simulator did not come back, from inside C code -> find out" in said
    assert "look not checked order of cases, fresh process, noise, splits" in said


def test_a_problem_whose_reference_fails_is_told_so_and_no_more(tmp_path):
    path = problems.write(tmp_path, PLAN, ("return sorted(range(len(jobs))", "return sorted(range(3)"))
    found = audit(catalog.load(str(path)), Random(0), time.monotonic)
    finding, rest = found.findings
    assert finding.status is Status.FIX
    assert "the reference of" in finding.found
    assert rest.check == "not checked"
    assert rest.found.startswith("baselines, headroom, simulator, ")


def test_where_the_simulator_is_unsteady_what_would_name_another_cause_is_not_checked(tmp_path):
    noise = ('{"delay": delay', '{"delay": random.random() + delay')
    found = audit(catalog.load(str(problems.write(tmp_path, QUEUE, noise))), Random(0), time.monotonic)
    assert [finding.check for finding in found.findings if finding.status is Status.FIX] == ["simulator"]
    (unmade,) = [finding.found for finding in found.findings if finding.check == "not checked"]
    assert unmade == "hard cases, look-ahead, order of cases, fresh process"


def test_what_is_no_problem_is_an_error(capsys):
    assert cli.main(["check", "no_such_problem"]) == 1
    assert "no problem 'no_such_problem'" in capsys.readouterr().err
