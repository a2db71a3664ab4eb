"""Searches with models that find nothing better: notes, new directions, duplicates; interruptions change nothing."""

import sqlite3
from concurrent.futures import Future
from contextlib import closing
from random import Random

import pytest
import tiny

from evolve import catalog, loop
from evolve.archives.elite import Elite
from evolve.bandit import Bandit
from evolve.budget import Budget, Limit
from evolve.cases import split_cases
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.models import Reply
from evolve.models.spec import ModelSpec
from evolve.proposers import llm
from evolve.proposers.brief import briefing
from evolve.proposers.llm import Llm
from evolve.proposers.prompts import Prompts, load
from evolve.search import Arm, Search
from evolve.types import Baseline, Miss, Outcome, Usage

HEADER = Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "llm", "h", "now")
MODELS = (ModelSpec("small", 3.0, "cheap"), ModelSpec("large", 1.0, "strong"))
COST = Usage(900, 300, 100, 0.01)
EVALUATIONS = 40


class Interrupted(BaseException):
    """What a kill is to the loop."""


class Writers:
    """Answers every question at once, the same with the same; dies at one of them."""

    unsent = ()

    def __init__(self, die_after=None):
        self._die_after, self.asked = die_after, []

    def send(self, number, request):
        if len(self.asked) == self._die_after:
            raise Interrupted
        self.asked.append(request)
        reply = Future()
        reply.set_result(written(request))
        return reply


def written(request):
    """Returns notes where they are asked for, now and then an edit that fits nowhere, else a policy, new or old."""
    if "Write notes" in request.user:
        return Reply(f"- slope {request.id} never helped", COST)
    number = int(request.id, 16)
    if number % 6 == 0:
        return Reply("<<<<<<< SEARCH\nnowhere\n=======\nnothing\n>>>>>>> REPLACE\n", COST)
    return Reply(f"RATIONALE: a slope\n```python\ndef guess(x):\n    return {number % 90} * x\n```", COST)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    monkeypatch.setattr(llm, "PLATEAU", 4)
    monkeypatch.setattr(llm, "NOTES_EVERY", 8)
    problem = catalog.load(str(tiny.write(tmp_path)))
    return Prompts(load(), briefing(problem, split_cases(problem, "train")), 6000)


def played(path, asked, writers=None, disorder=0):
    """Begins or resumes a run and returns all of its turns."""
    if not path.exists():
        Journal.create(path, HEADER).close()
    arm = Arm(Llm(MODELS, asked, answer_tokens=500), 1.0)
    search = Search([Baseline("reference", tiny.REFERENCE)], [arm], Elite(), 3, Bandit())
    with Journal.open(path) as journal:
        budget = Budget(Limit(EVALUATIONS), lambda: 0.0, most=COST, lost=journal.ledger.lost())
        loop.run(search, tiny.Guessing(Random(disorder)), writers or Writers(), journal, budget, warm_up=1)
        return [(journal.made(number), journal.evaluation(number)) for number in range(journal.turns())]


def test_a_plateau_leads_to_notes_and_new_directions_that_are_no_evaluations(tmp_path, asked):
    writers = Writers()
    turns = played(tmp_path / "run.sqlite", asked, writers)
    noted = [made for made, _ in turns if isinstance(made, Miss) and made.outcome is Outcome.NOTED]
    assert noted
    assert {made.model for made in noted} == {"small"}
    assert noted[0].answer.startswith("- slope ")
    assert noted[0].usage == COST
    later = [request.user for request in writers.asked if noted[0].answer in request.user]
    assert later
    assert any("Take a new direction." in user for user in later)
    assert sum(evaluation is not None for _, evaluation in turns) == EVALUATIONS


def test_a_model_that_repeats_a_policy_hears_what_it_scored_and_it_is_no_evaluation(tmp_path, asked):
    writers = Writers()
    turns = played(tmp_path / "run.sqlite", asked, writers)
    repeated = [made for made, _ in turns if isinstance(made, Miss) and "the same policy as #" in made.message]
    assert repeated
    questions = "".join(request.user for request in writers.asked)
    heard = 0
    for miss in repeated:
        first = int(miss.message.split("#")[1].split(",")[0])
        came = turns[first][1]
        known = f"whose score is {came.score:.4f}" if came.score is not None else f"which is {came.verdict}"
        heard += f"{miss.operator} of {miss.parents[0]}: NOT_NEW: {miss.message}, {known}" in questions
    assert heard > 0.5 * len(repeated)  # nobody is asked any more after the last ones
    assert sum(evaluation is not None for _, evaluation in turns) == EVALUATIONS
    with closing(sqlite3.connect(tmp_path / "run.sqlite")) as connection:
        ((dollars,),) = connection.execute("SELECT sum(dollars) FROM questions").fetchall()
    assert dollars == pytest.approx(0.01 * len(writers.asked))


def test_it_is_the_same_in_whatever_order_judgements_end(tmp_path, asked):
    whole = played(tmp_path / "whole.sqlite", asked)
    assert played(tmp_path / "other.sqlite", asked, disorder=5) == whole


@pytest.mark.parametrize("questions", [1, 9, 17, 30])
def test_a_run_killed_at_any_question_ends_as_if_it_was_not(tmp_path, asked, questions):
    whole = played(tmp_path / "whole.sqlite", asked)
    with pytest.raises(Interrupted):
        played(tmp_path / "killed.sqlite", asked, Writers(questions))
    assert played(tmp_path / "killed.sqlite", asked, disorder=1) == whole
