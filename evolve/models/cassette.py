"""Recorded answers, so that a run can be repeated without a key, a network or a provider.

A cassette is JSON, one object a line: a header, then an answer for each turn.  A line is written by
one call before its answer is told; whatever the moment a process is killed, only its last line can be torn.
"""

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evolve.models import Client, RecordingEnded, Reply, Request
from evolve.models.keys import message
from evolve.types import EvolveError, Outcome, Usage

FORMAT = 1
_KIND = "evolve-cassette"
# The provider may do better when a run goes on: these are asked again.
_FLEETING = (Outcome.KEY_REFUSED, Outcome.NO_SUCH_MODEL, Outcome.RATE_LIMITED, Outcome.UNAVAILABLE)


class Cassette:
    """The answers of one run, by turn and question."""

    def __init__(self, path: Path, models: tuple[str, ...], replies: dict[tuple[int, str], Reply]) -> None:
        self.path, self.models, self._replies = path, models, replies

    @classmethod
    def read(cls, path: Path) -> "Cassette":
        """Reads a cassette; a torn last line is as if it were not there.

        Raises:
            EvolveError: there is none, it is something else, or it is damaged.
        """
        try:
            lines = path.read_bytes().split(b"\n")[:-1]
        except OSError as error:
            raise EvolveError(f"cannot read the cassette {path} ({error.strerror})") from None
        if not lines:
            raise EvolveError(f"{path} is no cassette: it lacks its first line; record one with --record")
        return cls(path, _models(path, lines[0]), dict(_entry(path, n, line) for n, line in enumerate(lines[1:], 2)))

    @classmethod
    def record(cls, path: Path, models: Sequence[str]) -> "Cassette":
        """Opens a cassette to go on with, or begins one.

        Raises:
            EvolveError: what is there is no cassette, or one of other models.
        """
        _mend(path, json.dumps({"kind": _KIND, "format": FORMAT, "models": list(models)}))
        found = cls.read(path)
        if found.models != tuple(models):
            raise EvolveError(
                f"the cassette {path} was recorded with {' '.join(found.models)}, not with {' '.join(models)}; "
                "give a new file"
            )
        return found

    @property
    def turns(self) -> set[int]:
        """The turns with an answer."""
        return {number for number, _ in self._replies}

    def find(self, number: int, request: Request) -> Reply | None:
        """Returns the answer to the question of turn ``number``, if it was recorded."""
        return self._replies.get((number, request.id))

    def add(self, number: int, request: Request, reply: Reply) -> None:
        """Records an answer.

        Raises:
            EvolveError: it cannot be written.
        """
        usage = reply.usage
        entry = {
            "turn": number,
            "prompt": request.id,
            "text": reply.text,
            "usage": [usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.dollars],
            "outcome": reply.outcome,
            "message": reply.message,
        }
        _append(self.path, json.dumps(entry))
        self._replies[number, request.id] = reply


class Recording:
    """Asks a client, and keeps its answers; a question that has been answered is not asked again."""

    def __init__(self, client: Client, cassette: Cassette) -> None:
        self._client, self._cassette = client, cassette

    async def ask(self, number: int, request: Request) -> Reply:
        """Returns the answer, once it is on the cassette."""
        known = self._cassette.find(number, request)
        if known is not None and known.outcome not in _FLEETING:
            return known
        reply = await self._client.ask(number, request)
        self._cassette.add(number, request, reply)
        return reply

    async def close(self) -> None:
        """Closes the client."""
        await self._client.close()


class Replaying:
    """Answers from a cassette alone."""

    def __init__(self, cassette: Cassette) -> None:
        self._cassette = cassette

    async def ask(self, number: int, request: Request) -> Reply:
        """Returns the recorded answer.

        Raises:
            RecordingEnded: the turn has none.
            EvolveError: the turn has an answer to another question; unlike what providers do, that must stop the run.
        """
        known = self._cassette.find(number, request)
        if known is None and number not in self._cassette.turns:
            raise RecordingEnded(
                f"the cassette {self._cassette.path} ends before turn {number}, where the recorded run was stopped (or "
                "it was recorded with another seed)"
            )
        if known is None:
            raise EvolveError(
                f"the cassette {self._cassette.path} holds no answer to turn {number} (prompt {request.id}): "
                "it was recorded with another seed, model, prompt or version, or its run was given hints"
            )
        return known

    async def close(self) -> None:
        """Nothing is held."""


def _mend(path: Path, header: str) -> None:
    """Cuts a torn last line off, and writes the header where there is none."""
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content.rfind(b"\n") + 1
        if whole:
            _models(path, content[: content.index(b"\n")])  # nothing is cut from what is no cassette
        elif not header.encode().startswith(content[:20]):
            raise EvolveError(f"{path} is there and is no cassette; give a new file")
        if len(content) > whole:
            os.truncate(path, whole)
        if not whole:
            path.parent.mkdir(parents=True, exist_ok=True)
            _append(path, header)
    except OSError as error:
        raise EvolveError(f"cannot write the cassette {path} ({error.strerror})") from None


def _append(path: Path, line: str) -> None:
    content = f"{line}\n".encode()
    try:
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            if file.write(content) != len(content):
                file.truncate(before)  # half a line would spoil what may be written after it
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise EvolveError(f"cannot write the cassette {path} ({error.strerror})") from None


def _models(path: Path, line: bytes) -> tuple[str, ...]:
    header = _object(line)
    if header.get("kind") != _KIND:
        raise EvolveError(f"{path} is no cassette; record one with --record")
    if header.get("format") != FORMAT:
        raise EvolveError(f"the cassette {path} has format {header.get('format')}, this version reads {FORMAT}")
    return tuple(map(str, header.get("models", ())))


def _entry(path: Path, number: int, line: bytes) -> tuple[tuple[int, str], Reply]:
    entry = _object(line)
    try:
        read, cached, written, dollars = entry["usage"]
        usage = Usage(int(read), int(cached), int(written), None if dollars is None else float(dollars))
        outcome = None if entry["outcome"] is None else Outcome(entry["outcome"])
        reply = Reply(str(entry["text"]), usage, outcome, message(str(entry["message"])))
        return (int(entry["turn"]), str(entry["prompt"])), reply
    except (KeyError, ValueError, TypeError) as error:
        raise EvolveError(f"the cassette {path} is damaged in line {number} ({error}); record it again") from None


def _object(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
