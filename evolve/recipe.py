"""The command that finds a policy again."""

import shlex
from pathlib import Path

from evolve.journal.header import Header
from evolve.text import brief
from evolve.writers import Writing


def recipe(header: Header, spec: str, evaluations: int, objective: str = "") -> str | None:
    """Returns it, given how the problem is named there; None where models wrote policies, or a word is an option.

    A search is the same up to any number of evaluations, so that number repeats one that the clock ended.
    """
    if header.proposers != Writing().describe():
        return None
    cases = Path(header.cases).name
    if any(word.startswith("-") for word in (spec, objective, cases)):
        return None
    words = ["evolve", "run", spec]
    if objective:
        words += ["--objective", objective]
    if header.cases != "train":
        words += ["--cases", cases]
    words += ["--seed", str(header.seed), "--evaluations", str(evaluations)]
    return shlex.join(brief(word, 200) for word in words)
