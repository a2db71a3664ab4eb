"""Finds problems: by name in ``evaluators/``, or by the path of a file or folder."""

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from evolve.closure import closure
from evolve.objective import DIRECTIONS, Constraint, Objective
from evolve.problem import Problem, ProblemError, seeds_folder
from evolve.types import EvolveError, Limits


def names() -> list[str]:
    """Returns the names of the problems that come with the package."""
    return sorted(file.parent.name for file in _home().glob("*/problem.py"))


OF_A_FILE = "evolve_problem_"
"""How the name begins that a problem's file is imported under."""

PACKAGES = ("evaluators", "workloads")
"""Where our problems lie, and what they share."""

_RUN = "journal.sqlite"
"""What lies beside the best policy of a run: no part of a problem, though runs may lie in its folder."""


def load(spec: str, objective: str = "") -> Problem:
    """Returns the problem of that name, or the one defined by that file or folder.

    ``objective`` chooses among named objectives; by default the first counts.

    Raises:
        EvolveError: there is none, or no such objective; the message names the nearest known one.
        ProblemError: the file does not define exactly one ``Problem``, or cannot be imported.
    """
    path = located(spec)
    module = _imported(f"evaluators.{spec}.problem" if spec in names() else None, path)
    problem = _made(_only_problem(module, path), path)
    problem.path = path
    problem.name = path.parent.name if path.name == "problem.py" else path.stem
    _check(problem)
    if objective:
        problem.pursue(objective)
    return problem


def located(spec: str) -> Path:
    """Returns the file that ``load`` would import, links followed; nothing is imported.

    Raises:
        EvolveError: there is none; the message names the nearest known one.
    """
    path = Path(spec)
    if spec in names():
        return _home() / spec / "problem.py"
    if path.suffix != ".py" and not path.is_dir():
        raise EvolveError(f"no problem {spec!r}; {_nearest(spec)}there are: {', '.join(names())}, or give a .py file")
    path = path / "problem.py" if path.is_dir() else path
    if not path.is_file():
        raise EvolveError(f"no problem file at {path}")
    return path.resolve()


def spec(problem: Problem) -> str:
    """Returns what ``load`` needs to find the problem again from any folder."""
    assert problem.path is not None
    return problem.name if problem.path.is_relative_to(_home()) else str(problem.path)


def digest(problem: Problem) -> str:
    """Returns a hash of the code that defines the problem: it, its baselines and what it imports of our problems."""
    assert problem.path is not None
    return digest_of(problem.path)


def digest_of(path: Path) -> str:
    """Returns the same of the problem in a file, from what the files hold; nothing is imported."""
    code = hashlib.sha256()
    for file in sorted(files_of(path)):
        code.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return code.hexdigest()[:16]


def files_of(path: Path) -> set[Path]:
    """Returns the files of the problem in a file: its folder, its baselines and what it imports of our problems."""
    files = {path, *seeds_folder(path).glob("*.py")}
    if path.name == "problem.py":
        files.update(path.parent.glob("**/*.py"))
    files.update(closure([path], _home().parent, PACKAGES))
    return {file for file in files if file.is_file() and not file.with_name(_RUN).exists()}


def _home() -> Path:
    found = importlib.util.find_spec("evaluators")
    if found is None or not found.submodule_search_locations:
        raise EvolveError("the package `evaluators` is not installed beside `evolve`; install the project again")
    return Path(next(iter(found.submodule_search_locations))).resolve()


def _nearest(name: str) -> str:
    if Path(f"{name}.py").is_file():
        return f"did you mean {name}.py? "
    close = difflib.get_close_matches(name, names(), 1)
    return f"did you mean {close[0]!r}? " if close else ""


def _imported(name: str | None, path: Path) -> ModuleType:
    try:
        if name is not None:
            return importlib.import_module(name)
        key = f"{OF_A_FILE}{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
        return _executed(key, path)
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        raise ProblemError(f"cannot import {path}: {type(error).__name__}: {error}") from error


def _executed(key: str, path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(key, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[key] = module  # dataclasses look their module up
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[key]
        raise
    return module


def _only_problem(module: ModuleType, path: Path) -> type[Problem]:
    found = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Problem) and kind.__module__ == module.__name__
    ]
    if len(found) != 1:
        listed = ", ".join(kind.__name__ for kind in found) or "none"
        raise ProblemError(f"{path} must define exactly one subclass of Problem; found {listed}")
    return found[0]


def _made(kind: type[Problem], path: Path) -> Problem:
    try:
        return kind()
    except Exception as error:  # a user's class may raise anything
        raise ProblemError(f"cannot make {kind.__name__} of {path}: {type(error).__name__}: {error}") from error


def _check(problem: Problem) -> None:
    """Refuses what a problem says wrongly of itself, before anything is judged."""
    limits, floor = problem.limits, problem.floor
    for fine, what in (
        (
            _are_objectives(problem.objectives),
            f"`objectives` is {problem.objectives!r}; it must map names to evolve.Objective(...)",
        ),
        (
            _are_constraints(problem.constraints),
            f"`constraints` is {problem.constraints!r}; it must be a tuple of evolve.Constraint(...)",
        ),
        (isinstance(getattr(problem, "objective", None), str), "set `objective` to the name of the metric that counts"),
        (
            problem.direction in DIRECTIONS,
            f"`direction` is {problem.direction!r}; say minimize or maximize",
        ),
        (isinstance(problem.reference, str), "`reference` must be the source of a policy, as text"),
        (_are_texts(problem.imports), f"`imports` is {problem.imports!r}; it must be a tuple of module names"),
        (_are_texts(problem.measured), f"`measured` is {problem.measured!r}; it must be a tuple of names of metrics"),
        (
            _are_sweeps(problem.sweeps),
            f"`sweeps` is {problem.sweeps!r}; it must map names of conditions to tuples of names of settings",
        ),
        (isinstance(problem.held_out, bool), f"`held_out` is {problem.held_out!r}; it must be True or False"),
        (isinstance(limits, Limits), f"`limits` is {limits!r}; it must be evolve.Limits(...)"),
        (type(floor) in (int, float) and floor >= 0, f"`floor` is {floor!r}; it must be a number of at least 0"),
        (inspect.isgeneratorfunction(problem.simulate), "`simulate` must be a generator that yields each Call"),
        (_has_text(problem), "give the class a docstring that says what to write"),
    ):
        if not fine:
            raise ProblemError(f"{problem.name}: {what}")


def _are_objectives(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and name.isidentifier() and isinstance(objective, Objective)
        for name, objective in value.items()
    )


def _are_constraints(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(constraint, Constraint) for constraint in value)


def _are_sweeps(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(condition, str) and "=" not in condition and _are_texts(settings) and settings
        for condition, settings in value.items()
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


def _has_text(problem: Problem) -> bool:
    text = type(problem).__doc__
    return bool(text and text.strip()) and text is not Problem.__doc__
