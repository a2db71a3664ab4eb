"""Asking again: the one place that does, for all models."""

import asyncio
import logging
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from evolve.models import Reply, Request, Unsent
from evolve.models.attempt import Attempt, Caller
from evolve.models.gate import Gate, Patience
from evolve.types import Outcome, Usage

_LOOK_SECONDS = 0.5  # how often to look whether the call that goes first is back


@asynccontextmanager
async def _keep_the_place() -> AsyncIterator[None]:
    yield


def log(message: str) -> None:
    """Tells the log."""
    logging.getLogger(__name__).info(message)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How to wait, what ends it, and whom to tell.

    ``until`` returns the seconds that are left for the run, ``aside`` is held while a call only waits,
    so that its place among the calls under way can be used by another.
    """

    patience: Patience = field(default_factory=Patience)
    until: Callable[[], float] = lambda: math.inf
    report: Callable[[str], None] = log
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    aside: Callable[[], AbstractAsyncContextManager[None]] = _keep_the_place


class Patient:
    """Asks one model until it answers, patience ends, or asking again could cost something."""

    def __init__(self, name: str, caller: Caller, rng: random.Random, waiting: Waiting) -> None:
        self._name, self._caller, self._waiting = name, caller, waiting
        self._gate = Gate(waiting.patience, rng, waiting.clock)

    async def ask(self, number: int, request: Request) -> Reply:  # noqa: ARG002  # turns are all one to a provider
        """Returns the answer, or what came of the last call; its usage is that of all calls."""
        came, used, last = self._waiting.clock(), Usage(), None
        while (ticket := await self._admitted(came, used)) is not None:
            attempt = await self._tried(ticket, request)
            used += attempt.reply.usage
            last = replace(attempt.reply, usage=used)
            if not attempt.again:
                return last
        last = last or self._gate.last
        if last is None:
            return Reply("", used, Outcome.NOT_ASKED, "the run's time was up before it was asked")
        return replace(last, usage=used, message=f"{last.message} (gave up)")

    async def close(self) -> None:
        """Lets go of connections."""
        await self._caller.close()

    async def _admitted(self, came: float, used: Usage) -> int | None:
        """Returns the ticket of the gate, once it is open; None where the time ended before.

        Raises:
            Unsent: it was cancelled, and the call has cost nothing so far.
        """
        try:
            return await self._let_in(came)
        except asyncio.CancelledError:
            if used == Usage():
                raise Unsent("the run ended while the question waited for its provider") from None
            raise

    async def _let_in(self, came: float) -> int | None:
        if self._waiting.until() <= 0:
            return None
        while (ticket := self._gate.enter()) is None:
            async with self._waiting.aside():
                while (shut := self._gate.wait_seconds()) > 0:
                    left = min(self._gate.patience_ends(came) - self._waiting.clock(), self._waiting.until())
                    if left <= 0:
                        return None
                    await self._waiting.sleep(min(left, shut if shut < math.inf else _LOOK_SECONDS))
        return ticket

    async def _tried(self, ticket: int, request: Request) -> Attempt:
        try:
            attempt = await self._caller.once(request, lambda: self._gate.began(ticket))
        finally:
            self._gate.left(ticket)
        if not attempt.again and attempt.reply.outcome is not Outcome.NO_ANSWER:
            self._gate.began(ticket)  # a provider that refuses is there
        if attempt.again:
            seconds = self._gate.shut(ticket, attempt)
            if seconds is not None:
                self._waiting.report(f"{self._name}: {attempt.reply.message}; trying again in {seconds:.0f} s")
        return attempt
