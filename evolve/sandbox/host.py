"""The inside of a locked child: loads a policy and answers calls with its decisions.

Nothing here is trusted by the other side.  A policy can rewrite all of it and gains what it could
have had by returning: decisions, checked like any others.
"""

import ast
import builtins
import io
import os
import random
import time
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from evolve.sandbox import imports, wire

LOCKED = b"L"
"""The child's first byte: every layer stands.  Without it the parent reports a fault of ours."""

POLICY_FILE = "policy.py"
MAX_PRINTED_BYTES = 32 << 10
MAX_MESSAGE = 300


def serve(requests: int, replies: int, extra_imports: tuple[str, ...]) -> NoReturn:
    """Answers until the parent closes the pipe."""
    os.write(replies, LOCKED)
    channel = _Channel(requests, replies)
    try:
        source, seeds = channel.receive()
        policy = _Policy(source, seeds, extra_imports)
    except BaseException as error:  # noqa: BLE001 - a policy may raise anything
        channel.fail(None, error)
    channel.send([])
    while True:
        nonce, calls = channel.receive()
        case = None
        try:
            decisions = []
            for case, name, arguments in calls:  # noqa: B007 - `case` names the culprit below
                decisions.append(policy.answer(case, name, arguments))
            frame = wire.pack([nonce, decisions])
        except BaseException as error:  # noqa: BLE001
            channel.fail(case, error)
        channel.write(frame)


class _Channel:
    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies

    def receive(self) -> Any:
        data = os.read(self._requests, 1 << 16)
        while len(data) < wire.HEADER.size:
            data += self._more()
        size = wire.HEADER.size + wire.HEADER.unpack_from(data)[0]
        if len(data) < size:
            chunks = [data]
            got = len(data)
            while got < size:
                chunks.append(self._more())
                got += len(chunks[-1])
            data = b"".join(chunks)
        return wire.unpack(data[wire.HEADER.size :])

    def _more(self) -> bytes:
        chunk = os.read(self._requests, 1 << 20)
        if not chunk:
            os._exit(0)  # the parent has heard enough
        return chunk

    def send(self, value: Any) -> None:
        self.write(wire.pack(value))

    def write(self, frame: bytes) -> None:
        sent = os.write(self._replies, frame)
        while sent < len(frame):
            sent += os.write(self._replies, frame[sent:])

    def fail(self, case: int | None, error: BaseException) -> NoReturn:
        """Reports an exception and ends the child."""
        try:
            self.send([None, case, _kind(error), _describe(error)])
        finally:
            os._exit(1)


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "OUT_OF_MEMORY"
    if isinstance(error, (PermissionError, imports.ForbiddenImport)):
        return "FORBIDDEN"
    return "INVALID" if isinstance(error, wire.WireError) else "CRASHED"


def _describe(error: BaseException) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == POLICY_FILE]
    if isinstance(error, wire.WireError):
        return f"returned {error}"[:MAX_MESSAGE]
    if isinstance(error, SyntaxError) and error.filename == POLICY_FILE:
        lines = [error.lineno or 1]
    where = f"line {lines[-1]}: " if lines else ""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{where}{type(error).__name__}: {text}"[:MAX_MESSAGE]


class _Policy:
    """A loaded policy: a module of functions, or a class ``Policy`` with one instance for each case."""

    def __init__(self, source: str, seeds: list[int], extra_imports: tuple[str, ...]) -> None:
        _stop_clocks()
        self._random = _Randomness(seeds) if "random" in source else None
        tree = ast.parse(source, POLICY_FILE)
        for name in imports.imported(tree):
            imports.check(name, extra_imports)
        module = ModuleType("policy")
        module.__dict__["__builtins__"] = _guarded_builtins(extra_imports)
        exec(compile(tree, POLICY_FILE, "exec"), module.__dict__)  # noqa: S102 - this is the place for it
        self._module = module.__dict__
        self._entries: dict[tuple[int, str], Callable[..., Any]] = {}

    def answer(self, case: int, name: str, arguments: list[Any]) -> Any:
        entry = self._entries.get((case, name))
        if self._random is None:
            return (entry or self._entry(case, name))(*arguments)
        with self._random.of(case):
            return (entry or self._entry(case, name))(*arguments)

    def _entry(self, case: int, name: str) -> Callable[..., Any]:
        kind = self._module.get("Policy")
        if isinstance(kind, type):
            instance = next((e.__self__ for (c, _), e in self._entries.items() if c == case), None) or kind()
            entry = getattr(instance, name, None)
        else:
            entry = self._module.get(name)
        if not callable(entry):
            raise NameError(f"the policy defines no function `{name}`, nor a class `Policy` with that method")
        self._entries[case, name] = entry
        return entry  # type: ignore[no-any-return]


def _guarded_builtins(extra_imports: tuple[str, ...]) -> dict[str, Any]:
    """The builtins of a policy: all of Python's, with an import that explains what it refuses."""
    plain_import = builtins.__import__

    def guarded_import(name: str, *arguments: Any, **keywords: Any) -> ModuleType:
        imports.check(name, extra_imports)
        return plain_import(name, *arguments, **keywords)

    return {**vars(builtins), "__import__": guarded_import}


class _Randomness:
    """One stream of random numbers for each case, so that cases judged together do not mix theirs."""

    def __init__(self, seeds: list[int]) -> None:
        import numpy as np

        self._seeds, self._numpy = seeds, np.random
        self._states: dict[int, Any] = {}
        self._case = -1
        self._plain = (random.Random, np.random.default_rng)
        self._seed(seeds[0] if seeds else 0)  # for what a module draws while it is loaded

    def of(self, case: int) -> "_Randomness":
        """Switches the global generators to a case's stream."""
        if case != self._case:
            self._states[self._case] = (random.getstate(), self._numpy.get_state())
            self._case = case
            if case in self._states:
                state, numpy_state = self._states[case]
                random.setstate(state)
                self._numpy.set_state(numpy_state)
            else:
                self._seed(self._seeds[case])
        return self

    def __enter__(self) -> None:
        """Nothing more to do: ``of`` has switched."""

    def __exit__(self, *unused: object) -> None:
        """A case keeps its stream until the next one takes over."""

    def _seed(self, own: int) -> None:
        random.seed(own)
        self._numpy.seed(own & 0xFFFF_FFFF)
        plain_random, plain_rng = self._plain

        class SeededRandom(plain_random):  # type: ignore[misc, valid-type]
            """``random.Random`` whose default seed is the case's."""

            def __init__(self, x: Any = None) -> None:
                super().__init__(own if x is None else x)

            def seed(self, a: Any = None, version: int = 2) -> None:
                super().seed(own if a is None else a, version)

        random.Random = SeededRandom  # type: ignore[misc]
        self._numpy.default_rng = lambda given=None: plain_rng(own if given is None else given)


def _stop_clocks() -> None:
    """Lets every clock of the ``time`` module show zero: decisions must not depend on the machine."""
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, lambda: 0.0)
        setattr(time, name + "_ns", lambda: 0)


class CappedOutput(io.TextIOBase):
    """Where a policy prints to: a descriptor that takes so many bytes and drops the rest in silence."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._left = descriptor, MAX_PRINTED_BYTES

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Writes what still fits and pretends that all did."""
        data = text[: self._left].encode("utf-8", "replace")[: self._left]
        if data:
            self._left -= os.write(self._descriptor, data)
        return len(text)
