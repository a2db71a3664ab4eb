"""A set of cases to judge on: a split, a named set or a file, with what the judge needs to know of each."""

import difflib
import hashlib
import math
import os
import traceback
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from evolve.problem import SPLITS, Problem, ProblemError, Split
from evolve.types import EvolveError


class CaseSet:
    """The cases of one split, name or file of a problem, in a fixed order."""

    def __init__(self, problem: Problem, name: str, cases: Sequence[Any]) -> None:
        if not cases:
            raise ProblemError(f"{problem.name}: the case set {name!r} is empty")
        self.problem, self.name, self.cases = problem, name, list(cases)
        with blaming(problem, "label"):
            self.labels = [str(problem.label(case) or f"{name} {index}") for index, case in enumerate(self.cases)]
        self.seed = _seed(problem.name)  # of what policies draw, on whatever case

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def split(self) -> str:
        """The split that they are drawn from, under whatever conditions; empty for a named set or a file."""
        return _split(self.name)

    @cached_property
    def stretches(self) -> list[Hashable]:
        """The independent stretch of data that each case belongs to; a case of its own by default."""
        with blaming(self.problem, "stretch"):
            found = [_or(self.problem.stretch(case), ("case", i)) for i, case in enumerate(self.cases)]
            set(found)  # they must be hashable
        return found

    @cached_property
    def bounds(self) -> list[float] | None:
        """What no policy can beat on each case, or None where the problem knows no bound."""
        with blaming(self.problem, "bound"):
            bounds = [self.problem.bound(case) for case in self.cases]
            known = [float(bound) for bound in bounds if bound is not None]
        if not all(map(math.isfinite, known)):
            raise ProblemError(f"{self.problem.name}: `bound` returned what is no finite number")
        return known if len(known) == len(bounds) else None

    def lanes(self, isolated: bool) -> list[list[int]]:
        """Returns groups of cases that may share a child: never two of one trace.

        Isolated: one case a lane, last case first.
        """
        if isolated:
            return [[index] for index in reversed(range(len(self)))]
        lanes: list[list[int]] = []
        used: dict[Hashable, int] = {}
        for index, case in enumerate(self.cases):
            with blaming(self.problem, "trace"):
                trace = _or(self.problem.trace(case), ("case", index))
                lane = used.get(trace, 0)
            used[trace] = lane + 1
            if lane == len(lanes):
                lanes.append([])
            lanes[lane].append(index)
        return lanes


def cases_of(problem: Problem, name: str, secret: str = "") -> CaseSet:
    """Returns the cases of a split, of a split under a condition, of a named set or of a file."""
    if name in SPLITS:
        return split_cases(problem, name, secret)
    return swept_cases(problem, name, secret) if _split(name) else named_cases(problem, name)


def swept(split: str, condition: str, setting: str) -> str:
    """Returns the name of the cases of a split under one setting of a condition: "validation:load=90%"."""
    return f"{split}:{condition}={setting}"


def _split(name: str) -> str:
    split = name.partition(":")[0]
    return split if split in SPLITS else ""


def swept_cases(problem: Problem, name: str, secret: str = "") -> CaseSet:
    """Returns the cases of a split under a condition, by their name.

    Raises:
        EvolveError: the problem has no such condition or setting; the message names those that it has.
    """
    split, _, rest = name.partition(":")
    condition, _, setting = rest.partition("=")
    if setting not in problem.sweeps.get(condition, ()):
        known = [swept(split, known, each) for known, settings in problem.sweeps.items() for each in settings]
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise EvolveError(f"{problem.name} has no cases {name!r}; {hint}there are: {', '.join(known) or 'none'}")
    with blaming(problem, "swept"):
        cases = problem.swept(Split(split, secret), condition, setting)
    return CaseSet(problem, name, cases)


def split_cases(problem: Problem, name: str, secret: str = "") -> CaseSet:
    """Returns the cases of a split; ``test`` needs the run's secret."""
    with blaming(problem, "cases"):
        cases = problem.cases(Split(name, secret))
    return CaseSet(problem, name, cases)


def named_cases(problem: Problem, name: str) -> CaseSet:
    """Returns a named case set, or the cases in a file of a public format.

    Raises:
        EvolveError: neither a set nor a file of that name.
    """
    with blaming(problem, "case_sets"):
        sets = {known: list(cases) for known, cases in problem.case_sets().items()}
    if name in sets:
        return CaseSet(problem, name, sets[name])
    if Path(name).is_file():
        with blaming(problem, "read_cases"):
            cases = problem.read_cases(Path(name))
        return CaseSet(problem, Path(name).name, cases)
    if Path(name).is_dir():
        raise EvolveError(f"{name} is a folder; give a file of cases, or the name of a case set of {problem.name}")
    known = ", ".join(sorted(sets)) or "none"
    public = (
        "" if "EVOLVE_DATA" in os.environ else "; those of public data come with the variable EVOLVE_DATA, its folder"
    )
    raise EvolveError(f"{problem.name} has no case set and no file {name!r}; case sets: {known}{public}")


def insist_on_searchable(problem: Problem, name: str) -> None:
    """Refuses case sets that are kept from searches.

    Raises:
        EvolveError: it is one.
    """
    if _split(name) not in ("", "train"):
        raise EvolveError(f"the cases {name} are kept from searches: only those of the train split guide one")
    if name in problem.reserved:
        score = f"evolve score {problem.name} POLICY.py --cases {name}"
        raise EvolveError(f"the cases {name} are kept from searches, to confirm what they find: `{score}`")


def file_hash(name: str) -> str:
    """Returns the hash of a file of cases, as runs record it; empty where no file has that name."""
    file = Path(name)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def basis_of(problem: Problem, name: str) -> str:
    """Returns what scores on a split, a named set or a file rest on where that is no simulation; else nothing."""
    with blaming(problem, "basis"):
        basis = problem.basis(name)
    if not isinstance(basis, str) or (basis and not basis.isprintable()):
        raise ProblemError(f"{problem.name}: `basis` returned {basis!r}; it must be plain text on one line")
    return basis


@contextmanager
def blaming(problem: Problem, method: str) -> Iterator[None]:
    """Turns what a problem's method raises into a ProblemError that says where."""
    try:
        yield
    except EvolveError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error} ({place(error)})"
        raise ProblemError(f"{problem.name}: `{method}` failed: {said}") from error


def place(error: Exception) -> str:
    """Returns the file and line that an exception was raised at."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{Path(last.filename).name}, line {last.lineno}"


def _or(value: Hashable | None, default: Hashable) -> Hashable:
    return default if value is None else value


def _seed(problem: str) -> int:
    digest = hashlib.sha256(problem.encode()).digest()
    return int.from_bytes(digest[:7], "big")
