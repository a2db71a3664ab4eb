"""A comparison's folder: the runs of its cells, and the settings that they have in common.

More problems, strategies and seeds may join later; what would make the runs unequal may not change.  No link in the
folder is followed.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evolve import plainfile
from evolve.comparing.plan import Cell, Plan
from evolve.fingerprint import fingerprint
from evolve.folder import COMPARISON, LOCK, RunFolder, alone
from evolve.types import EvolveError

ADVICE = "remove that folder, or give another --out"
_UNFINISHED = {LOCK, f"{COMPARISON}.new"}
_FORMAT = 1
_MOST_MIB = 1
_AROUND = frozenset(("commands", "conformance", "explaining", "export", "lineage", "options", "publication", "report"))
"""Parts of ours that only look at searches."""


_REMEDY = {"strategies": "name to a class whose file has changed, or another "}


class ForeignRunError(EvolveError):
    """What lies in the place of a cell is not the cell's run."""


class ComparisonFolder:
    """Where a comparison lies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def settled(self, plan: Plan) -> Iterator[None]:
        """Makes the folder of a new comparison, or goes on with one of the same settings; nobody else does meanwhile.

        Raises:
            EvolveError: it is a comparison with others, which the message names, or something else; or another
                process works in it.
        """
        self._make()
        with alone(self.path):
            self._settle(_settings(plan))
            yield

    def run(self, cell: Cell) -> RunFolder:
        """Returns the folder of a cell's run.

        Raises:
            ForeignRunError: it is a link, or lies behind one.
        """
        path = self.path
        for part in cell.folder.parts:
            path /= part
            if os.path.islink(path):  # noqa: PTH114 - where nobody may look, it is the opening that says so
                raise ForeignRunError(f"{path} is a link, which is not followed; remove it, or give another --out")
        return RunFolder(path)

    def _make(self) -> None:
        """Makes the folder if need be; nothing is written into that of something else."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strangers = {item.name for item in self.path.iterdir()} - _UNFINISHED
        except OSError as error:
            raise EvolveError(f"cannot work in {self.path}: {error.strerror}; give another --out") from error
        if strangers and COMPARISON not in strangers:
            raise EvolveError(f"{self.path} is no comparison and not empty; give another --out")

    def _settle(self, now: Mapping[str, Mapping[str, str]]) -> None:
        file = self.path / COMPARISON
        if os.path.lexists(file):
            known = self._read(file)
            _insist_on_same(self.path, known, now)
            now = {part: {**known.get(part, {}), **settings} for part, settings in now.items()}
        RunFolder(self.path).keep(file, json.dumps({"format": _FORMAT, **now}, indent=1, sort_keys=True))

    def _read(self, file: Path) -> Mapping[str, Mapping[str, str]]:
        found: dict[str, Any] = {}
        try:
            found = json.loads(plainfile.read(file, _MOST_MIB))
            fine = found.pop("format") == _FORMAT and all(isinstance(part, dict) for part in found.values())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            fine = False
        if not fine:
            raise EvolveError(f"{file} was written by another version of evolve, or damaged; give another --out")
        return found


def _settings(plan: Plan) -> dict[str, dict[str, str]]:
    return {
        "settings": {
            "number of evaluations": str(plan.evaluations),
            "set of cases": plan.cases,
            "sandbox": "unsafe" if plan.unsafe else "safe",
            "code of the search, or version of Python, NumPy or Optuna": _code(),
        },
        "files": {plan.cases: plan.cases_hash} if plan.cases_hash else {},
        "problems": {subject.name: f"{subject.spec}:{subject.objective}" for subject in plan.subjects},
        "codes": {subject.name: subject.digest for subject in plan.subjects},
        "strategies": {entrant.name: entrant.digest for entrant in plan.entrants},
    }


def _insist_on_same(path: Path, was: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> None:
    said = {
        "settings": "",
        "files": "content of the file ",
        "problems": "problem called ",
        "codes": "code of the problem ",
        "strategies": "strategy called ",
    }
    for part, settings in now.items():
        known = was.get(part, {})
        for name, value in settings.items():
            if known.get(name, value) != value:
                raise EvolveError(
                    f"{path} is a comparison with another {said[part]}{name} ({known[name] or 'ours'}; now "
                    f"{value or 'ours'}), so its runs would not be equal; give another {_REMEDY.get(part, '')}--out"
                )


def _code() -> str:
    """Returns a hash of all that may decide about a search: cells of another are not comparable."""
    return fingerprint(("numpy", "optuna"), _AROUND)[:16]
