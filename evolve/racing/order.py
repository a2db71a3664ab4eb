"""In which order cases are judged, so that the first tell most of the others."""

import math
from collections.abc import Collection, Sequence

from evolve.racing.race import Stage

Lead = tuple[float, ...]
"""The logarithms of the ratios of a candidate to its parent, by case."""

MOST = 16
"""Cases that are put in order; the others follow as they stood."""


def learned(leads: Collection[Lead], order: Sequence[int], first: Sequence[Stage]) -> tuple[int, ...]:
    """Returns the order of the cases that ``leads`` suggest, by greedy choice; the old one where they say nothing.

    In the stages ``first`` those come first on which most candidates differ that differ on none before.  Beyond, and
    where that leaves a choice, those whose mean comes closest to the mean over all cases, by the squares of what is
    left; each candidate counts alike, however large its effect.
    """
    changes = [_scaled(lead) for lead in leads if any(lead)]
    chosen: list[int] = []
    rest = list(order)
    covering = max((stage.cases for stage in first), default=0)
    unseen, sums = changes, [0.0] * len(changes)
    means = [math.fsum(lead) / len(lead) for lead in changes]
    while changes and rest and len(chosen) < MOST:
        count = len(chosen) + 1

        def left(case: int, count: int = count, sums: Sequence[float] = tuple(sums)) -> float:
            return math.fsum(
                ((done + lead[case]) / count - mean) ** 2 for done, lead, mean in zip(sums, changes, means, strict=True)
            )

        shown = {case: sum(lead[case] != 0 for lead in unseen) if count <= covering else 0 for case in rest}
        most = max(shown.values())
        case = min((case for case in rest if shown[case] == most), key=left)
        rest.remove(case)
        chosen.append(case)
        sums = [done + lead[case] for done, lead in zip(sums, changes, strict=True)]
        unseen = [lead for lead in unseen if lead[case] == 0]
    return (*chosen, *rest)


def _scaled(lead: Lead) -> Lead:
    size = math.sqrt(math.fsum(each * each for each in lead) / len(lead))
    return tuple(each / size for each in lead)
