"""What `evolve verify` and `evolve explain` left in a run's folder, read back; anybody may have written it."""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from evolve import begun, claim, plainfile, strict
from evolve.export import contradiction
from evolve.export.figures import Explanation, Record
from evolve.export.plainword import is_name, word
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.publication.result import sha256
from evolve.types import EvolveError, Layer, unsafe

_MOST_MIB = 64
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Record):
    """A verification whose figures fit the journal and each other.

    ``here``: this user's `evolve verify` wrote it.  Otherwise it came with the run, and nobody here has seen the
    policy judged.  How often the cases were used, and whether they were ``covered`` then, is what the journal says.
    """

    here: bool
    covered: bool

    @property
    def unsafe(self) -> bool:
        """Whether an evaluation was made where the sandbox does not stand."""
        return any(unsafe([*map(Layer, row.evaluation.layers)]) for row in self.standings)

    @property
    def unbeaten(self) -> list[str]:
        """The baselines that it is not shown to beat."""
        return claim.unbeaten(self)

    @property
    def proved(self) -> bool:
        """Whether it beats every baseline."""
        return claim.proved(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained(Explanation):
    """An explanation that fits the journal; ``here``: this user's `evolve explain` wrote it."""

    here: bool


def verified(folder: RunFolder, journal: Journal, number: int, policy: str) -> tuple[Verified | None, str]:
    """Returns the verification of this very policy; None where there is none, it is of another, or is no evidence.

    Then the text says what does not fit.  Its secret is the one whose hash the run began with, and the journal knows
    that the policy was judged on these cases.

    Raises:
        EvolveError: the file is not what `evolve verify` writes.
    """
    if not os.path.lexists(folder.proof):
        return None, ""
    found, text = _read(folder.proof, Record, f"call `evolve verify {folder.path}` again")
    if found.number != number or found.policy != policy:
        return None, ""
    here, seal = begun.is_written(journal.header, text), journal.seal()
    measured_again = here and seal.uses > 1  # the journal keeps the first evaluation, and times are never the same
    wrong = _misfit(found, journal.header) or contradiction.in_verification(found, journal, again=measured_again)
    if wrong:
        return None, wrong
    shown = _renamed(found if here else _without_words(found))
    known = {"uses": seal.uses, "covered": seal.covers(number), "here": here}
    return Verified(**{**_fields(shown), **known}), ""


def explained(folder: RunFolder, journal: Journal, number: int, policy: str) -> tuple[Explained, str]:
    """Returns what was explained of this very policy, and the policy of the smallest diff that keeps the gain.

    Raises:
        EvolveError: there is none, it is of another policy, has changed since, or does not fit the journal.
    """
    path, record = folder.minimised(number), folder.explanation(number)
    again = f"run `evolve explain {folder.path} {number}` first"
    if not os.path.lexists(path) or not os.path.lexists(record):
        raise EvolveError(f"{folder.path} holds no smallest diff of candidate {number}; {again}")
    (found, written), text = _read(record, Explanation, again), _text(path)
    if found.number != number or found.policy_sha256 != sha256(policy):
        raise EvolveError(f"{path} is not of candidate {number}; {again}")
    if found.minimised_sha256 != sha256(text):
        raise EvolveError(f"{path} is not what `evolve explain` wrote: its SHA-256 is another; {again}")
    here = begun.is_written(journal.header, written)
    if wrong := contradiction.in_explanation(found, journal, again=here and found.noisy):
        raise EvolveError(f"{record} does not fit the run: {wrong}; {again}")
    named = replace(found, base=word(found.base), rival=word(found.rival))
    return Explained(**_fields(named), here=here), text


def _misfit(found: Record, header: Header) -> str:
    if not found.secret_hash == header.secret_hash == sha256(found.secret):
        return "its secret is not the one whose hash the run began with"
    return "" if found.held_out == header.held_out else "it is of another kind of cases"


def _without_words(found: Record) -> Record:
    """Returns the same without anything that is said in words, which are whoever's wrote it."""
    rows = (replace(row, evaluation=replace(row.evaluation, feedback="")) for row in found.standings)
    return replace(found, words=(), standings=tuple(rows))


def _renamed(found: Record) -> Record:
    """Returns the same with names that are single words, of which no two are equal."""
    names: dict[str, str] = {}
    for index, row in enumerate(found.standings[:-1]):
        plain = word(row.name)
        taken = plain in names.values() or (plain != row.name and is_name(plain))  # no other baseline's
        names[row.name] = f"{plain}-{index}" if taken else plain
    rows = [replace(row, name=names[row.name]) for row in found.standings[:-1]]
    return replace(
        found,
        objective=word(found.objective),
        baseline=None if found.baseline is None else names[found.baseline],
        standings=(*rows, replace(found.found, name=f"candidate {found.number}")),
        duels=tuple(replace(duel, baseline=names[duel.baseline]) for duel in found.duels),
        barred=tuple(names[name] for name in found.barred),
    )


def _fields(found: Any) -> dict[str, Any]:
    return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}


def _read(path: Path, kind: type[Kind], advice: str) -> tuple[Kind, str]:
    """Returns what a file holds, and its text."""
    text = _text(path)
    try:
        return strict.of(kind, _used(kind, json.loads(text, parse_constant=_no_number))), text
    except strict.Unreadable as unreadable:
        raise EvolveError(f"{path} is not what evolve writes: {unreadable}; {advice}") from None
    except (ValueError, RecursionError, OverflowError):
        raise EvolveError(f"{path} is no JSON; {advice}") from None


def _no_number(name: str) -> Any:
    raise strict.Unreadable(f"{name} is no finite number")


def _used(kind: Any, value: Any) -> Any:
    """Returns of a value what a dataclass has fields for; the file holds more, and other versions still more."""
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        hints = get_type_hints(kind)
        absent = {
            field.name: list(field.default) if isinstance(field.default, tuple) else field.default
            for field in dataclasses.fields(kind)
            if field.default is not dataclasses.MISSING
        }
        there = {name: _used(inner, value[name]) for name, inner in hints.items() if name in value}
        return absent | there
    if get_origin(kind) is dict and isinstance(value, Mapping):
        return {key: _used(get_args(kind)[1], item) for key, item in value.items()}
    if isinstance(value, list):
        return [_used(next(iter(get_args(kind)), None), item) for item in value]
    inner = next((one for one in get_args(kind) if dataclasses.is_dataclass(one)), None)
    return value if inner is None or value is None else _used(inner, value)


def _text(path: Path) -> str:
    return plainfile.read(path, _MOST_MIB, "file of evolve's")
