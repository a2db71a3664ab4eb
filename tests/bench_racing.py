"""What racing saves: the same search with it and without, at equal evaluations."""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evolve import catalog
from evolve.budget import Limit
from evolve.folder import RunFolder
from evolve.racing import Audit, Racing
from evolve.session import search
from evolve.statistics import paired_bootstrap
from evolve.strategies import DEFAULT, Strategy
from tests.bench_rows import Row

PROBLEMS = ("spot", "prism", "dispatch")
"""Those of which many simulations can be afforded; 24 cases each."""

SAME = 0.995
"""Of the validated best without racing, on the mean over problems and seeds: a search is a matter of luck."""


NO_AUDIT = Audit()


class Watched(Strategy):
    """The default with racing, which can be asked afterwards."""

    def __init__(self) -> None:
        self.raced = Racing()

    def racing(self) -> Racing:
        """Returns the racing that is watched."""
        return self.raced


@dataclass(frozen=True)
class Came:
    """What a search came to: cases simulated on train, the validation score of the policy that it chose, its audit."""

    simulations: int
    score: float
    audit: Audit = NO_AUDIT


def racing_saves(problems: Sequence[str] = PROBLEMS, seeds: Sequence[int] = (1,), evaluations: int = 200) -> Row:
    """Simulated cases of a search with racing against one without, and the best on validation of both."""
    turns = [(problem, seed) for problem in problems for seed in seeds]
    raced = [_raced(problem, seed, evaluations) for problem, seed in turns]
    whole = [came_to(problem, DEFAULT, seed, evaluations) for problem, seed in turns]
    shares = [ours.simulations / theirs.simulations for ours, theirs in zip(raced, whole, strict=True)]
    best = paired_bootstrap([ours.score / theirs.score for ours, theirs in zip(raced, whole, strict=True)], turns)
    worth, lost = (sum(getattr(each.audit, name) for each in raced) for name in ("worth", "lost"))
    share = statistics.fmean(shares)
    return Row(
        f"racing, simulated cases ({', '.join(problems)}; seeds: {len(seeds)}, evaluations: {evaluations})",
        f"{sum(each.simulations for each in raced):,}; validated best {best.mean:.4f} "
        f"[{best.low:.4f}, {best.high:.4f}] of that without; lost {lost} of {worth} in the control group",
        f"without racing {sum(each.simulations for each in whole):,}",
        f"{share:.2f} ({min(shares):.2f} to {max(shares):.2f})",
        f"0.33, {SAME}",
        share <= 1 / 3 and best.mean >= SAME,
    )


def _raced(problem: str, seed: int, evaluations: int) -> Came:
    watched = Watched()
    came = came_to(problem, watched, seed, evaluations)
    return Came(came.simulations, came.score, watched.raced.audit)


def came_to(problem: str, strategy: Strategy, seed: int, evaluations: int) -> Came:
    """Searches, and returns what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        found = search(catalog.load(problem), out, Limit(evaluations), strategy=strategy, seed=seed)
        with RunFolder(out).open(read_only=True) as journal:
            judged = [journal.evaluation(number) for number in range(journal.turns())]
            chosen = journal.evaluation(found.best, "validation")
    assert chosen is not None
    assert chosen.score is not None
    return Came(sum(each.simulations for each in judged if each is not None), chosen.score)
