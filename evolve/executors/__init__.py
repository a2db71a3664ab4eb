"""Where policies are judged.  Every executor keeps this interface."""

import math
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from evolve.racing.race import Race
from evolve.types import Evaluation


@dataclass(frozen=True, slots=True)
class Task:
    """A policy to judge and on which cases.

    ``cases`` names a split, a case set or a file; ``secret`` belongs to the sealed split.
    ``confirm_above`` is ``Judge.evaluate``'s.  ``basis`` is what its score has to rest on (see ``Problem.basis``).
    ``unhurried``: asks whether the same is decided again, on a machine that may be slower (see ``Limits.unhurried``).
    ``race`` says when to stop it; None: not before the last case.
    """

    source: str
    confirm_above: float = math.inf
    cases: str = "train"
    secret: str = ""
    basis: str = ""
    unhurried: bool = False
    race: Race | None = None


class Executor(Protocol):
    """Judges tasks, several at a time."""

    def submit(self, task: Task) -> Future[Evaluation]:
        """Returns at once; the future raises what stopped the judge, never what a policy did."""

    def close(self, *, at_once: bool = False) -> None:
        """Ends the workers, ``at_once`` without waiting for what they are judging."""
