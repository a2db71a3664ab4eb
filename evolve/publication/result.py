"""A published result: a policy with the record of how it was found and judged, so that anybody can judge it again.

It is a folder ``results/<problem>/<name>/`` of three files.  Such a folder may come from anybody: no link in it is
followed, and nothing in it is believed but what can be checked.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from evolve import plainfile, strict
from evolve.folder import JOURNAL
from evolve.problem import SPLITS
from evolve.text import brief
from evolve.types import EvolveError

FORMAT = 1
POLICY, RECORD, README = "policy.py", "record.json", "README.md"
FILES = (POLICY, RECORD, README)
_MOST_MIB = 1
_SLACK = 1 + 1e-9  # a mean and the ends of its interval are added up in another order


class ResultError(EvolveError):
    """The folder holds no published result, or one that was changed since it was published."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What counted: a metric and which way it is better; ``name`` is empty for a problem's only objective.

    ``timed`` says that it follows from the policy's own CPU time, which is never twice the same.
    """

    name: str
    metric: str
    direction: str
    timed: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """How one policy did: its scores relative to the reference, and on the sealed cases the metric itself.

    ``low`` and ``high`` bound the sealed score's 95% interval, ``gap_closed`` is of totals.
    """

    policy: str
    train: float | None
    sealed: float
    low: float
    high: float
    mean: float
    gap_closed: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """How the ratios to the reference spread over the sealed cases: the ends and the quartiles."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float


@dataclass(frozen=True, slots=True)
class Duel:
    """The policy against one baseline on the sealed cases: mean ratio, its 95% interval, and cases by outcome."""

    baseline: str
    ratio: float
    low: float
    high: float
    better: int
    equal: int
    worse: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """How the policy did on cases that the search had never seen; ``bound`` is the mean of what none can beat.

    ``stretches`` counts what is independent among the cases, ``failed`` says which baselines had no score.
    """

    cases: int
    stretches: int
    found: Figure
    reference: Figure
    best_baseline: Figure
    bound: float | None
    spread: Spread
    duels: tuple[Duel, ...]
    failed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Quick:
    """The score on the problem's case set ``quick``, for a check that takes a moment."""

    cases: int
    score: float


@dataclass(frozen=True, slots=True)
class Step:
    """One candidate on the line from a baseline to the policy."""

    number: int
    parents: tuple[int, ...]
    proposer: str
    operator: str
    model: str
    score: float | None
    rationale: str


@dataclass(frozen=True, slots=True)
class Effort:
    """The search that found the policy.

    ``command`` repeats it; None where that cannot be, for models wrote policies.  ``minutes`` were spent searching on
    ``cores``, ``dollars`` are None where a price is not known.
    """

    command: str | None
    cases: str
    seed: int
    evaluations: int
    minutes: float
    cores: int
    proposers: str
    models: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    dollars: float | None
    started: str


@dataclass(frozen=True, slots=True)
class Versions:
    """What the policy was found and judged with; ``problem`` is a hash of its code and baselines."""

    problem: str
    evolve: str
    python: str
    numpy: str
    optuna: str
    machine: str


@dataclass(frozen=True, slots=True)
class Seal:
    """How the sealed cases were kept from the search, and what they were drawn from.

    The journal held ``secret_hash``, the SHA-256 of ``secret``, since the run began.  Cases that were ``held_out`` are
    public and the same for all: then there is no secret.  ``covered``: the policy was there before they were known.
    """

    held_out: bool
    secret: str
    secret_hash: str
    uses: int
    uses_after_reveal: int
    covered: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A published result.

    ``candidate`` is the policy's number in its run, ``baseline`` its name where the search found nothing better.
    ``hashes`` are of the cases by set; None where they hold what cannot be compared.  ``basis`` is what scores rest on
    where that is no simulation, ``walls`` stood between the policy and the machine.
    """

    format: int
    problem: str
    objective: Objective
    conclusion: str
    proved: bool
    unsafe: bool
    policy_sha256: str
    candidate: int
    baseline: str | None
    about: str
    sealed: Sealed
    train: float | None
    validation: float | None
    quick: Quick | None
    lineage: tuple[Step, ...]
    search: Effort
    versions: Versions
    hashes: Mapping[str, str | None]
    seal: Seal
    basis: str
    walls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A result as it lies in its folder."""

    path: Path
    result: Result
    policy: str

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.path.name


def is_one(path: Path) -> bool:
    """Says whether a folder is a published result, of whatever worth, and no run."""
    return os.path.lexists(path / RECORD) and not os.path.lexists(path / JOURNAL)


def read(path: Path) -> Published:
    """Returns the result in a folder, whose policy is the one that was published.

    Raises:
        ResultError: a file is missing, no plain file, too large, changed since, or not what it should be.
    """
    result = record(path)
    policy = _text(path / POLICY)
    if sha256(policy) != result.policy_sha256:
        raise ResultError(
            f"{path / POLICY} is not the policy that was published: its SHA-256 is {sha256(policy)[:16]}..., and the "
            f"record says {brief(result.policy_sha256, 16)}...; put the published file back"
        )
    return Published(path, result, policy)


def record(path: Path) -> Result:
    """Returns the record in a folder.

    Raises:
        ResultError: there is none, or it is not what it should be.
    """
    file = path / RECORD
    try:
        result = strict.read(Result, _text(file))
    except strict.Unreadable as unreadable:
        raise ResultError(f"{file} is no record of a result: {unreadable}") from None
    if result.format != FORMAT:
        raise ResultError(
            f"{file} has the format {brief(str(result.format), 20)}, and this version of evolve reads {FORMAT}"
        )
    if wrong := _contradiction(result):
        raise ResultError(f"{file} contradicts itself: {wrong}")
    return result


def as_text(result: Result) -> str:
    """Returns the record as it is written; what lies on one line in it is one thing."""
    return json.dumps(asdict(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sha256(text: str) -> str:
    """Returns the hash of a text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _contradiction(result: Result) -> str:
    seal = result.seal
    if seal.held_out and (seal.secret or seal.secret_hash):
        return "held-out cases have no secret"
    if not seal.held_out and (not seal.secret or sha256(seal.secret) != seal.secret_hash):
        return "the secret is not the one whose hash it holds"
    figures = (result.sealed.found, result.sealed.reference, result.sealed.best_baseline)
    if not all(0 < figure.low <= figure.high and figure.sealed > 0 for figure in figures):
        return "an interval ends before it begins, or a score is not positive"
    if not all(figure.low / _SLACK <= figure.sealed <= figure.high * _SLACK for figure in figures):
        return "a score lies outside of its interval"
    names = [duel.baseline for duel in result.sealed.duels]
    if len(set(names)) < len(names):
        return "it has two duels with the same baseline"
    missing = {*SPLITS, result.search.cases} - {*result.hashes}
    return f"it has no hash of the cases {brief(min(missing), 40)}" if missing else ""


def _text(path: Path) -> str:
    """Returns the text of one of our files."""
    try:
        return plainfile.read(path, _MOST_MIB, "file of a result")
    except EvolveError as error:
        raise ResultError(str(error)) from error
