"""The candidates worth building on.  Every archive keeps this interface."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Protocol

from evolve.types import Candidate


class Archive(Protocol):
    """Holds a bounded number of candidates, all of them OK."""

    @property
    def best(self) -> Candidate | None:
        """The candidate with the highest score; of equals the earliest."""

    def add(self, candidate: Candidate) -> bool:
        """Takes a judged candidate and returns whether it stays.  One without a score never does."""

    def parent(self, rng: Random) -> Candidate:
        """Returns a candidate to build on, good but little used ones first.

        Raises:
            LookupError: the archive is empty.
        """

    def inspirations(self, parent: Candidate, count: int, rng: Random) -> list[Candidate]:
        """Returns up to ``count`` other members to take ideas from."""

    def find(self, number: int) -> Candidate | None:
        """Returns what is built on under that number, a member or not; None if it is nothing to build on any more."""

    def idle(self, member: Candidate) -> int:
        """Returns how many candidates were added since those that compete with a member last became better."""

    def least(self, parents: Sequence[int]) -> float:
        """Returns the score that a child of these parents must exceed to be taken for it; -inf while there is room."""

    def __iter__(self) -> Iterator[Candidate]: ...

    def __len__(self) -> int: ...
