"""All models of a run: questions go in from any thread, and many are under way at a time."""

import asyncio
import math
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from evolve.models import Client, Reply, Request, Unsent, prices
from evolve.models.cassette import Cassette, Recording, Replaying
from evolve.models.gate import Patience
from evolve.models.litellm_client import LiteLlmClient
from evolve.models.manual import Manual
from evolve.models.openai_server import OpenAiServer
from evolve.models.retry import Patient, Waiting, log
from evolve.models.spec import MANUAL, ModelSpec, identity
from evolve.types import EvolveError


class Places:
    """So many calls may be under way at a time; one that only waits gives its place to another."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Holds a place, as soon as there is one."""
        async with self._free:
            yield

    @asynccontextmanager
    async def given_back(self) -> AsyncIterator[None]:
        """Lets another have the place that is held, and takes one again at the end."""
        self._free.release()
        try:
            yield
        finally:
            await self._free.acquire()


class Models:
    """Asks models on one event loop in a thread of its own.

    At most ``concurrency`` calls are under way over all of them.  Clients that wait for a provider or
    a person get the same ``places``, so that others can be asked meanwhile.
    """

    def __init__(self, clients: Mapping[str, Client], concurrency: int, places: Places | None = None) -> None:
        if concurrency < 1:
            raise EvolveError(f"at least 1 call must be under way at a time; got {concurrency}")
        self._clients = dict(clients)
        self._places = places or Places(concurrency)
        self._asked: set[asyncio.Task[Reply]] = set()
        self.unsent: set[int] = set()
        self._ready, self._end, self._at_once = threading.Event(), asyncio.Event(), False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)
        self._thread.start()
        self._ready.wait()

    def send(self, number: int, request: Request) -> "Future[Reply]":
        """Asks the question of turn ``number``, in the order of calls.

        The future never fails for what a model or its provider does.  It carries an ``EvolveError``
        where the run cannot go on: a cassette lacks the answer or cannot be written.

        Raises:
            EvolveError: no such model.
            RuntimeError: closed.
        """
        client = self._clients.get(request.model)
        if client is None:
            raise EvolveError(f"no model {request.model!r} in this run; there are: {', '.join(self._clients)}")
        if self._loop is None:
            raise RuntimeError("models were closed")
        self.unsent.add(number)
        return asyncio.run_coroutine_threadsafe(self._answered(client, number, request), self._loop)

    def close(self, at_once: bool = False) -> None:
        """Ends; waits for what is under way, unless ``at_once``: then it is cancelled, and its futures with it."""
        loop, self._loop = self._loop, None
        if loop is not None:
            self._at_once = at_once
            loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(at_once=True)

    async def _answered(self, client: Client, number: int, request: Request) -> Reply:
        task = asyncio.current_task()
        assert task is not None
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        async with self._places.taken():
            self.unsent.discard(number)
            try:
                return await client.ask(number, request)
            except Unsent:
                self.unsent.add(number)
                raise asyncio.CancelledError from None

    def _run(self) -> None:
        with asyncio.Runner() as runner:  # at its end it cancels what libraries left behind
            runner.run(self._served())

    async def _served(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._end.wait()
        if self._at_once:
            for task in self._asked:
                task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)
        await asyncio.gather(*(client.close() for client in set(self._clients.values())), return_exceptions=True)


def open_models(
    specs: Sequence[ModelSpec],
    *,
    concurrency: int,
    rng: random.Random,
    timeout_seconds: float = 300.0,
    until: Callable[[], float] = lambda: math.inf,
    report: Callable[[str], None] = log,
    manual_folder: Path = Path(MANUAL),
    record: Path | None = None,
    replay: Path | None = None,
    patience: Patience | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Models:
    """Returns the models of a run, each with its client, its retries and, if any, the run's cassette.

    ``timeout_seconds`` bounds one call, ``until`` returns the seconds left for the run, ``report`` is
    told of waiting, from another thread.  With ``replay`` nothing is asked: all answers are the cassette's.

    Raises:
        EvolveError: a package or a key is missing, a name is there twice, or a cassette is of no use.
    """
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise EvolveError(f"each model can be named once; got {', '.join(names)}")
    if record is not None and replay is not None:
        raise EvolveError("a run either records its answers or replays them; give one cassette")
    if replay is not None:
        replaying = Replaying(Cassette.read(replay))
        return Models(dict.fromkeys(names, replaying), concurrency)
    places = Places(concurrency)
    waiting = Waiting(patience or Patience(), until, report, clock, sleep, places.given_back)
    clients = {spec.name: _client(spec, timeout_seconds, rng, waiting, manual_folder) for spec in specs}
    if record is not None:
        cassette = Cassette.record(record, [identity(spec) for spec in specs])
        clients = {name: Recording(client, cassette) for name, client in clients.items()}
    return Models(clients, concurrency, places)


def _client(
    spec: ModelSpec, timeout_seconds: float, rng: random.Random, waiting: Waiting, manual_folder: Path
) -> Client:
    if spec.manual:
        return Manual(manual_folder, waiting)
    kind = OpenAiServer if spec.base_url else LiteLlmClient
    return Patient(spec.name, kind(spec, prices.of(spec), timeout_seconds), rng, waiting)
