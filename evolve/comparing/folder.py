"""A comparison's folder: the runs of its cells, and the settings that they have in common.

More problems, strategies and seeds may join later; what would make the runs unequal may not change.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evolve import plainfile
from evolve.comparing.plan import Cell, Plan
from evolve.folder import RunFolder
from evolve.types import EvolveError

SETTINGS = "comparison.json"
_FORMAT = 1
_MOST_MIB = 1
_AROUND = frozenset(
    ("commands", "comparing", "conformance", "explaining", "export", "lineage", "options", "publication", "report")
)
"""Parts of ours that only look at searches."""


class ComparisonFolder:
    """Where a comparison lies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def settle(self, plan: Plan) -> None:
        """Makes the folder of a new comparison, or goes on with one of the same settings.

        Raises:
            EvolveError: it is a comparison with others, which the message names, or something else.
        """
        now = _settings(plan)
        file = self.path / SETTINGS
        if file.exists():
            known = self._read(file)
            _insist_on_same(self.path, known, now)
            now = {part: {**known.get(part, {}), **settings} for part, settings in now.items()}
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise EvolveError(f"{self.path} is no comparison and not empty; give another --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EvolveError(f"cannot work in {self.path}: {error.strerror}") from error
        RunFolder(self.path).keep(file, json.dumps({"format": _FORMAT, **now}, indent=1, sort_keys=True))

    def run(self, cell: Cell) -> RunFolder:
        """Returns the folder of a cell's run."""
        return RunFolder(self.path / cell.folder)

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
            "code of the search": _code(),
        },
        "problems": {subject.name: f"{subject.spec}:{subject.objective}" for subject in plan.subjects},
        "strategies": {entrant.name: entrant.digest for entrant in plan.entrants},
    }


def _insist_on_same(path: Path, was: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> None:
    said = {"settings": "", "problems": "problem called ", "strategies": "strategy called "}
    for part, settings in now.items():
        known = was.get(part, {})
        for name, value in settings.items():
            if known.get(name, value) != value:
                raise EvolveError(
                    f"{path} is a comparison with another {said[part]}{name} ({known[name] or 'ours'}; now "
                    f"{value or 'ours'}), so its runs would not be equal; give another --out"
                )


def _code() -> str:
    """Returns a hash of all our code that may decide about a search: cells made by other code are not comparable."""
    home = Path(__file__).parents[1]
    files = [file.relative_to(home) for file in home.rglob("*.py")]
    code = hashlib.sha256()
    for file in sorted(file for file in files if file.parts[0] not in _AROUND):
        code.update(str(file).encode() + b"\0" + hashlib.sha256((home / file).read_bytes()).digest())
    return code.hexdigest()[:16]
