"""Names in a repository, made of names that anybody may have written: of branches and of authors."""

import re
from collections.abc import Collection

from evolve.text import brief
from evolve.types import Proposal

_LONGEST = 60
_ODD = re.compile(r"[^A-Za-z0-9_.+-]+")


def plain(name: str) -> str:
    """Returns a name as one part of a branch's: letters, digits and a few signs, as git-check-ref-format(1) has it."""
    shown = re.sub(r"\.{2,}", ".", _ODD.sub("-", name[: 4 * _LONGEST]))[:_LONGEST].strip(".-")
    return f"{shown.removesuffix('.lock')}-lock" if shown.lower().endswith(".lock") else shown or "unnamed"


def unused(name: str, number: int, taken: Collection[str]) -> str:
    """Returns a plain name that no other candidate has."""
    wanted = plain(name)
    return wanted if wanted.lower() not in {other.lower() for other in taken} else f"{wanted}-{number}"


def author(proposal: Proposal) -> str:
    """Returns who wrote a policy as git has it: the proposer, and the model if there was one."""
    name = f"{proposal.proposer} ({proposal.model})" if proposal.model else proposal.proposer
    return f"{_ident(name)} <{plain(proposal.proposer)}@evolve>"


def _ident(name: str) -> str:
    return re.sub("[<>]", "?", brief(name, 100)).strip() or "unnamed"
