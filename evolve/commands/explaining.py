"""The command ``explain``: what each part of a found policy is worth."""

import argparse
import hashlib
import sys
from typing import TYPE_CHECKING

from evolve import commands
from evolve.types import EvolveError

if TYPE_CHECKING:
    from evolve.executors import Executor
    from evolve.explaining.base import Base
    from evolve.explaining.question import Question
    from evolve.journal import Journal
    from evolve.journal.header import Header
    from evolve.problem import Problem


def explain(options: argparse.Namespace) -> int:
    from evolve import begun
    from evolve.executors.local import LocalExecutor, default_workers
    from evolve.explaining.explain import explain
    from evolve.folder import RunFolder
    from evolve.report import explanation, runs, tables
    from evolve.sandbox import Sandbox

    folder = RunFolder(options.run)
    with folder.open() as journal, folder.locked():
        problem = runs.problem_of(folder, journal, options.problem)
        _insist_on_scores(journal)
        Sandbox(unsafe=options.unsafe).close()  # what this machine lacks is said before anything is judged
        with (
            explanation.Progress(sys.stderr) as progress,
            LocalExecutor(problem, options.workers or default_workers(), unsafe=options.unsafe) as executor,
        ):
            found = explain(problem, executor, _question(options, journal, problem, executor), progress)
        folder.keep(folder.minimised(found.number), found.minimised)
        begun.note_written(journal.header, written := tables.as_json(found) + "\n")
        folder.keep(folder.explanation(found.number), written)
    if options.json:
        print(tables.as_json(found))
    else:
        print(explanation.describe(found, problem, folder, colour=commands.colour()))
    return 0


def _insist_on_scores(journal: "Journal") -> None:
    if not journal.top(1):
        raise EvolveError("no candidate of this run has a score yet; run it longer")


def _question(options: argparse.Namespace, journal: "Journal", problem: "Problem", executor: "Executor") -> "Question":
    from evolve.cases import basis_of
    from evolve.explaining.question import EVALUATIONS, TOLERANCE, Question

    base = _against(options, problem)  # a wrong name is said before anything is judged
    cases = _cases(problem, journal.header)
    journal.header.insist_on_basis(basis_of(problem, journal.header.cases))
    number = _number(options, journal, executor)
    made = journal.proposal(number)
    assert made is not None
    if base is None:
        from evolve.explaining.base import nearest

        base = nearest(journal, number)
    tolerance = TOLERANCE if options.tolerance is None else options.tolerance
    most = options.evaluations or EVALUATIONS
    return Question(
        number,
        made.source,
        base,
        cases,
        beside="train" if cases == "validation" else "",
        fresh="" if problem.held_out else hashlib.sha256(f"explain {made.source}".encode()).hexdigest()[:32],
        searched=cases != "validation",
        tolerance=tolerance,
        evaluations=most,
    )


def _against(options: argparse.Namespace, problem: "Problem") -> "Base | None":
    from evolve.explaining.base import named

    return None if options.against is None else named(problem.name, problem.baselines(), options.against)


def _number(options: argparse.Namespace, journal: "Journal", executor: "Executor") -> int:
    """Returns the candidate to explain: the one that is asked for, or the one that `evolve verify` would prove.

    Raises:
        EvolveError: it is a baseline, led to no policy or has no score, or there is none.
    """
    from evolve.finalists import choose
    from evolve.text import brief
    from evolve.types import Miss

    number: int = choose(journal, executor) if options.id is None else options.id
    made = journal.made(number)
    listed = f"`evolve log {options.run} --all` lists the candidates"
    if made is None:
        raise EvolveError(f"the run has no candidate {number}; {listed}")
    if isinstance(made, Miss):
        raise EvolveError(f"#{number} led to no policy ({made.outcome}: {brief(made.message, 200)}); {listed}")
    if made.proposer == "baseline" and options.id is None:
        raise EvolveError(
            f"the search found nothing better than the baseline {brief(made.operator, 60)!r} (#{number}), so there is "
            f"nothing to explain; run it longer, or give the ID of a candidate: {listed}"
        )
    if made.proposer == "baseline":
        raise EvolveError(f"#{number} is the baseline {brief(made.operator, 60)!r}: nothing was found there; {listed}")
    judged = journal.evaluation(number)
    if judged is None or judged.score is None:
        said = "was not judged" if judged is None else f"is {judged.verdict} ({brief(judged.feedback, 200)})"
        raise EvolveError(f"#{number} {said}: without a score there is nothing to explain; {listed}")
    return number


def _cases(problem: "Problem", header: "Header") -> str:
    """Returns the cases to judge on: validation, or what was searched on where that was not train.

    Raises:
        EvolveError: they are a file that is not what it was.
    """
    from evolve.cases import file_hash, insist_on_searchable

    if header.cases == "train":
        return "validation"
    insist_on_searchable(problem, header.cases)
    if header.cases_hash and file_hash(header.cases) not in ("", header.cases_hash):
        raise EvolveError(f"{header.cases} has changed since the run began; its scores are of the old cases")
    return header.cases
