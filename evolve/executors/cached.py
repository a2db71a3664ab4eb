"""An executor that answers from a file of the user's what was judged before, in whatever run.

It gives what judging would give: the race of a task is run on the results that are known, a score is confirmed where
that is asked, and simulations count as they would have.  Only ``cpu_seconds`` are those of then, and of a policy that
is stopped early neither these nor its calls are known, which are 0.  Nothing is remembered where judging again might
give something else: of what is timed or measured, of sealed and validation cases, or without all walls; nor of a
problem that imports what is no installed library, nor where the file cannot be used, which is no error.  What a
simulator reads besides, from files or the environment, is not seen here.
"""

import hashlib
import importlib.metadata
import importlib.util
import pickle
import sys
from collections import deque
from concurrent.futures import Future
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

from evolve import catalog
from evolve.cases import basis_of, cases_of
from evolve.closure import foreign
from evolve.executors import Executor, Task
from evolve.executors.shelf import Shelf
from evolve.fingerprint import fingerprint
from evolve.problem import Problem
from evolve.racing.race import Race, raced
from evolve.types import PROVOKED, Evaluation, Verdict

_BATCH = 32  # evaluations that are written together

_REPEATABLE = frozenset({Verdict.OK, Verdict.INVALID, Verdict.CRASHED, Verdict.FORBIDDEN})


class CachedExecutor:
    """Judges policies of one problem by another executor, each but once."""

    def __init__(self, executor: Executor, problem: Problem, shelf: Shelf) -> None:
        self._executor, self._problem, self._shelf = executor, problem, shelf
        self._scope = cache(partial(_scope, problem))
        self._new: deque[tuple[str, Evaluation]] = deque()  # filled by the threads that judge

    def submit(self, task: Task) -> Future[Evaluation]:
        scope = "" if task.secret or task.unhurried else self._scope(task.cases)
        if not scope:
            return self._executor.submit(task)
        known = self._known(scope, task)
        if known is not None:
            settled: Future[Evaluation] = Future()
            settled.set_result(known)
            return settled
        future = self._executor.submit(task)
        future.add_done_callback(partial(self._note, scope, task))
        if len(self._new) >= _BATCH:
            self._write()
        return future

    def close(self, *, at_once: bool = False) -> None:
        self._executor.close(at_once=at_once)
        self._write()
        self._shelf.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(at_once=error is not None)

    def _known(self, scope: str, task: Task) -> Evaluation | None:
        passed = self._shelf.get(_key_of_passed(scope, task.source))
        whole = len(cases_of(self._problem, task.cases))
        if passed is not None and passed.score is not None and len(passed.cases) == whole:
            return answer(passed, task)
        return self._shelf.get(_key_of_failed(scope, task))

    def _note(self, scope: str, task: Task, judged: "Future[Evaluation]") -> None:
        if judged.cancelled() or judged.exception() is not None:
            return
        found = judged.result()
        if found.unsafe or found.verdict not in _REPEATABLE or found.feedback.startswith(PROVOKED):
            return
        if found.score is not None:
            self._new.append((_key_of_passed(scope, task.source), found))
        elif not found.confirmed:  # else it depends on whether it was confirmed
            self._new.append((_key_of_failed(scope, task), found))

    def _write(self) -> None:
        count = len(self._new)
        self._shelf.keep([self._new.popleft() for _ in range(count)])


def answer(whole: Evaluation, task: Task) -> Evaluation | None:
    """Returns what judging a task would give, of whose policy all results are known; None: it has to be judged.

    A policy that passed is known on every case, from one pass or, where it was confirmed, from two that were alike.
    """
    assert whole.score is not None
    if task.race is not None and (stopped := raced(task.race, whole, task.source)) is not None:
        return stopped
    if whole.score > task.confirm_above:
        return whole if whole.confirmed else None
    if not whole.confirmed:
        return whole
    return replace(whole, confirmed=False, calls=whole.calls // 2, simulations=len(whole.cases))


def _scope(problem: Problem, cases: str) -> str:
    """Returns a hash of all but the policy that an evaluation depends on; empty: nothing is to be remembered."""
    guides = cases.partition(":")[0] not in ("validation", "test")
    if problem.timed or problem.measured or not guides or basis_of(problem, cases):
        return ""
    try:
        held = pickle.dumps(cases_of(problem, cases).cases)
    except Exception:  # noqa: BLE001 - cases may be anything, also what cannot be written down
        return ""
    libraries = _libraries(problem)
    if libraries is None:
        return ""
    facts = (catalog.digest(problem), catalog.spec(problem), problem.chosen, cases, fingerprint(("numpy",)), libraries)
    return _hash(repr(facts).encode() + held)


def _libraries(problem: Problem) -> list[str] | None:
    """Returns the versions of what a problem and its policies import; None where another may look the same."""
    assert problem.path is not None
    imported = foreign(catalog.files_of(problem.path), ("evolve", *catalog.PACKAGES))
    imported |= {name.split(".")[0] for name in problem.imports} - sys.stdlib_module_names
    try:
        return [_version(name) for name in sorted(imported)]
    except (ImportError, ValueError, _Unsteady):  # `version` raises an ImportError where there is no such library
        return None


class _Unsteady(Exception):  # noqa: N818
    """A library whose code may change while its version stays."""


def _version(name: str) -> str:
    """Returns name and version of an installed library that is called like what is imported of it."""
    library, found = importlib.metadata.distribution(name), importlib.util.find_spec(name)
    installed = Path(str(library.locate_file(""))).resolve()
    if found is None or found.origin is None or not Path(found.origin).resolve().is_relative_to(installed):
        raise _Unsteady
    if library.read_text("RECORD") is None:  # a folder of sources that says that it is a library
        raise _Unsteady
    return f"{name} {library.version}"


def _key_of_passed(scope: str, source: str) -> str:
    """Returns a key of the very text, for a policy may read its own names and docstrings."""
    return _hash(f"passed {scope} {source}".encode("utf-8", "replace"))


def _key_of_failed(scope: str, task: Task) -> str:
    """Returns a key of the text, and of the race: in other stages it may be another case that it fails on first."""
    return _hash(f"failed {scope} {_stages(task.race)} {task.source}".encode("utf-8", "replace"))


def _stages(race: Race | None) -> str:
    return "" if race is None else _hash(repr(race).encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
