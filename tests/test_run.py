"""A run from Python: what a script or a notebook reads of it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import FrozenInstanceError
from itertools import accumulate

import big_run
import pytest
import tiny

import evolve
from evolve.folder import RunFolder
from evolve.run import Judged
from evolve.types import EvolveError, Layer, Miss, Proposal, Verdict


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of a hundred candidates, with turns that led to none, failures and crossovers."""
    folder = tmp_path_factory.mktemp("runs") / "made up"
    big_run.write(folder, 100, seed=1)
    return folder


@pytest.fixture
def run(folder):
    with evolve.load(folder) as run:
        yield run


def test_a_run_is_loaded_from_its_folder_by_path_or_text(folder):
    with evolve.load(folder) as one, evolve.load(str(folder)) as other:
        assert one.header == other.header
        assert one.header.problem == "big"
        assert one.path == other.path == folder


def test_the_best_is_what_the_commands_call_the_best(run, folder):
    with RunFolder(folder).open(read_only=True) as journal:
        scores = journal.scores("validation")
    assert run.best.number == min(scores, key=lambda number: (-scores[number], number))
    assert run.best.score > 1


def test_candidates_are_a_sequence_that_is_read_when_it_is_looked_at(run):
    candidates = run.candidates
    assert len(candidates) == 100
    assert candidates[0] == run.baselines["reference"] == run.candidate(0)
    assert candidates[-1].number == 101  # two turns led to none
    assert [found.number for found in candidates[1:4]] == [1, 2, 3]
    assert [found.number for found in candidates] == [step.number for step in run.log if step.verdict in set(Verdict)]
    assert candidates[:0].__class__ is candidates.__class__
    assert repr(candidates) == "<100 items of a run, read when they are looked at>"
    for place in (100, -101):
        with pytest.raises(IndexError):
            candidates[place]


def test_evaluations_are_those_of_every_split_in_the_order_they_were_made(run):
    evaluations = run.evaluations
    assert {judged.cases for judged in evaluations} == {"train", "validation"}
    assert len(evaluations) == 100 + sum(judged.cases == "validation" for judged in evaluations)
    assert evaluations[0] == Judged(0, "train", run.candidate(0).evaluation, 0.0)
    seconds = [judged.run_seconds for judged in evaluations]
    assert seconds == sorted(seconds)
    assert {*evaluations[0].evaluation.cases[0].metrics} == {
        *("cost", "spot_hours", "on_demand_hours", "changeovers", "slack")
    }
    with pytest.raises(FrozenInstanceError):
        evaluations[0].number = 1


def test_the_best_score_so_far_is_a_line_of_python(run):
    scored = [step for step in run.log if step.score is not None]
    best_so_far = list(accumulate((step.score for step in scored), max))
    assert best_so_far == sorted(best_so_far)
    assert best_so_far[-1] == max(found.score for found in run.candidates if found.evaluation.score is not None)


def test_the_line_leads_from_a_baseline_to_the_best(run):
    line = run.line
    assert line[0].proposer == "baseline"
    assert line[-1].number == run.best.number
    assert [step.parents[0] for step in line[1:]] == [step.number for step in line[:-1]]
    assert line[-1].gain_in_all == pytest.approx(run.best.score - 1)


def test_baselines_have_names(run):
    assert tuple(run.baselines) == big_run.BASELINES
    assert all(found.proposal.operator == name for name, found in run.baselines.items())


def test_a_diff_is_of_anything_and_anything(run, tmp_path):
    assert run.diff().startswith("--- #0 (baseline: reference)\n+++ #")
    assert run.diff(0, 0) == ""
    assert run.diff("greedy", 5).splitlines()[1].startswith("+++ #5 (")
    assert run.diff("parent", "best").startswith(f"--- #{run.best.proposal.parents[0]} (")
    mine = tmp_path / "mine.py"
    mine.write_text(f"# mine\n{run.best.proposal.source}")
    assert run.diff("best", str(mine)).splitlines()[-4] == "+# mine"
    assert run.diff("best", str(mine), code=True) == ""


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda run: run.candidate(-1), "the run has no candidate -1; it has 0 to 101"),
        (lambda run: run.candidate(2**70), "the run has no candidate 1180591620717411303424"),
        (lambda run: run.candidate(49), "turn 49 of the run led to no candidate: NO_POLICY"),
        (lambda run: run.diff("bset"), "did you mean 'best'?"),
        (lambda run: run.diff("best", "a\0b.py"), "cannot read the policy"),
        (lambda run: run.diff("best", ""), "no candidate, baseline or file ''"),
    ],
)
def test_what_a_run_does_not_have_is_an_error_that_says_so(run, ask, message):
    with pytest.raises(EvolveError, match=message.replace("?", r"\?")):
        ask(run)


def test_a_run_that_goes_on_is_seen_to_grow(tmp_path):
    big_run.write(tmp_path / "run", 10, seed=2)
    run = evolve.load(tmp_path / "run")
    before, best = run.candidates, run.best
    with RunFolder(tmp_path / "run").locked(), RunFolder(tmp_path / "run").open() as journal:
        journal.propose(10, Proposal("x = 1\n", "mutate", parents=(0,)))
        assert len(run.candidates) == 10  # not judged yet
        journal.record(10, tiny.evaluation(9.0), 3.0)
        assert (len(before), len(run.candidates), len(run.evaluations[-1:])) == (10, 11, 1)
        assert (run.best.number, run.log[-1].number, run.evaluations[-1].number) == (best.number, 10, 10)
        journal.record(10, tiny.evaluation(9.0), 3.0, "validation")
        assert run.best.number == 10
    run.close()


def test_a_run_without_a_score_has_no_best(tmp_path):
    big_run.write(tmp_path / "empty", 0, seed=0)
    with evolve.load(tmp_path / "empty") as run:
        assert (run.best, run.log, run.line, run.baselines) == (None, [], [], {})
        assert (len(run.candidates), len(run.evaluations)) == (0, 0)
        assert repr(run).endswith(": 0 candidates, none has a score>")
        with pytest.raises(EvolveError, match="has no candidate 0; it has none yet"):
            run.diff()


def test_what_is_no_run_is_not_loaded(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "journal.sqlite").write_bytes(b"garbage" * 999)
    for path, message in (("nowhere", "there is no such folder"), ("file", "that is a file"), ("", "cannot be used")):
        with pytest.raises(EvolveError, match=message):
            evolve.load(tmp_path / path)


def test_a_closed_run_says_that_it_was_closed(folder):
    with evolve.load(folder) as run:
        candidates = run.candidates
    run.close()
    assert repr(run) == f"<Run in {folder}, closed>"
    for ask in (lambda: run.best, lambda: run.log, lambda: candidates[0], run.diff):
        with pytest.raises(EvolveError, match=r"was closed; load it again with evolve.load\(\)"):
            ask()


def test_a_run_shows_what_it_is_and_nothing_that_a_terminal_would_obey(tmp_path, folder):
    with evolve.load(folder) as run:
        best = run.best
        shown = f"<Run of big in {folder}: 100 candidates, best #{best.number} with score {best.score:.4f}>"
        assert repr(run) == shown
    big_run.write(tmp_path / "run\x1b[2J", 1, seed=0)
    with closing(sqlite3.connect(tmp_path / "run\x1b[2J" / "journal.sqlite")) as connection:
        connection.execute("UPDATE header SET value = '\"evil\\u001b[2J\\nname\"' WHERE key = 'problem'")
        connection.commit()
    with evolve.load(tmp_path / "run\x1b[2J") as run:
        assert repr(run).isprintable()
        assert "evil?[2J name" in repr(run)


def test_loading_writes_nothing_and_imports_nothing_of_the_run(folder, tmp_path):
    (folder / "big.py").write_text("raise SystemExit('imported')\n")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with evolve.load(folder) as run:
        assert run.diff()
        assert len(run.log) == 102
    after = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert {name: after[name] for name in before} == before


def test_importing_evolve_loads_neither_the_run_nor_a_database():
    script = "import sys, evolve; print('evolve.run' in sys.modules, 'sqlite3' in sys.modules, callable(evolve.load))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "False False True\n"


def test_loading_a_run_loads_no_numpy(folder):
    script = f"import sys, evolve; evolve.load({os.fspath(folder)!r}).best; print('numpy' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


# The made-up run itself


def test_the_made_up_run_is_whole_and_the_same_each_time(tmp_path, folder):
    big_run.write(tmp_path / "again", 100, seed=1)
    with RunFolder(folder).open() as one, RunFolder(tmp_path / "again").open() as other:
        one.check()
        made = [[journal.made(number) for number in range(102)] for journal in (one, other)]
        assert made[0] == made[1]
        assert sum(isinstance(found, Miss) for found in made[0]) == 2
        assert any(isinstance(found, Proposal) and len(found.parents) == 2 for found in made[0])
        assert {one.evaluation(n).layers for n in range(4)} == {tuple(Layer)[:6]}


def test_the_lineage_of_a_run_is_a_repository_to_walk_through(run, folder, tmp_path):
    before = sorted(folder.iterdir())
    repository = run.lineage(tmp_path / "history")
    with repository:
        assert repository.head.reference.name == "best"
        assert (tmp_path / "history" / "policy.py").read_text() == run.best.proposal.source
        merges = [commit for commit in repository.iter_commits("--tags") if len(commit.parents) > 1]
        assert len(merges) == sum(len(found.proposal.parents) > 1 for found in run.candidates)
    assert sorted(folder.iterdir()) == before
    with pytest.raises(EvolveError, match="is not empty"):
        run.lineage(tmp_path / "history")
