"""What racing saves: the same search with it and without, at equal evaluations."""

import math
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evolve import catalog
from evolve.budget import Limit
from evolve.folder import RunFolder
from evolve.session import search
from evolve.strategies.loading import load
from tests.bench_rows import Row

PROBLEMS = ("spot", "prism", "dispatch")
SAME = 0.995
"""Of the validated best without racing, on the mean over problems and seeds: a search is a matter of luck."""


def racing_saves(problems: Sequence[str] = PROBLEMS, seeds: Sequence[int] = (1, 2), evaluations: int = 150) -> Row:
    """Simulated cases of a search with racing against one without, and the best on validation of both."""
    pairs = [
        (came_to(problem, "default", seed, evaluations), came_to(problem, "default-without-racing", seed, evaluations))
        for problem in problems
        for seed in seeds
    ]
    shares = [raced[0] / whole[0] for raced, whole in pairs]
    same = math.exp(statistics.fmean(math.log(raced[1] / whole[1]) for raced, whole in pairs))
    share = statistics.fmean(shares)
    return Row(
        f"racing, simulated cases ({', '.join(problems)}; {len(seeds)} seeds, {evaluations} evaluations)",
        f"{sum(raced[0] for raced, _ in pairs):,}, validated best {same:.4f} of that without",
        f"without racing {sum(whole[0] for _, whole in pairs):,}",
        f"{share:.2f} ({min(shares):.2f} to {max(shares):.2f})",
        f"0.33, {SAME}",
        share <= 1 / 3 and same >= SAME,
    )


def came_to(problem: str, strategy: str, seed: int, evaluations: int) -> tuple[int, float]:
    """Returns the simulated cases of a search on train, and the validation score of the policy that it chose."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        found = search(catalog.load(problem), out, Limit(evaluations), strategy=load(strategy), seed=seed)
        with RunFolder(out).open(read_only=True) as journal:
            judged = [journal.evaluation(number) for number in range(journal.turns())]
            chosen = journal.evaluation(found.best, "validation")
    assert chosen is not None
    assert chosen.score is not None
    return sum(each.simulations for each in judged if each is not None), chosen.score
