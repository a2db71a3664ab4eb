"""The commands with which a stranger measures a policy again, and finds it again.

A run may come from anybody: no word of its own gets into them that could be an option, or more than one word.
"""

import re
import shlex
from pathlib import Path

from evolve import catalog
from evolve.export.plainword import is_name, word
from evolve.export.verified import Verified
from evolve.journal.header import Header
from evolve.recipe import recipe

OWN_WORD = "YOUROWNWORD"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_ENGINE = re.compile(r"[0-9][0-9A-Za-z.+-]{0,30}")
_DIGEST = re.compile(r"[0-9a-f]{1,64}")


def score(header: Header, file: str, known: Verified | None) -> str:
    """Returns the command that judges a file, on the sealed cases where what they are drawn from is known."""
    return _score(header, file, known, known.secret if known else None)


def score_afresh(header: Header, file: str, known: Verified) -> str:
    """Returns the command that judges it on cases like those, drawn from a word of whoever reads it."""
    return _score(header, file, known, OWN_WORD)


def search(header: Header, evaluations: int) -> str | None:
    """Returns the command that finds a policy again; None where models wrote it, or the run names no problem."""
    objective = _plain(header.objective) if header.objective else ""
    if spec(header) is None or objective is None or (header.cases != "train" and _cases(header) is None):
        return None
    return recipe(header, spec(header) or "", evaluations, objective)


def same(header: Header) -> str:
    """Returns what has to be the same: version and problem."""
    engine = header.engine if _ENGINE.fullmatch(header.engine) else "of a version that is not known"
    digest = header.digest if _DIGEST.fullmatch(header.digest) else "that is not known"
    return f"evolve {engine}, {word(header.problem, 30)} with the digest {digest}"


def spec(header: Header) -> str | None:
    """Returns what a problem is called on any machine: its name, or that of its file or folder."""
    if header.spec in catalog.names():
        return header.spec
    path = Path(header.spec[:4096])
    return _plain(path.parent.name if path.name == "problem.py" else path.name)


def _score(header: Header, file: str, known: Verified | None, secret: str | None) -> str:
    named = file if "/" in file and not file.startswith("-") else f"./{file}"  # neither an option nor a baseline
    words = ["evolve", "score", spec(header) or "PROBLEM", named, *(_rivals(known) if known else [])]
    if header.objective:
        words += ["--objective", _plain(header.objective) or "OBJECTIVE"]
    if secret is not None:
        words += ["--revealed", secret]
    elif header.cases != "train":
        words += ["--cases", _cases(header) or "CASES"]
    return shlex.join(words)


def _rivals(known: Verified) -> list[str]:
    """Returns the reference and the best baseline, as far as their names can be nothing else."""
    return [name for name in dict.fromkeys((known.standings[0].name, known.rival.name)) if is_name(name)]


def _cases(header: Header) -> str | None:
    return _plain(Path(header.cases[:4096]).name)


def _plain(name: str) -> str | None:
    return name if _PLAIN.fullmatch(name) else None
