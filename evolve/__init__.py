"""AI-driven discovery of systems algorithms.  Start reading at ``evolve/loop.py``."""

from evolve.problem import Call, Constraint, InvalidDecision, Objective, Problem, Split, Twin, Unready
from evolve.types import Limits

__all__ = ["Call", "Constraint", "InvalidDecision", "Limits", "Objective", "Problem", "Split", "Twin", "Unready"]
