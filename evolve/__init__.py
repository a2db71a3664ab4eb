"""AI-driven discovery of systems algorithms.  Start reading at ``evolve/loop.py``."""

from typing import TYPE_CHECKING

from evolve.objective import Constraint, Objective
from evolve.problem import Call, InvalidDecision, Problem, Split, Twin, Unready
from evolve.types import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from evolve.run import Run

__all__ = [
    "Call",
    "Constraint",
    "InvalidDecision",
    "Limits",
    "Objective",
    "Problem",
    "Split",
    "Twin",
    "Unready",
    "load",
]


def load(path: "str | Path") -> "Run":
    """Opens the run in a folder for reading; see ``evolve.run.Run``.

    Raises:
        EvolveError: there is none, or it cannot be read.
    """
    from evolve.run import Run  # a problem's file imports this package, and needs no journal

    return Run(path)
