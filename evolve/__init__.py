"""AI-driven discovery of systems algorithms.  Start reading at ``evolve/loop.py``."""

from evolve.objective import Constraint, Objective
from evolve.problem import Call, InvalidDecision, Problem, Split, Twin, Unready
from evolve.types import Limits

__all__ = ["Call", "Constraint", "InvalidDecision", "Limits", "Objective", "Problem", "Split", "Twin", "Unready"]
