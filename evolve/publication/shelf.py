"""Where published results lie: which folder one is written to, and what is found there."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from evolve import catalog
from evolve.journal import Journal
from evolve.problem import Problem
from evolve.publication import result
from evolve.publication.result import FILES, Published, ResultError
from evolve.text import brief
from evolve.types import EvolveError

_DEVICES = r"(?:con|nul|aux|prn|(?:com|lpt)[0-9])(?:\.|$)"  # names that Windows keeps, with any ending
_NAME = re.compile(rf"(?!{_DEVICES})[a-z0-9](?:[a-z0-9._-]{{0,58}}[a-z0-9])?")


def home() -> Path:
    """Returns where the results lie that come with the package."""
    return catalog.located(catalog.names()[0]).parents[2] / "results"


def of(problem: str, folder: Path) -> list[Published]:
    """Returns the sound results of a problem below a folder, by name; of others it says nothing."""
    found = []
    for path in sorted(folder.joinpath(problem).glob("*/")):
        if not _NAME.fullmatch(path.name):  # such as one that is being written
            continue
        try:
            found.append(result.read(path))
        except EvolveError:
            continue  # it is for tests, and for who asks for it by name, to say what is wrong with it
    return found


def insist_on_name(name: str) -> None:
    """Refuses what cannot name a result's folder everywhere.

    Raises:
        ResultError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ResultError(
            f"{brief(name, 80)!r} cannot name a result; expected up to 60 of a-z, 0-9, '.', '_' and '-', a letter or "
            "digit first and last, and no name of a device, such as seed-1"
        )


def place(problem: Problem, journal: Journal, to: Path | None, name: str | None) -> Path:
    """Returns the folder that a result is to be written to, before anything is judged.

    By default the name follows from the seed, and the objective where that is not the first.

    Raises:
        ResultError: it cannot have that name, nobody has said where it may lie, or something else lies there.
    """
    name = _name(problem, journal.header.seed) if name is None else name
    insist_on_name(name)
    path = (_home(problem) if to is None else to) / problem.name / name
    _insist_on_free(path)
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):  # before sealed cases are used up for nothing
        raise ResultError(f"cannot write in {there}, where {path} is to lie; give another --to")
    return path


def write(texts: Mapping[str, str], path: Path) -> Published:
    """Writes a result's files in one step, over an earlier result there, and returns what can be read from them.

    Raises:
        EvolveError: it cannot be written, or something else lies there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as beside:
            new, old = Path(beside, "new"), Path(beside, "old")
            new.mkdir()
            for name, text in texts.items():
                new.joinpath(name).write_bytes(text.encode("utf-8", "replace"))
            _insist_on_free(path)
            _exchange(new, path, old)
    except OSError as error:
        raise EvolveError(f"cannot write {path}: {error.strerror}") from error
    return result.read(path)


def spec(problem: Problem) -> str:
    """Returns what `evolve run` takes for a problem, on any machine: its name, or that of its file or folder."""
    assert problem.path is not None
    if problem.name in catalog.names() and catalog.located(problem.name) == problem.path:
        return problem.name
    return problem.path.parent.name if problem.path.name == "problem.py" else problem.path.name


def _name(problem: Problem, seed: int) -> str:
    default = next(iter(problem.objectives), "")
    return f"{'' if problem.chosen == default else f'{problem.chosen}-'}seed-{seed}".lower()


def _home(problem: Problem) -> Path:
    shelf = home()
    if spec(problem) not in catalog.names():
        raise ResultError(f"{problem.name} does not come with evolve, and neither do its results; give --to FOLDER")
    if not shelf.with_name("pyproject.toml").is_file() or not os.access(shelf, os.W_OK):
        raise ResultError(f"{shelf} is in no checkout of evolve, or cannot be written to; give --to FOLDER")
    return shelf


def _insist_on_free(path: Path) -> None:
    """Refuses to write over anything but a result of ours, with nothing else in its folder."""
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        raise ResultError(f"{path} is there already and is no folder; give another --name")
    strangers = {item.name for item in path.iterdir()} - {*FILES}
    if strangers:
        raise ResultError(f"{path} holds more than a result ({min(strangers)!r}); move that, or give another --name")
    try:
        result.record(path)
    except ResultError as unsound:
        raise ResultError(f"{path} is not replaced, for it holds no result: {unsound}; give another --name") from None


def _exchange(new: Path, path: Path, old: Path) -> None:
    """Puts a folder in another's place; if that fails the other is put back."""
    if not path.exists():
        new.rename(path)
        return
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    with suppress(OSError):
        shutil.rmtree(old)
