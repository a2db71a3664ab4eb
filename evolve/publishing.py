"""Makes a published result of a run that has just been verified: its record and its README."""

from pathlib import Path

from evolve.executors import Executor
from evolve.executors.local import default_workers
from evolve.explaining.base import nearest, start
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.problem import SPLITS, Problem, first_line
from evolve.proving import Proved
from evolve.publication import provenance, result, shelf
from evolve.publication.figures import sealed
from evolve.publication.losses import losses
from evolve.publication.result import POLICY, README, RECORD, Published, Result
from evolve.recipe import recipe
from evolve.report import lineage, proof
from evolve.report.diffs import unified
from evolve.report.result import Page, readme
from evolve.standings import Standing
from evolve.types import Evaluation, EvolveError
from evolve.verify import Verification


def publish(run: Proved, path: Path, about: str = "") -> Published:
    """Writes the best policy of a run to a folder, with its record and README.

    Raises:
        EvolveError: the policy has no score on the sealed cases, or on the quick ones; or it cannot be written there.
    """
    if run.found.found.evaluation.score is None:
        raise EvolveError(f"{proof.conclusion(run.problem, run.found)}: there is nothing to publish; run it longer")
    page = _page(run, path.name, about)
    texts = {POLICY: _source(run.journal, run.found.number), RECORD: result.as_text(page.result), README: readme(page)}
    return shelf.write(texts, path)


def _page(run: Proved, name: str, about: str) -> Page:
    journal, found = run.journal, run.found
    grown_from, base = start(journal, found.number), nearest(journal, found.number)
    return Page(
        result=_record(journal, run.problem, run.executor, found, about),
        name=name,
        spec=shelf.spec(run.problem),
        origin=first_line(grown_from.source) or grown_from.name,
        differs_from=base.name,
        diff=unified(base.source, _source(journal, found.number), base.name, POLICY),
        losses=tuple(losses(standing.name, found.found.evaluation, standing.evaluation) for standing in _others(found)),
    )


def _record(journal: Journal, problem: Problem, executor: Executor, found: Verification, about: str) -> Result:
    header, judged = journal.header, found.found.evaluation
    summary = provenance.quick(problem, executor, _source(journal, found.number))
    secret = "" if problem.held_out else found.secret
    return Result(
        format=result.FORMAT,
        problem=problem.name,
        objective=provenance.objective(problem),
        conclusion=proof.conclusion(problem, found),
        proved=found.proved,
        unsafe=found.unsafe,
        policy_sha256=result.sha256(_source(journal, found.number)),
        candidate=found.number,
        baseline=found.baseline,
        about=about,
        sealed=sealed(found),
        train=found.train.score,
        validation=None if found.validation is None else found.validation.score,
        quick=None if summary is None else _quick(problem, summary.result()),
        lineage=tuple(_lineage(journal)),
        search=_effort(journal, problem),
        versions=provenance.versions(problem),
        hashes=_hashes(problem, header, found.secret),
        seal=result.Seal(
            problem.held_out,
            secret,
            "" if problem.held_out else found.secret_hash,
            found.uses,
            found.uses_after_reveal,
            found.covered,
        ),
        basis=found.basis,
        walls=tuple(map(str, judged.layers)),
    )


def _quick(problem: Problem, evaluation: Evaluation) -> result.Quick:
    if evaluation.score is None:
        raise EvolveError(
            f"the best policy is {evaluation.verdict} on the cases {provenance.QUICK} of {problem.name} "
            f"({evaluation.feedback}), so it is not published"
        )
    return result.Quick(len(evaluation.cases), evaluation.score)


def _lineage(journal: Journal) -> list[result.Step]:
    line = lineage.line_to_best(journal)
    models = {entry.number: made.model for entry in line if (made := journal.proposal(entry.number)) is not None}
    return [
        result.Step(
            entry.number,
            entry.parents,
            entry.proposer,
            entry.operator,
            models.get(entry.number, ""),
            entry.score,
            entry.rationale,
        )
        for entry in line
    ]


def _effort(journal: Journal, problem: Problem) -> result.Effort:
    header = journal.header
    usage, _ = journal.ledger.paid()
    models = {step.model: None for step in _lineage(journal) if step.model}
    return result.Effort(
        command=_command(journal, problem),
        cases=Path(header.cases).name,
        seed=header.seed,
        evaluations=journal.count(),
        minutes=round(journal.seconds() / 60, 2),
        cores=default_workers(),
        proposers=header.proposers,
        models=tuple(models),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        dollars=usage.dollars,
        started=header.started,
    )


def _command(journal: Journal, problem: Problem) -> str | None:
    objective = "" if problem.chosen == next(iter(problem.objectives), "") else problem.chosen
    return recipe(journal.header, shelf.spec(problem), journal.count(), objective)


def _hashes(problem: Problem, header: Header, secret: str) -> dict[str, str | None]:
    """Returns hashes of the cases of each split, of the quick ones, and of those that were searched on."""
    hashes = provenance.fingerprints(problem, secret, [*dict.fromkeys((*SPLITS, provenance.QUICK, header.cases))])
    return hashes if header.cases in hashes else {**hashes, Path(header.cases).name: header.cases_hash}


def _others(found: Verification) -> list[Standing]:
    """Returns the reference and the best baseline, if they are not the policy itself."""
    chosen = dict.fromkeys((0, found.best_baseline))
    return [found.standings[index] for index in chosen if found.standings[index].name != found.baseline]


def _source(journal: Journal, number: int) -> str:
    made = journal.proposal(number)
    assert made is not None
    return made.source
