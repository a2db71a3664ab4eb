"""A scripted OpenAI-compatible server on 127.0.0.1, for tests: it answers well, badly, late or never.

    def script(body, n):
        return Status(503) if n == 0 else Answer("def evict(cached, now): ...")

    with LlmServer(script) as server:
        ask(server.url)  # http://127.0.0.1:PORT/v1
        assert server.requests[0].authorization == "Bearer none"

A script takes the body of a request and how many came before it, and returns a behaviour: any class
below.  Where the same holds for every request, a behaviour takes the place of a script.  Needs the
standard library only; ends at once, whatever its connections are doing.
"""

import asyncio
import json
import math
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

COUNTED: Mapping[str, Any] = {"counted": True}
"""Usage counted from what was said: four characters a token."""


@dataclass(frozen=True)
class Seen:
    """One request as it came; names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")

    @property
    def user(self) -> str:
        """The text of the last message."""
        return str(self.body["messages"][-1]["content"])


class Connection:
    """What a behaviour writes to."""

    def __init__(self, writer: asyncio.StreamWriter, seen: Seen) -> None:
        self._writer, self.seen = writer, seen
        self.ended = False

    async def whole(self, code: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        """Writes a response of known length."""
        own = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
        await self._write(_head(code, own) + body)

    async def begin(self, code: int = 200, kind: str = "text/event-stream") -> None:
        """Begins a response that goes on until ``end``."""
        await self._write(_head(code, {"content-type": kind, "transfer-encoding": "chunked"}))

    async def piece(self, data: bytes) -> None:
        await self._write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def event(self, content: Mapping[str, Any]) -> None:
        await self.piece(b"data: " + json.dumps(content).encode() + b"\n\n")

    async def end(self) -> None:
        await self._write(b"0\r\n\r\n")

    def drop(self) -> None:
        """Resets the connection."""
        self.ended = True
        self._writer.transport.abort()

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


class Behaviour(Protocol):
    """What happens to one request."""

    async def serve(self, connection: Connection) -> None: ...


@dataclass(frozen=True)
class Answer:
    """A good answer, in pieces where the request asks for a stream.

    ``delay_seconds`` pass before anything is written, ``pause_seconds`` before each piece.
    ``usage`` None leaves it out; ``finish`` None ends the stream without a reason or ``[DONE]``.
    """

    text: str = "the answer"
    usage: Mapping[str, Any] | None = field(default_factory=lambda: COUNTED)
    delay_seconds: float = 0.0
    chunks: int = 3
    reasoning: str = ""
    finish: str | None = "stop"
    pause_seconds: float = 0.0

    async def serve(self, connection: Connection) -> None:
        await asyncio.sleep(self.delay_seconds)
        body = connection.seen.body
        if not body.get("stream"):
            await connection.whole(200, json.dumps(self._completion(body)).encode(), "application/json")
            return
        await connection.begin()
        for event in self._events(body):
            if self.pause_seconds:
                await asyncio.sleep(self.pause_seconds)
            await connection.event(event)
        if self.finish is not None:
            await connection.piece(b"data: [DONE]\n\n")
        await connection.end()

    def _events(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": piece} for piece in _pieces(self.reasoning, self.chunks)]
        deltas += [{"content": piece} for piece in _pieces(self.text, self.chunks)]
        events = [_chunk(body, delta) for delta in deltas]
        if self.finish is not None:
            events.append(_chunk(body, {}, self.finish))
        if self.usage is not None and (body.get("stream_options") or {}).get("include_usage"):
            events.append({**_chunk(body, {}), "choices": [], "usage": self._used(body)})
        return events

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.text, "reasoning_content": self.reasoning or None}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        usage = {} if self.usage is None else {"usage": self._used(body)}
        return {**_envelope(body), "object": "chat.completion", "choices": [choice], **usage}

    def _used(self, body: dict[str, Any]) -> Mapping[str, Any]:
        if self.usage is not COUNTED:
            return self.usage or {}
        read = sum(len(str(message["content"])) for message in body["messages"])
        prompt, completion = math.ceil(read / 4), math.ceil(len(self.text + self.reasoning) / 4)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


@dataclass(frozen=True)
class Status:
    """An error as providers write them; ``body`` may be the text or the JSON of another one."""

    code: int
    body: str | Mapping[str, Any] = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def serve(self, connection: Connection) -> None:
        body = self.body
        if isinstance(body, str):
            body = {"error": {"message": body or f"error {self.code}", "type": "error", "code": None}}
        await connection.whole(self.code, json.dumps(body).encode(), "application/json", self.headers)


@dataclass(frozen=True)
class Raw:
    """Exactly these bytes as the body."""

    body: bytes
    code: int = 200
    kind: str = "application/json"

    async def serve(self, connection: Connection) -> None:
        await connection.whole(self.code, self.body, self.kind)


def html(code: int = 200, title: str = "502 Bad Gateway") -> Raw:
    """Returns the behaviour of a proxy, or of a web page at a wrong address."""
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Raw(page.encode(), code, "text/html")


def garbage() -> Raw:
    """Returns the behaviour of a server that speaks something else."""
    return Raw(bytes(range(256)) * 40, 200, "text/event-stream")


def empty() -> Answer:
    """Returns the behaviour of a model that says nothing."""
    return Answer("")


def length(text: str = "def evict(cached") -> Answer:
    """Returns the behaviour of a model that used up ``max_tokens``."""
    return Answer(text, finish="length")


def no_usage(text: str = "the answer") -> Answer:
    """Returns the behaviour of a server that never says what it counted."""
    return Answer(text, usage=None)


@dataclass(frozen=True)
class Dead:
    """Accepts the request and never says anything."""

    async def serve(self, connection: Connection) -> None:
        await asyncio.Event().wait()


@dataclass(frozen=True)
class Drop:
    """Breaks the connection: before anything was said, or after so many pieces."""

    after_chunks: int | None = None
    text: str = "half an answer"

    async def serve(self, connection: Connection) -> None:
        if self.after_chunks is not None:
            await connection.begin()
            for piece in _pieces(self.text, self.after_chunks):
                await connection.event(_chunk(connection.seen.body, {"content": piece}))
                await asyncio.sleep(0.01)  # a reset overtakes what the reader has not taken yet
        connection.drop()


@dataclass(frozen=True)
class Endless:
    """Writes an answer that never ends, as fast as it is read; ``one_line`` never ends even a line."""

    one_line: bool = False
    code: int = 200

    async def serve(self, connection: Connection) -> None:
        await connection.begin(self.code)
        while not self.one_line:
            await connection.event(_chunk(connection.seen.body, {"content": "and so on " * 20}))
        await connection.piece(b'data: {"choices": "')
        while True:
            await connection.piece(b"x" * 65536)


@dataclass(frozen=True)
class Trickle:
    """Writes a character now and then, for ever."""

    pause_seconds: float = 0.01

    async def serve(self, connection: Connection) -> None:
        await connection.begin()
        while True:
            await connection.event(_chunk(connection.seen.body, {"content": "x"}))
            await asyncio.sleep(self.pause_seconds)


@dataclass(frozen=True)
class IgnoresStream:
    """Answers well, but with one JSON body although a stream was asked for."""

    text: str = "the answer"

    async def serve(self, connection: Connection) -> None:
        connection.seen.body.pop("stream", None)
        await Answer(self.text).serve(connection)


Script = Callable[[dict[str, Any], int], Behaviour]


class LlmServer:
    """The server; running from ``with`` on.

    ``requests`` holds what came, ``in_flight`` how many are being served, and ``most_in_flight`` the
    most that ever were.
    """

    def __init__(self, script: Script | Behaviour) -> None:
        self._script: Script = script if callable(script) else lambda body, n: script
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="llm-server", daemon=True)
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._serving: set[asyncio.Task[None] | None] = set()  # a task that waits for ever has no other friend
        self.requests: list[Seen] = []
        self.in_flight = self.most_in_flight = 0
        self.port = 0

    @property
    def url(self) -> str:
        """The base URL that clients take."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # it cancels what is still being served
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            while seen := await _request(reader):
                async with self._counted():
                    connection = Connection(writer, seen)
                    self.requests.append(seen)
                    await self._behaviour(seen).serve(connection)
                if connection.ended:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # a client may hang up at any time, and a test may end at any time
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    def _behaviour(self, seen: Seen) -> Behaviour:
        if not seen.path.endswith("/chat/completions"):
            return Status(404, {"detail": "Not Found"})
        return self._script(seen.body, len(self.requests) - 1)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1


def nobody_there() -> str:
    """Returns a base URL at which connections are refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(first.split()[1], headers, json.loads(body or b"{}"))


def _head(code: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {code} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, math.ceil(len(text) / count)) if count else 1
    return [text[start : start + size] for start in range(0, len(text), size)][:count]


def _envelope(body: dict[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "created": 1700000000, "model": body.get("model", "")}


def _chunk(body: dict[str, Any], delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_envelope(body), "object": "chat.completion.chunk", "choices": [choice]}
