"""A problem that costs next to nothing, and stand-ins for the parts around the one under test."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from random import Random

from evolve.cases import cases_of
from evolve.executors import Task
from evolve.journal.rows import packed
from evolve.judge import Judge
from evolve.problem import Problem
from evolve.sandbox import Sandbox
from evolve.types import Candidate, CaseResult, Evaluation, Proposal, Verdict

PROBLEM = '''\
from evolve import Call, InvalidDecision, Problem


class Tiny(Problem):
    """Write `guess(x)`: a number near three times `x`, never below zero."""

    objective, direction = "error", "minimize"
    reference = "def guess(x):\\n    if x > 40:\\n        return 2.5 * x + 1\\n    return 2 * x + 1\\n"

    def cases(self, split):
        return [1 + seed % 97 for seed in split.seeds(6)]

    def simulate(self, x):
        guess = yield Call("guess", x, returns=float)
        if guess < 0:
            raise InvalidDecision(f"guessed {guess}, which is below zero")
        return {"error": 1 + abs(guess - 3 * x)}

    def bound(self, x):
        return 1
'''
CONDITIONS = (
    "    def bound",
    "    sweeps = {'size': ('small', 'large')}\n\n"
    "    def swept(self, split, condition, setting):\n"
    "        return [(1 if setting == 'small' else 1000) + seed % 97 for seed in split.seeds(12)]\n\n    def bound",
)
"""A change of the problem: policies are tried on small and large numbers besides."""

REFERENCE = "def guess(x):\n    if x > 40:\n        return 2.5 * x + 1\n    return 2 * x + 1\n"


def write(folder: Path, name: str = "tiny", changes: Iterable[tuple[str, str]] = ()) -> Path:
    """Writes the problem, with some of its text replaced."""
    source = PROBLEM
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    return path


def judged(number: int, score: float | None = 1.0, source: str = REFERENCE, **details: object) -> Candidate:
    """Returns a candidate with a score, or a crashed one."""
    proposal = Proposal(source, **{"proposer": "mutate", "operator": "constant", **details})  # type: ignore[arg-type]
    return Candidate(number, proposal, evaluation(score))


def evaluation(score: float | None, cases: int = 2) -> Evaluation:
    """Returns an evaluation with the same ratio on every case, or that of a policy that crashed."""
    if score is None:
        return Evaluation(Verdict.CRASHED, feedback="ZeroDivisionError: division by zero")
    results = tuple(CaseResult(f"case {i}", score, {"error": 10 / score}) for i in range(cases))
    return Evaluation(Verdict.OK, score, results, "fair", 0.25, 7, confirmed=True)


class Inline:
    """An executor that judges in this process."""

    def __init__(self, problem: Problem, sandbox: Sandbox) -> None:
        self._problem, self._sandbox = problem, sandbox
        self._judges: dict[tuple[str, str], Judge] = {}
        self.tasks: list[Task] = []

    def submit(self, task: Task) -> Future[Evaluation]:
        self.tasks.append(task)
        key = (task.cases, task.secret)
        if key not in self._judges:
            self._judges[key] = Judge(cases_of(self._problem, *key), self._sandbox)
        future: Future[Evaluation] = Future()
        future.set_result(self._judges[key].evaluate(task.source, confirm_above=task.confirm_above, race=task.race))
        return future

    def close(self, *, at_once: bool = False) -> None:
        """Nothing to end."""


class Guessing:
    """An executor that makes up a score from the source, and ends what it was given in any order."""

    def __init__(self, order: Random | None = None) -> None:
        self._order = order
        self._open: list[tuple[Task, Future[Evaluation]]] = []
        self.tasks: list[Task] = []

    def submit(self, task: Task) -> Future[Evaluation]:
        self.tasks.append(task)
        future: Future[Evaluation] = _Settled(self)
        self._open.append((task, future))
        if self._order is None or self._order.random() < 0.3:
            self.settle()
        return future

    def settle(self) -> None:
        if self._order is not None:
            self._order.shuffle(self._open)
        for task, future in self._open:
            future.set_result(made_up(task.source))
        self._open.clear()

    def close(self, *, at_once: bool = False) -> None:
        """Nothing to end."""


class _Settled(Future):  # type: ignore[type-arg]
    """A future that has the others of its executor settled when it is waited for."""

    def __init__(self, executor: Guessing) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Evaluation:
        if not self.done():
            self._executor.settle()
        return super().result(timeout)


def made_up(source: str) -> Evaluation:
    """Returns the same evaluation for the same source; every fifth source crashes."""
    number = int.from_bytes(hashlib.sha256(source.encode()).digest()[:4], "big")
    return evaluation(None if number % 5 == 0 else 0.5 + number % 1000 / 1000)


def rows(candidates: Iterable[Candidate]) -> list[tuple[object, ...]]:
    """Returns what two runs must agree on."""
    return [
        (found.number, found.proposal, found.evaluation.verdict, found.evaluation.score, packed(found.evaluation.cases))
        for found in candidates
    ]


def asked(proposer, archive, rng, idle=0):
    """Returns what a proposer offers, asked as a search does: for a parent of the archive, in one of its ways."""
    try:
        parent = archive.parent(rng)
    except LookupError:
        return None
    ways = proposer.ways(idle)
    return proposer.propose(parent, archive, rng, rng.choices(list(ways), list(ways.values()))[0]) if ways else None
