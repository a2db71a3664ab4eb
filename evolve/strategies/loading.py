"""A strategy by its name, or a user's own: a class in a file."""

import difflib
import hashlib
import importlib.util
import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from evolve.archives.islands import undescribed
from evolve.cases import place
from evolve.search import Arm
from evolve.strategies import DEFAULT, Strategy
from evolve.strategies.ablations import WITH, WITHOUT, Varied, mechanisms
from evolve.strategies.peers import Anyone, BestOfN, Sequential
from evolve.types import EvolveError

T = TypeVar("T")

_KNOWN: Mapping[str, Callable[[], Strategy]] = {
    DEFAULT.name: Strategy,
    BestOfN.name: BestOfN,
    Sequential.name: Sequential,
    Anyone.name: Anyone,
}
_OF_A_FILE = "evolve_strategy_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")
_ARCHIVE = ("best", "add", "parent", "inspirations", "find", "idle", "least", "__iter__", "__len__")
_PROPOSER = ("name", "trouble", "ways", "propose", "hear", "recall", "tell")
_CHOOSER = ("choose", "tell")
_RACING = ("begin", "race", "tell")


def load(spec: str) -> Strategy:
    """Returns the strategy of that name; ``FILE.py:CLASS`` is a user's own, whose file is imported.

    Raises:
        EvolveError: there is none, and the message names the nearest; or the user's class is at fault, and it says how.
    """
    file, colon, kind = spec.rpartition(":")
    if colon and file.endswith(".py"):
        return _own(Path(file), kind)
    if spec in _KNOWN:
        return _KNOWN[spec]()
    if spec.startswith((WITHOUT, WITH)):
        return Varied(spec)
    raise EvolveError(f"no strategy {spec!r}; {_hint(spec)}")


def file_of(spec: str) -> Path | None:
    """Returns the file of a user's own strategy; None for one of ours."""
    file, colon, _ = spec.rpartition(":")
    return Path(file) if colon and file.endswith(".py") else None


@contextmanager
def blaming(strategy: Strategy) -> Iterator[None]:
    """Turns what a search with a user's own strategy raises into an EvolveError that names file and class."""
    try:
        yield
    except EvolveError:
        raise
    except Exception as error:
        if not type(strategy).__module__.startswith(_OF_A_FILE):
            raise
        said = f"{type(error).__name__}: {error} ({place(error)})"
        raise EvolveError(f"{_whose(type(strategy))}: searching with it failed: {said}") from error


def _hint(spec: str) -> str:
    if spec.endswith(".py"):
        return f"of a file of your own say which class: {spec}:CLASS"
    close = difflib.get_close_matches(spec, [*_KNOWN, f"{WITHOUT}..."], 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    known = ", ".join((*_KNOWN, f"{WITHOUT}MECHANISM", f"{WITH}MECHANISM"))
    return f"{hint}there are: {known}, and FILE.py:CLASS for one of your own"


def _own(path: Path, name: str) -> Strategy:
    module = _imported(path)
    kinds = {
        found: kind
        for found, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Strategy) and kind.__module__ == module.__name__
    }
    if name not in kinds:
        known = ", ".join(kinds) or "none"
        raise EvolveError(f"{path} has no subclass {name!r} of evolve.strategies.Strategy; it has: {known}")
    strategy = _asked(path, name, "__init__", kinds[name])
    _asked(path, name, "name", lambda: _insist_on_name(path, name, strategy))
    _asked(path, name, "parts", lambda: _insist_on_parts(path, name, strategy))
    _check(path, name, strategy)
    strategy.digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return strategy


def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        raise EvolveError(f"no file {path} with a strategy")
    key = f"{_OF_A_FILE}{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if key in sys.modules:  # of another strategy in the same file
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        del sys.modules[key]
        where = "" if isinstance(error, SyntaxError) else f" ({_where(error)})"  # which says so itself
        raise EvolveError(f"cannot import {path}: {type(error).__name__}: {error}{where}") from error
    return module


def _insist_on_name(path: Path, kind: str, strategy: Strategy) -> None:
    name = strategy.name
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise EvolveError(
            f"{path}: the name of {kind} is {name!r}; it must be 1 to 40 letters, digits and . _ + - that begin with "
            "a letter or digit, for its runs lie in a folder of that name"
        )
    if name in _KNOWN or name.startswith((WITHOUT, WITH)):
        raise EvolveError(f"{path}: {kind} has the name {name!r} of one of ours; give it one of its own: name = ...")


def _insist_on_parts(path: Path, kind: str, strategy: Strategy) -> None:
    for part in strategy.parts:
        if part not in mechanisms():
            close = difflib.get_close_matches(str(part), mechanisms(), 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise EvolveError(f"{path}: {kind}.parts has {part!r}; {hint}there are: {', '.join(mechanisms())}")


def _check(path: Path, kind: str, strategy: Strategy) -> None:
    """Asks a strategy for its parts once, before a folder is made, and refuses what no search can use."""
    archive = _asked(path, kind, "archive", lambda: strategy.archive(undescribed))
    arms = _asked(path, kind, "arms", strategy.arms)
    chooser = _asked(path, kind, "chooser", strategy.chooser)
    racing = _asked(path, kind, "racing", strategy.racing)
    if racing is not None:
        _insist(path, kind, "racing", "what stops policies early", racing, _RACING)
    _insist(path, kind, "archive", "an archive", archive, _ARCHIVE)
    _insist(path, kind, "chooser", "a chooser", chooser, _CHOOSER)
    if not isinstance(arms, Sequence) or not arms or not all(isinstance(arm, Arm) for arm in arms):
        raise EvolveError(f"{path}: {kind}.arms returned {_said(arms)}; it must be a list of Arm(proposer, weight)")
    for arm in arms:
        _insist(path, kind, "arms", "a proposer", arm.proposer, _PROPOSER)
        if not isinstance(arm.weight, int | float) or not 0 < arm.weight < math.inf:
            raise EvolveError(f"{path}: {kind}.arms gives {arm.proposer.name} the weight {arm.weight}; more than 0")
    names = [arm.proposer.name for arm in arms]
    wrong = [name for name in names if not isinstance(name, str) or name == "baseline"]
    if wrong:
        raise EvolveError(f"{path}: {kind}.arms has a proposer called {wrong[0]!r}; give it a text, not 'baseline'")
    if len(set(names)) < len(names):
        raise EvolveError(f"{path}: {kind}.arms has two proposers of one name: {', '.join(names)}")


def _insist(path: Path, kind: str, method: str, what: str, found: object, parts: Sequence[str]) -> None:
    if isinstance(found, type):
        raise EvolveError(f"{path}: {kind}.{method} returned the class {found.__name__}; return {found.__name__}()")
    missing = [part for part in parts if not hasattr(type(found), part) and not hasattr(found, part)]
    if missing:
        raise EvolveError(f"{path}: {kind}.{method} returned {_said(found)}, which is not {what}: no {missing[0]}")


def _asked(path: Path, kind: str, method: str, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except EvolveError:
        raise
    except (Exception, SystemExit) as error:  # a user's class may raise anything
        raise EvolveError(
            f"{path}: {kind}.{method} failed: {type(error).__name__}: {error} ({_where(error)})"
        ) from error


def _where(error: BaseException) -> str:
    return place(error) if isinstance(error, Exception) else "it ended the process"


def _said(value: object) -> str:
    try:
        return repr(value)[:80]
    except Exception:  # noqa: BLE001 - of a user's class
        return f"a {type(value).__name__}"


def _whose(kind: type) -> str:
    return f"{inspect.getfile(kind)}: {kind.__name__}"
