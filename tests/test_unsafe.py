"""A machine without system-call filters: nothing is judged there but with --unsafe, and that shows for ever."""

import json
import os
import platform
import subprocess
import sys

import pytest
import tiny

from tests.sandbox import tiers

TIER = "no seccomp"
WHAT = "UNSAFE: judged with --unsafe on a machine where the sandbox does not stand; such a score may be forged"

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or bool(tiers.why_not(tiers.BAD[TIER])), reason="cannot take the filters away here"
)


def evolve(*arguments):
    """Runs a command on a machine without system-call filters; returns status, output and errors."""
    command = tiers.command(TIER, sys.executable, "-m", "evolve", *map(str, arguments))
    done = subprocess.run(
        command, cwd=tiers.ROOT_FOLDER, capture_output=True, text=True, timeout=60, check=False, env=os.environ
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("unsafe"))


@pytest.fixture(scope="module")
def run(problem):
    """A run that was made with --unsafe."""
    out = problem.parent / "run"
    status, printed, _ = evolve("run", problem, "--evaluations", 12, "--out", out, "--unsafe")
    assert status == 0
    assert WHAT in printed
    return out


@pytest.mark.parametrize("command", ["run", "score"])
def test_nothing_is_judged_and_no_folder_made(problem, command):
    out = problem.parent / "refused"
    options = ["--out", out] if command == "run" else []
    status, printed, errors = evolve(command, problem, *options)
    assert (status, printed) == (1, "")
    *_, line = errors.splitlines()
    assert line.startswith(
        "evolve: this machine lacks what must stand before a policy runs that nobody has read: seccomp"
    )
    assert "--unsafe" in line
    assert not out.exists()


def test_a_run_made_so_is_marked_on_every_page(run):
    for arguments in (["show", run], ["show", run, 3]):
        status, printed, _ = evolve(*arguments)
        assert status == 0
        assert "UNSAFE" in printed
        assert "seccomp" not in printed


def test_a_proof_made_so_is_marked_and_its_record_says_which_walls_stood(run):
    assert evolve("verify", run)[0] == 1
    status, printed, _ = evolve("verify", run, "--unsafe")
    assert status == 0
    assert "used for the first time" in printed  # a refusal uses up nothing
    assert WHAT in printed
    record = json.loads((run / "verification.json").read_text())
    assert "seccomp" not in record["standings"][-1]["evaluation"]["layers"]
    assert "limits" in record["standings"][-1]["evaluation"]["layers"]
    assert record["unsafe"] is True
    assert record["proved"] is False


def test_a_score_made_so_is_marked(problem):
    status, printed, _ = evolve("score", problem, "--unsafe")
    assert status == 0
    assert "OK, UNSAFE" in printed
    assert printed.splitlines()[-1] == WHAT


def test_the_doctor_says_what_is_missing_and_what_gets_through():
    status, printed, _ = evolve("doctor")
    assert status == 1
    assert "MISSING  seccomp" in printed
    assert "the kernel, or what it runs in, takes no system-call filters" in printed
    assert "does NOT stand" in printed


def test_an_audit_needs_no_walls_for_it_runs_only_what_the_problem_brings(problem):
    status, printed, _ = evolve("check", problem)
    assert status in (0, 1)
    assert "wrong decisions" in printed
