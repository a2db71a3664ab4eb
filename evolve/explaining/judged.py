"""What is judged before anything is taken apart: the policy, its base and every baseline."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from evolve.executors import Executor, Task
from evolve.explaining.base import Base
from evolve.explaining.question import Question
from evolve.explaining.scores import Scores
from evolve.text import brief
from evolve.types import Evaluation, EvolveError

FRESH = "fresh"
"""What cases are called that were drawn as sealed ones are, from a secret of this explanation's own."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Evaluations of sources, with a child for each case, on the cases of a question and on those beside.

    ``baselines`` are sources by name.
    """

    question: Question
    baselines: Mapping[str, str]
    cases: Mapping[str, Evaluation]
    beside: Mapping[str, Evaluation]

    @property
    def policy(self) -> Evaluation:
        """The policy on the cases."""
        return self.cases[self.question.source]

    @property
    def base(self) -> Evaluation:
        """The base on the cases."""
        return self.cases[self.question.base.source]

    @property
    def rival(self) -> Base:
        """The best of the baselines that the policy beats; the base where it does not beat that."""
        named = {name: self.cases[source] for name, source in self.baselines.items()}
        beaten = [name for name, found in named.items() if self.base.rank <= found.rank < self.policy.rank]
        best = max(beaten, key=lambda name: named[name].rank, default=None)
        return self.question.base if best is None else Base(best, self.baselines[best])

    @property
    def rivals(self) -> dict[str, str]:
        """The reference and the best baseline, by name."""
        best = max(self.baselines, key=lambda name: self.cases[self.baselines[name]].rank)
        return {name: self.baselines[name] for name in dict.fromkeys(("reference", best))}


def judged(executor: Executor, question: Question, baselines: Mapping[str, str]) -> Judged:
    """Judges them.

    Raises:
        EvolveError: the policy has no score on the cases.
    """
    sources = dict.fromkeys((question.base.source, question.source, *baselines.values()))
    on_cases = {source: asked(executor, source, question.cases) for source in sources}
    on_beside = {source: asked(executor, source, question.beside) for source in sources if question.beside}
    cases = {source: future.result() for source, future in on_cases.items()}
    policy = cases[question.source]
    if policy.score is None:
        raise EvolveError(
            f"#{question.number} is {policy.verdict} on the {brief(question.cases, 40)} cases "
            f"({brief(policy.feedback, 300)}): without a score there is nothing to explain; give another ID"
        )
    return Judged(question, baselines, cases, {source: future.result() for source, future in on_beside.items()})


def asked(executor: Executor, source: str, cases: str, secret: str = "") -> Future[Evaluation]:
    """Has a policy judged with a child for each case."""
    return executor.submit(Task(source, 0.0, cases, secret))


def scores(
    executor: Executor, known: Judged, small: str, on_cases: Evaluation, on_beside: Evaluation | None
) -> dict[str, Scores]:
    """Returns the scores by set of cases: those that are known, and those on fresh cases, which are judged only now."""
    question = known.question
    sources = question.base.source, known.rival.source, question.source
    fresh = [asked(executor, source, "test", question.fresh) for source in (*sources, small) if question.fresh]
    found = {question.cases: [*(known.cases[source] for source in sources), on_cases]}
    if on_beside is not None:
        found[question.beside] = [*(known.beside[source] for source in sources), on_beside]
    if fresh:
        found[FRESH] = [future.result() for future in fresh]
    return {name: Scores(*(evaluation.score for evaluation in four)) for name, four in found.items()}
