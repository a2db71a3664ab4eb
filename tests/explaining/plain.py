"""A problem whose policies are run by the test itself, and an executor that does so: no process, no sandbox."""

import math
from collections.abc import Callable
from concurrent.futures import Future

from evolve.cases import cases_of
from evolve.executors import Task
from evolve.problem import Call, Problem
from evolve.statistics import geometric_mean
from evolve.types import CaseResult, Evaluation, Verdict

REFERENCE = "def guess(x):\n    return 2 * x\n"


class Plain(Problem):
    """Write `guess(x)`: a number near three times `x`, and seven more where `x` is large."""

    name = "plain"
    objective, direction = "error", "minimize"
    reference = REFERENCE

    def cases(self, split):
        return [1 + seed % 97 for seed in split.seeds(30)]

    def simulate(self, x):
        guess = yield Call("guess", x, returns=float)
        return {"error": error(x, guess)}

    def bound(self, x):
        return 1


def error(x: float, guess: float) -> float:
    return 1 + abs(guess - (3 * x + (7 if x > 50 else 0)))


class Direct:
    """Runs policies at once, here; ``noise`` makes an objective of each evaluation anew."""

    def __init__(self, problem: Problem, noise: Callable[[], float] = lambda: 1.0) -> None:
        self._problem, self._noise = problem, noise
        self.tasks: list[Task] = []

    def submit(self, task: Task) -> Future[Evaluation]:
        self.tasks.append(task)
        future: Future[Evaluation] = Future()
        future.set_result(self._evaluation(task))
        return future

    def close(self, *, at_once: bool = False) -> None:
        """Nothing to end."""

    @property
    def variants(self) -> list[str]:
        """What was judged on the first cases that is neither confirmed nor a baseline."""
        return [task.source for task in self.tasks if task.confirm_above == math.inf and task.cases != "train"]

    def _evaluation(self, task: Task) -> Evaluation:
        cases = cases_of(self._problem, task.cases, task.secret)
        try:
            errors, bases = (self._errors(source, cases.cases) for source in (task.source, REFERENCE))
        except Exception as failed:  # noqa: BLE001 - what a sandbox would answer
            return Evaluation(Verdict.CRASHED, feedback=f"{type(failed).__name__}: {failed}")
        results = tuple(
            CaseResult(label, base / reached, {"error": reached})
            for label, base, reached in zip(cases.labels, bases, errors, strict=True)
        )
        return Evaluation(Verdict.OK, geometric_mean([result.ratio for result in results]), results)

    def _errors(self, source: str, cases: list[int]) -> list[float]:
        names: dict[str, Callable[[float], float]] = {}
        exec(source, names)
        return [error(x, names["guess"](x)) * self._noise() for x in cases]
