"""The inside of a locked child: loads a policy and answers calls with its decisions.

Nothing here is trusted by the other side.  A policy can rewrite all of it and gains what it could
have had by returning: decisions, checked like any others.
"""

import ast
import builtins
import io
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any, NoReturn

from evolve.sandbox import imports, wire
from evolve.sandbox.determinism import Streams
from evolve.sandbox.failure import MAX_MESSAGE

LOCKED = b"L"
"""The child's first byte: every layer stands.  Without it the parent reports a fault of ours."""

POLICY_FILE = "policy.py"
MAX_PRINTED_BYTES = 32 << 10
_RESERVE_BYTES = 4 << 20
"""Memory kept back for reporting that there is none left."""


def serve(requests: int, replies: int, extra_imports: tuple[str, ...], streams: Streams) -> NoReturn:
    """Answers until the parent closes the pipe."""
    channel = _Channel(requests, replies)
    channel.write(LOCKED)
    try:
        source, seed = channel.receive()
        policy = _Policy(source, seed, extra_imports, streams)
        channel.write(wire.pack([]))
        while True:
            nonce, calls = channel.receive()
            channel.write(_answers(policy, nonce, calls, channel))
    except BaseException as error:  # noqa: BLE001 - a policy may raise anything
        channel.fail(None, error)


def _answers(policy: "_Policy", nonce: int, calls: Sequence[tuple[int, str, list[Any]]], channel: "_Channel") -> bytes:
    decisions: list[Any] = []
    case = None
    try:
        for case, name, arguments in calls:
            decisions.append(policy.answer(case, name, arguments))
        return wire.pack([nonce, decisions])
    except wire.WireError as error:
        channel.fail(next((call[0] for call, d in zip(calls, decisions, strict=False) if not _fits(d)), case), error)
    except BaseException as error:  # noqa: BLE001
        channel.fail(case, error)


def _fits(decision: Any) -> bool:
    try:
        wire.pack(decision)
    except wire.WireError:
        return False
    return True


class _Channel:
    """The child's ends of the two pipes."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._reserve = mmap.mmap(-1, _RESERVE_BYTES)

    def receive(self) -> Any:
        data = os.read(self._requests, 1 << 16)
        while len(data) < wire.HEADER.size:
            data += self._more()
        size = wire.HEADER.size + wire.HEADER.unpack_from(data)[0]
        if len(data) < size:
            whole = bytearray(data)
            while len(whole) < size:
                whole += self._more()
            data = bytes(whole)
        return wire.unpack(memoryview(data)[wire.HEADER.size :], trusted=True)

    def _more(self) -> bytes:
        chunk = os.read(self._requests, 1 << 20)
        if not chunk:
            os._exit(0)  # the parent has heard enough
        return chunk

    def write(self, frame: bytes) -> None:
        sent = os.write(self._replies, frame)
        while sent < len(frame):
            sent += os.write(self._replies, memoryview(frame)[sent:])

    def fail(self, case: int | None, error: BaseException) -> NoReturn:
        """Reports an exception and ends the child."""
        self._reserve.close()
        try:
            self.write(wire.pack([None, case, _kind(error), _describe(error)]))
        finally:
            os._exit(1)


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "OUT_OF_MEMORY"
    if isinstance(error, (PermissionError, imports.ForbiddenImport)):
        return "FORBIDDEN"
    return "INVALID" if isinstance(error, wire.WireError) else "CRASHED"


def _describe(error: BaseException) -> str:
    if isinstance(error, wire.WireError):
        return f"returned {error}"[:MAX_MESSAGE]
    text, line = _text(error), _line(error)
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    where = f"line {line}: " if line else ""
    return f"{where}{said}"[:MAX_MESSAGE].encode("utf-8", "replace").decode()


def _text(error: BaseException) -> str:
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)[:MAX_MESSAGE]
    except BaseException:  # noqa: BLE001 - the policy may have written it
        return ""


def _line(error: BaseException) -> int | None:
    """Returns the last line of the policy that an exception passed through."""
    if isinstance(error, SyntaxError) and error.filename == POLICY_FILE:
        return error.lineno
    line, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == POLICY_FILE:
            line = step.tb_lineno
        step = step.tb_next
    return line


class _Policy:
    """A loaded policy: a module of functions, or a class ``Policy`` with one instance for each case.

    Each case has a module of its own, run afresh, so an honest policy may keep notes in globals.
    """

    def __init__(self, source: str, seed: int, extra_imports: tuple[str, ...], streams: Streams) -> None:
        tree = ast.parse(source, POLICY_FILE)
        for name in imports.imported(tree):
            imports.check(name, extra_imports)
        self._code: CodeType = compile(tree, POLICY_FILE, "exec", dont_inherit=True)
        self._builtins = _guarded_builtins(extra_imports)
        streams.begin(seed)
        self._streams = streams if _may_draw(source, extra_imports) else None
        self._modules: dict[int, dict[str, Any]] = {}
        self._instances: dict[int, Any] = {}
        self._entries: dict[tuple[int, str], Callable[..., Any]] = {}
        if self._streams is not None:
            self._streams.switch(0)
        self._module(0)  # what fails here fails before the first call

    def answer(self, case: int, name: str, arguments: list[Any]) -> Any:
        if self._streams is not None:
            self._streams.switch(case)
        entry = self._entries.get((case, name)) or self._entry(case, name)
        return entry(*arguments)

    def _entry(self, case: int, name: str) -> Callable[..., Any]:
        module = self._module(case)
        kind = module.get("Policy")
        if isinstance(kind, type):
            if case not in self._instances:
                self._instances[case] = kind()
            entry = getattr(self._instances[case], name, None)
        else:
            entry = module.get(name)
        if not callable(entry):
            raise NameError(f"the policy defines no function `{name}`, nor a class `Policy` with that method")
        self._entries[case, name] = entry
        return entry  # type: ignore[no-any-return]

    def _module(self, case: int) -> dict[str, Any]:
        if case not in self._modules:
            module = ModuleType("policy")
            sys.modules["policy"] = module  # dataclasses look their module up
            self._modules[case] = vars(module)
            self._modules[case]["__builtins__"] = self._builtins
            exec(self._code, self._modules[case])  # noqa: S102 - this is the place for it
        return self._modules[case]


def _may_draw(source: str, extra_imports: tuple[str, ...]) -> bool:
    """Says whether a policy names anything that draws random numbers; the others are spared the switching."""
    words = ("random", "samples", *(name.partition(".")[0] for name in extra_imports))
    return any(word in source for word in words)


def _guarded_builtins(extra_imports: tuple[str, ...]) -> dict[str, Any]:
    """The builtins of a policy: all of Python's, with an import that explains what it refuses."""
    plain_import = builtins.__import__

    def guarded_import(name: str, *arguments: Any, **keywords: Any) -> ModuleType:
        imports.check(name, extra_imports)
        return plain_import(name, *arguments, **keywords)

    return {**vars(builtins), "__import__": guarded_import}


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
