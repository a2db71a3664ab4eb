"""What `evolve verify` and `evolve explain` left in a run's folder, read back; anybody may have written it."""

import dataclasses
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from evolve import strict
from evolve.duel import Duel
from evolve.folder import RunFolder
from evolve.header import Header
from evolve.journal import Journal
from evolve.statistics import Interval
from evolve.types import EvolveError

_MAX_BYTES = 1 << 26
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Judged:
    """An evaluation, without its cases."""

    verdict: str
    score: float | None
    feedback: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stood:
    """How a policy did on the sealed cases."""

    name: str
    evaluation: Judged
    interval: Interval | None
    mean: float | None
    gap: float | None


@dataclass(frozen=True, slots=True)
class Lesser:
    """How the smallest diff that keeps the gain did there; ``sha256`` is of its policy."""

    sha256: str
    standing: Stood


@dataclass(frozen=True, slots=True)
class Verified:
    """What is used of a verification; see ``evolve.verify.Verification``."""

    objective: str
    direction: str
    policy: str
    conclusion: str
    proved: bool
    unsafe: bool
    number: int
    baseline: str | None
    standings: tuple[Stood, ...]
    duels: tuple[Duel, ...]
    mean_bound: float | None
    cases: int
    uses: int
    uses_after_reveal: int
    covered: bool
    secret: str
    secret_hash: str
    held_out: bool
    words: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    minimised: Lesser | None = None

    @property
    def found(self) -> Stood:
        """How the policy itself did."""
        return self.standings[-1]

    @property
    def rival(self) -> Stood:
        """The baseline with the highest score."""
        return max(self.standings[:-1], key=lambda row: -1.0 if row.evaluation.score is None else row.evaluation.score)

    @property
    def unbeaten(self) -> list[str]:
        """The baselines that it is not shown to beat."""
        ahead = {duel.baseline for duel in self.duels if duel.interval.above_one}
        return [row.name for row in self.standings[:-1] if row.name not in ahead and row.name not in self.barred]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores on the same cases: of what the policy is compared with, its strongest rival, itself, its smallest diff."""

    base: float | None
    rival: float | None
    policy: float | None
    minimised: float | None


@dataclass(frozen=True, slots=True)
class Explained:
    """What is used of an explanation; see ``evolve.explaining.explanation.Explanation``."""

    number: int
    base: str
    rival: str
    policy_sha256: str
    minimised_sha256: str
    tolerance: float
    lead_kept: float | None
    scores: dict[str, Scores]


def verified(folder: RunFolder, journal: Journal, number: int, policy: str) -> Verified | None:
    """Returns the verification of this very policy; None where there is none, or it is of another.

    Its secret is the one whose hash the run began with, and the journal knows that it was judged on these cases.

    Raises:
        EvolveError: the file is not what `evolve verify` writes.
    """
    if not os.path.lexists(folder.proof):
        return None
    found = _read(folder.proof, Verified, f"call `evolve verify {folder.path}` again")
    if found.number != number or found.policy != policy or not _fits(found, journal.header):
        return None
    return found if len(found.standings) > 1 and journal.evaluation(number, "test") is not None else None


def explained(folder: RunFolder, number: int, policy: str) -> tuple[Explained, str]:
    """Returns what was explained of this very policy, and the policy of the smallest diff that keeps the gain.

    Raises:
        EvolveError: there is none, or it is of another policy, or has changed since.
    """
    path, again = folder.minimised, f"run `evolve explain {folder.path} {number}` first"
    if not os.path.lexists(path) or not os.path.lexists(folder.explanation):
        raise EvolveError(f"{folder.path} holds no smallest diff that keeps the gain; {again}")
    found, text = _read(folder.explanation, Explained, again), _text(path)
    if found.number != number or found.policy_sha256 != sha256(policy):
        raise EvolveError(f"{path} is not of candidate {number}; {again}")
    if found.minimised_sha256 != sha256(text):
        raise EvolveError(f"{path} is not what `evolve explain` wrote: its SHA-256 is another; {again}")
    return found, text


def sha256(text: str) -> str:
    """Returns the hash of a text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _fits(found: Verified, header: Header) -> bool:
    return found.secret_hash == header.secret_hash == sha256(found.secret) and found.held_out == header.held_out


def _read(path: Path, kind: type[Kind], advice: str) -> Kind:
    try:
        return strict.of(kind, _used(kind, json.loads(_text(path), parse_constant=_no_number)))
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
    """Returns the text of a plain file; no link is followed and no pipe is waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EvolveError(f"{path} is no plain file, and is not opened; put the file itself there")
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        linked = "; links are not followed" if path.is_symlink() else ""
        raise EvolveError(f"cannot read {path}: {error.strerror}{linked}") from error
    if len(data) > _MAX_BYTES:
        raise EvolveError(f"{path} is larger than {_MAX_BYTES >> 20} MiB; evolve writes no such file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise EvolveError(f"{path} is not UTF-8 text") from None
