"""A per-case Pareto front: the candidates that are best on some case, however they do on the others.

Building on them keeps what a mean would lose (GEPA, Agrawal et al. 2025; lexicase selection, Spector 2012).
"""

from collections.abc import Iterator
from random import Random

from evolve.types import Candidate

CASES = 64
"""Cases that have a winner; of more of them every second, third, ... counts, so that memory is bounded."""


class Front:
    """Holds the best candidate on each case.

    Of candidates with the same ratio there the one with the higher score counts, and then the earlier.
    """

    def __init__(self) -> None:
        self._winners: dict[int, Candidate] = {}  # by case

    def add(self, candidate: Candidate) -> bool:
        """Takes a candidate with a score, and returns whether it stays: whether it wins a case."""
        won = [case for case in _counted(candidate) if self._wins(candidate, case)]
        self._winners.update(dict.fromkeys(won, candidate))
        return bool(won)

    def replace(self, old: Candidate, new: Candidate) -> None:
        """Gives the cases that one has won to another with the same ratios."""
        for case, winner in self._winners.items():
            if winner.number == old.number:
                self._winners[case] = new

    def drawn(self, rng: Random) -> Candidate:
        """Returns the winner of a case drawn at random.

        Raises:
            LookupError: there is none.
        """
        if not self._winners:
            raise LookupError("an empty front has no winner to offer")
        return rng.choice(list(self._winners.values()))

    def ahead(self, parent: Candidate) -> Iterator[Candidate]:
        """Yields the winner of each case on which a parent does worse."""
        results = parent.evaluation.cases
        for case, winner in self._winners.items():
            if case < len(results) and winner.evaluation.cases[case].ratio > results[case].ratio:
                yield winner

    def __iter__(self) -> Iterator[Candidate]:
        return iter({winner.number: winner for winner in self._winners.values()}.values())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _wins(self, candidate: Candidate, case: int) -> bool:
        winner = self._winners.get(case)
        if winner is None:
            return True
        ours, theirs = candidate.evaluation.cases[case].ratio, winner.evaluation.cases[case].ratio
        return (ours, candidate.score) > (theirs, winner.score)


def _counted(candidate: Candidate) -> range:
    count = len(candidate.evaluation.cases)
    return range(0, count, -(-count // CASES) or 1)
