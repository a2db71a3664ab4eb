"""What lies in the place of a cell: counted only where it is the cell's own run, and holds what a search can write."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
import tiny

from evolve.cases import file_hash
from evolve.cli import main
from evolve.comparing.belonging import insist_on_own
from evolve.comparing.crew import Crew, is_done
from evolve.comparing.folder import ComparisonFolder, ForeignRunError
from evolve.comparing.plan import Plan, entrant, subject
from evolve.comparing.sitting import sit
from evolve.folder import JOURNAL, RunFolder
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.types import EvolveError

STRATEGIES = "sequential", "best-of-n"
SCORES = 1.0, 1.5, 2.0


@pytest.fixture
def plan(tmp_path):
    of = subject(str(tiny.write(tmp_path)), "train")
    return Plan((of,), tuple(map(entrant, STRATEGIES)), (0,), len(SCORES), "train")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def laid(plan, out):
    """A comparison of which all cells have been searched, as far as anybody can tell."""
    with ComparisonFolder(out).settled(plan):
        for cell in plan.cells():
            lay(out / cell.folder, header(plan, cell))
    return out


@pytest.fixture
def compared(plan, capfd):
    """Runs the command again, and returns its exit status and what it shows."""

    def command(out, *arguments):
        told = ("--evaluations", plan.evaluations, "--seeds", 1, "--strategies", ",".join(STRATEGIES), "--out", out)
        status = main(["compare", plan.subjects[0].spec, *map(str, (*told, *arguments)), "--json"])
        said = capfd.readouterr()
        return status, json.loads(said.out) if said.out else said.err

    return command


def header(plan, cell, **changes):
    of = cell.subject
    made = Header(of.problem, of.spec, of.digest, "0.1.0", cell.seed, 8, plan.cases, "", "embedded", "", "now")
    return replace(made, strategy=cell.entrant.name, **changes)


def lay(place, of, create=RunFolder.create):
    """Makes a run that has ended, without searching."""
    run = RunFolder(place)
    of = replace(of, secret_hash=run.prepare())
    with create(run, of) as journal:
        for number, score in enumerate(SCORES):
            found = tiny.judged(number, score)
            journal.propose(number, found.proposal)
            journal.record(number, found.evaluation, float(number))
        journal.record(number, tiny.evaluation(1.25), 3.0, "validation")


def unnoted(run, of):
    return Journal.create(run.path / JOURNAL, of)


def change(place, statement):
    with closing(sqlite3.connect(place / JOURNAL)) as connection, connection:
        connection.execute(statement)


def test_cells_that_were_searched_here_are_counted_without_another_search(laid, compared):
    status, found = compared(laid)
    assert (status, found["failures"]) == (0, [])
    assert [row["best"]["mean"] for row in found["rows"]] == pytest.approx([2.0, 2.0])


def test_a_run_copied_over_that_of_another_cell_is_a_failure_of_that_cell_and_not_counted(laid, compared):
    cell = laid / "tiny" / "sequential" / "seed-0"
    shutil.rmtree(cell)
    shutil.copytree(laid / "tiny" / "best-of-n" / "seed-0", cell)
    before = (cell / JOURNAL).read_bytes()
    status, found = compared(laid)
    assert status == 1
    assert found["failures"] == [
        {
            "cell": "tiny/sequential/seed-0",
            "message": "a run with another strategy lies there (best-of-n; expected sequential); remove that folder, "
            "or give another --out",
        }
    ]
    assert [row["seeds"] for row in found["rows"]] == [[], [0]]
    assert (cell / JOURNAL).read_bytes() == before


def test_a_run_that_is_replaced_while_others_are_searched_is_not_counted(laid, plan):
    def replaced(*_):
        shutil.rmtree(laid / "tiny" / "sequential")
        shutil.copytree(laid / "tiny" / "best-of-n", laid / "tiny" / "sequential")

    found = sit(plan, laid, 1, replaced)
    assert [failed.cell for failed in found.failures] == ["tiny/sequential/seed-0"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"problem": "other"}, "another problem lies there (other; expected tiny)"),
        ({"spec": "/else/tiny.py"}, "another file of the problem"),
        ({"objective": "speed"}, "another objective lies there (speed; expected none)"),
        ({"strategy": "best-of-n 0123456789abcdef"}, "another strategy"),
        ({"seed": 1}, "another seed lies there (1; expected 0)"),
        ({"cases": "quick"}, "another set of cases"),
        ({"cases_hash": "ab"}, "another file of cases"),
        ({"digest": "ab"}, "another code of the problem"),
        (
            {"basis": "times of another GPU"},
            "another basis of its scores lies there (times of another GPU; expected none)",
        ),
        ({"proposers": "llm 1 (m\x1b[2J)"}, "another set of proposers lies there (llm 1 (m?[2J); expected embedded)"),
    ],
)
def test_a_run_of_something_else_is_neither_taken_for_done_nor_counted(plan, out, changes, said):
    cell = plan.cells()[0]
    wrong = replace(header(plan, cell), **changes)
    lay(out / cell.folder, wrong)
    with pytest.raises(ForeignRunError) as refused:
        is_done(ComparisonFolder(out), plan, cell)
    assert said in str(refused.value)
    assert str(refused.value).endswith("; remove that folder, or give another --out")
    with pytest.raises(ForeignRunError):
        insist_on_own(wrong, plan, cell)


def test_a_run_with_another_version_of_a_strategys_file_is_not_a_cells(plan, out):
    cell = plan.cells()[0]
    lay(out / cell.folder, replace(header(plan, cell), strategy=f"{cell.entrant.name} 0123456789abcdef"))
    same = replace(cell, entrant=replace(cell.entrant, digest="0123456789abcdef"))
    assert is_done(ComparisonFolder(out), plan, same)
    for other in (cell, replace(cell, entrant=replace(cell.entrant, digest="f" * 16))):
        with pytest.raises(ForeignRunError, match="another strategy"):
            is_done(ComparisonFolder(out), plan, other)


def test_a_run_that_this_user_did_not_begin_is_a_failure_of_its_cell(laid, plan, compared):
    cell = plan.cells()[0]
    shutil.rmtree(laid / cell.folder)
    lay(laid / cell.folder, header(plan, cell), unnoted)
    status, found = compared(laid)
    (failed,) = found["failures"]
    assert (status, failed["cell"]) == (1, str(cell.folder))
    assert "it was not searched here" in failed["message"]


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        ("score = 0.0", "it has a score of 0, which none can be"),
        ("score = -1.0", "it has a score of -1, which none can be"),
        ("score = 1.7e308", "it has a score of 1.7e+308, which none can be"),
        ("simulations = -5", "it has an evaluation of -5 simulations"),
    ],
)
@pytest.mark.parametrize("cases", ["train", "validation"])
def test_a_figure_that_no_search_writes_is_a_failure_of_its_cell(laid, compared, cases, figure, said):
    number = 0 if cases == "train" and "e308" not in figure else len(SCORES) - 1  # the best stays the best
    cell = laid / "tiny" / "sequential" / "seed-0"
    change(cell, f"UPDATE evaluations SET {figure} WHERE cases = '{cases}' AND number = {number}")
    status, found = compared(laid)
    (failed,) = found["failures"]
    assert (status, failed["cell"]) == (1, "tiny/sequential/seed-0")
    assert said in failed["message"]
    assert "remove that folder" in failed["message"]


def test_seconds_that_no_policy_took_end_no_comparison(laid, compared):
    change(laid / "tiny" / "sequential" / "seed-0", "UPDATE evaluations SET cpu_seconds = 1.7e308")
    assert compared(laid)[0] == 0


def test_a_search_that_went_on_beyond_the_budget_is_not_counted(laid, compared):
    cell = laid / "tiny" / "sequential" / "seed-0"
    with RunFolder(cell).open() as journal:
        more = tiny.judged(len(SCORES), 1.0)
        journal.propose(more.number, more.proposal)
        journal.record(more.number, more.evaluation, 4.0)
    (failed,) = compared(laid)[1]["failures"]
    assert "its search had 4 evaluations, and its budget is 3" in failed["message"]


@pytest.mark.parametrize("part", ["tiny", "tiny/sequential", "tiny/sequential/seed-0"])
def test_no_link_in_the_place_of_a_cell_is_followed(laid, tmp_path, compared, part):
    shutil.move(laid / part, tmp_path / "elsewhere")
    (laid / part).symlink_to(tmp_path / "elsewhere")
    status, found = compared(laid)
    failed = {each["cell"]: each["message"] for each in found["failures"]}
    assert status == 1
    assert f"{laid / part} is a link, which is not followed" in failed["tiny/sequential/seed-0"]


def test_nothing_is_written_where_a_link_leads_that_was_put_there_meanwhile(plan, out, tmp_path):
    cell = plan.cells()[0]
    (tmp_path / "elsewhere").mkdir()
    (out / "tiny").mkdir(parents=True)
    (out / "tiny" / "sequential").symlink_to(tmp_path / "elsewhere")
    failures = Crew(plan, ComparisonFolder(out), 1).search([cell], lambda *_: None)
    assert "is a link, which is not followed" in failures[cell]
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("put", [lambda file, other: file.symlink_to(other), lambda file, _: os.mkfifo(file)])
def test_settings_that_are_a_link_or_a_pipe_are_not_opened(laid, tmp_path, compared, put):
    file, other = laid / "comparison.json", tmp_path / "other.json"
    file.rename(other)
    before = other.read_bytes()
    put(file, other)
    status, said = compared(laid)
    assert status == 1
    assert "links are not followed" in said or "is no plain file" in said
    assert other.read_bytes() == before


def test_the_hash_of_cases_is_that_of_their_file_where_they_have_one(tmp_path):
    (tmp_path / "cases.csv").write_text("1")
    assert len(file_hash(str(tmp_path / "cases.csv"))) == 64
    assert file_hash("quick") == ""


def test_another_code_of_the_problem_or_another_content_of_the_cases_is_refused(plan, out):
    plan = replace(plan, cases="cases.csv", cases_hash="ab")
    folder = ComparisonFolder(out)
    with folder.settled(plan):
        pass
    (of,) = plan.subjects
    for changed, said in (
        (replace(plan, subjects=(replace(of, digest="cd"),)), "another code of the problem tiny ("),
        (replace(plan, cases_hash="cd"), "another content of the file cases.csv (ab; now cd)"),
    ):
        with pytest.raises(EvolveError) as refused, folder.settled(changed):
            pass
        assert said in str(refused.value)
