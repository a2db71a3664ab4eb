"""Proves the best of a run on the sealed cases."""

import datetime
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from evolve import claim
from evolve.cases import CaseSet, basis_of, split_cases
from evolve.duel import Duel, duels
from evolve.executors import Executor, Task
from evolve.finalists import choose, proposal
from evolve.journal import Journal
from evolve.problem import Problem
from evolve.robustness import Setting, sweep
from evolve.standings import Standing, standings
from evolve.text import kept
from evolve.types import Evaluation, Verdict


@dataclass(frozen=True, slots=True)
class Minimised:
    """How the smallest diff that keeps the gain does on the sealed cases; ``whole`` is its duel with the best found.

    ``covered`` says that nobody could know the cases before it was judged on them.
    """

    sha256: str
    standing: Standing
    whole: Duel | None
    covered: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What the sealed split says of the best candidate of a run.

    ``standings`` are the baselines, the reference first, then the best found; ``trains`` are their
    scores on train.  ``uses`` counts this use of the sealed split, and so does ``uses_after_reveal`` if
    another had revealed the secret; ``covered`` says that the best was found before the first one did.
    ``secret`` is what the cases were drawn from: its SHA-256 is ``secret_hash``, which the journal holds
    since the run began.  ``basis`` is what the scores on them rest on where that is no simulation.

    ``barred`` names the baselines that break a constraint of the objective: no rivals, and nothing to beat.

    ``conditions`` are those that the problem names: how the best found does under each of their settings, on cases
    that the same secret makes, against the reference and the best baseline.  They are no part of the proof.

    ``minimised`` is the smallest diff that keeps the gain, where one was found; like the others it is judged here.

    ``held_out``: the cases are recorded and public, and no secret stood before them.  Then to reveal means to show how
    a policy of this run does on them, and ``covered`` says no more than that this had not happened yet.
    """

    number: int
    baseline: str | None  # the name of the best found, where that is a baseline
    train: Evaluation
    validation: Evaluation | None
    standings: tuple[Standing, ...]
    trains: tuple[float | None, ...]
    duels: tuple[Duel, ...]
    mean_bound: float | None
    cases: int
    uses: int
    uses_after_reveal: int
    covered: bool
    secret: str
    secret_hash: str
    held_out: bool
    basis: str
    barred: tuple[str, ...] = ()
    conditions: tuple[Setting, ...] = ()
    minimised: Minimised | None = None

    @property
    def found(self) -> Standing:
        """How the best found did."""
        return self.standings[-1]

    @property
    def unsafe(self) -> bool:
        """Says whether a sealed evaluation was made where the sandbox does not stand."""
        return any(standing.evaluation.unsafe for standing in self.standings)

    @property
    def unbeaten(self) -> list[str]:
        """The baselines that the best found is not shown to beat."""
        return claim.unbeaten(self)

    @property
    def close(self) -> list[Duel]:
        """Duels on too few differing cases."""
        return claim.close(self)

    @property
    def proved(self) -> bool:
        """Says whether the best found beats every baseline, on cases that were secret, or unused, when it was found."""
        return claim.proved(self)

    @property
    def best_baseline(self) -> int:
        """Returns which standing is the baseline with the highest sealed score."""
        baselines = range(len(self.standings) - 1)
        return max(baselines, key=lambda index: (self.standings[index].evaluation.rank, -index))


def verify(
    problem: Problem,
    journal: Journal,
    executor: Executor,
    secret: str,
    tell: Callable[[str], None] = lambda _: None,
    *,
    minimised: Callable[[int], str | None] = lambda _: None,
    conditions: bool = False,
) -> Verification:
    """Judges the best candidate and every baseline on the sealed cases, confirmed with a child for each case.

    ``tell`` hears what is going on.  ``minimised`` returns the policy of the smallest diff, if one is known of the best
    candidate; ``conditions`` asks for the problem's.  What is returned reveals the secret; the journal knows before.

    Raises:
        JournalError: scores would rest on something else than when the run began.
        Unready: the cases need what is not here.
    """
    cases = split_cases(problem, "test", secret)
    journal.header.insist_on_basis(basis_of(problem, journal.header.cases))
    basis = basis_of(problem, "test")
    best = choose(journal, executor, partial(_choosing, tell))
    names = [baseline.name for baseline in problem.baselines()]
    numbers = [*range(len(names)), best]
    lesser, secret_still = minimised(best), journal.seal().turns is None
    policies = len({*numbers}) + (lesser is not None)
    tell(f"judging {policies} policies on {len(cases)} {kept(problem.held_out)} cases ...")
    sealed, smallest = _judge_sealed(journal, executor, secret, numbers, lesser)
    train = [journal.evaluation(number) for number in numbers]
    found_train = train[-1]
    assert found_train is not None  # a finalist has a score on train
    seal = journal.seal()
    rows = standings(problem, cases, [*names, f"#{best}"], sealed, basis)
    return Verification(
        number=best,
        baseline=names[best] if best < len(names) else None,
        train=found_train,
        validation=journal.evaluation(best, "validation"),
        standings=tuple(rows),
        trains=tuple(None if evaluation is None else evaluation.score for evaluation in train),
        duels=tuple(duels(names, sealed, cases)),
        mean_bound=None if cases.bounds is None else sum(cases.bounds) / len(cases),
        cases=len(cases),
        uses=seal.uses,
        uses_after_reveal=seal.uses_after_reveal,
        covered=seal.covers(best),
        secret=secret,
        secret_hash=journal.header.secret_hash,
        held_out=problem.held_out,
        basis=basis,
        barred=tuple(barred(problem, names, sealed)),
        conditions=_tried(problem, journal, executor, secret, best, rows, tell) if conditions else (),
        minimised=_minimised(problem, cases, lesser, smallest, rows[-1], covered=secret_still),
    )


def _choosing(tell: Callable[[str], None], judged: int, finalists: int) -> None:
    if not judged:
        tell(f"choosing the best of {finalists} on validation cases ...")


def _judge_sealed(
    journal: Journal, executor: Executor, secret: str, numbers: Sequence[int], lesser: str | None
) -> tuple[list[Evaluation], Evaluation | None]:
    """Returns the evaluation of each, and of the smallest diff.

    That the cases are used is noted before they are, and that they are known before anything of them can be read.
    """
    sources = {number: proposal(journal, number).source for number in numbers}
    journal.record_sealed_use(_now(), numbers[-1], len(sources) + (lesser is not None))
    futures = {number: executor.submit(Task(source, 0.0, "test", secret)) for number, source in sources.items()}
    smallest = None if lesser is None else executor.submit(Task(lesser, 0.0, "test", secret))
    judged = {number: future.result() for number, future in futures.items()}
    found = None if smallest is None else smallest.result()
    journal.record_reveal()
    for number, evaluation in judged.items():
        journal.record(number, evaluation, journal.seconds(), "test")
    return [judged[number] for number in numbers], found


def _tried(
    problem: Problem,
    journal: Journal,
    executor: Executor,
    secret: str,
    best: int,
    rows: Sequence[Standing],
    tell: Callable[[str], None],
) -> tuple[Setting, ...]:
    """Returns how the best found does under every condition; the reference and the best baseline are its rivals."""
    if not problem.sweeps or rows[-1].evaluation.score is None:
        return ()
    tell(f"judging under other conditions: {', '.join(problem.sweeps)} ...")
    sources = {baseline.name: baseline.source for baseline in problem.baselines()}
    ahead = max(rows[:-1], key=lambda row: row.evaluation.rank)
    rivals = {name: sources[name] for name in dict.fromkeys((rows[0].name, ahead.name))}
    return tuple(sweep(problem, executor, proposal(journal, best).source, rivals, "test", secret))


def _minimised(
    problem: Problem,
    cases: CaseSet,
    source: str | None,
    evaluation: Evaluation | None,
    whole: Standing,
    *,
    covered: bool,
) -> Minimised | None:
    if source is None or evaluation is None:
        return None
    (standing,) = standings(problem, cases, [f"of {whole.name}"], [evaluation], whole.basis)
    against = duels([whole.name], [whole.evaluation, evaluation], cases)
    return Minimised(hashlib.sha256(source.encode()).hexdigest(), standing, next(iter(against), None), covered)


def barred(problem: Problem, names: Sequence[str], evaluations: Sequence[Evaluation]) -> list[str]:
    """Returns the baselines that do without a score because of a constraint."""
    failed = [name for name, found in zip(names, evaluations, strict=False) if found.verdict is Verdict.INVALID]
    return failed if problem.constraints else []


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
