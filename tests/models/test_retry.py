"""Asking again: what for, how long, and all together."""

import asyncio
import heapq
import itertools
import math
import random

import pytest

from evolve.models import Reply, Request
from evolve.models.attempt import Attempt, nothing
from evolve.models.gate import Patience
from evolve.models.retry import Patient, Waiting
from evolve.types import Outcome, Usage

ASKED = Request("tiny", "s", "u", 10)
GOOD = Attempt(Reply("good", Usage(1, 0, 1, 0.5)))
DOWN = nothing(Outcome.UNAVAILABLE, "503: overloaded", again=True)
LIMITED = nothing(Outcome.RATE_LIMITED, "429", again=True)


class VirtualTime:
    """A clock that jumps to the next sleeper as soon as all others wait."""

    def __init__(self):
        self.now, self._sleepers, self._order = 0.0, [], itertools.count()

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        awake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), awake))
        await awake

    async def run(self, awaitable):
        task = asyncio.ensure_future(awaitable)
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleepers and not task.done():
                self.now, _, awake = heapq.heappop(self._sleepers)
                if not awake.done():
                    awake.set_result(None)
        return task.result()


class Scripted:
    """A provider that answers as a function of the time, after ``seconds``."""

    def __init__(self, time, script, seconds=0.0, begins=True):
        self.time, self.script, self.seconds, self.begins = time, script, seconds, begins
        self.times = []

    async def once(self, request, began):
        self.times.append(self.time.now)
        attempt = self.script(self.time.now)
        if self.begins and not attempt.again:
            began()
        await self.time.sleep(self.seconds)
        return attempt

    async def close(self):
        pass


def asked(script, *, calls=1, patience=None, until=lambda time: math.inf, **scripted):
    """Returns the replies to some calls at once, the provider, the reports and the clock."""
    time, said = VirtualTime(), []
    provider = Scripted(time, script, **scripted)
    waiting = Waiting(patience or Patience(), lambda: until(time), said.append, time.clock, time.sleep)
    patient = Patient("tiny", provider, random.Random(0), waiting)

    async def together():
        return await asyncio.gather(*(patient.ask(n, ASKED) for n in range(calls)))

    return asyncio.run(time.run(together())), provider, said, time


def test_a_good_answer_is_asked_for_once():
    [reply], provider, said, _ = asked(lambda now: GOOD)
    assert (reply.text, len(provider.times), said) == ("good", 1, [])


def test_what_costs_nothing_is_tried_again_after_growing_waits():
    [reply], provider, said, _ = asked(lambda now: GOOD if now > 100 else DOWN)
    assert reply.outcome is None
    waits = [later - sooner for sooner, later in itertools.pairwise(provider.times)]
    for wait, most in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60], strict=False):
        assert most / 2 <= wait <= most
    assert said[0] == "tiny: 503: overloaded; trying again in 1 s"
    assert len(said) == len(waits)


@pytest.mark.parametrize("outcome", [Outcome.NO_ANSWER, Outcome.CUT_OFF, Outcome.REJECTED, Outcome.KEY_REFUSED])
def test_what_may_have_been_paid_for_or_will_not_change_is_not_tried_again(outcome):
    [reply], provider, _, _ = asked(lambda now: nothing(outcome, "no"))
    assert (reply.outcome, len(provider.times)) == (outcome, 1)


def test_a_provider_that_is_down_for_ten_minutes_is_waited_for_by_all_together():
    replies, provider, _, time = asked(lambda now: GOOD if now > 600 else DOWN, calls=16, seconds=2)
    assert [reply.outcome for reply in replies] == [None] * 16
    tries = len(provider.times) - 16  # each was answered once
    assert tries <= 16 + 25, "after the first sixteen, one at a time asks whether it is back"
    assert time.now < 600 + 60 + 10, "all are let in as soon as it is"


def test_patience_ends_with_the_last_outcome():
    [reply], _, _, time = asked(lambda now: LIMITED)
    assert (reply.outcome, reply.message) == (Outcome.RATE_LIMITED, "429 (gave up)")
    assert 900 <= time.now <= 905


def test_a_call_that_only_waited_ends_with_what_the_others_saw():
    replies, provider, _, _ = asked(lambda now: DOWN, calls=3, patience=Patience(total_seconds=20), seconds=1)
    assert {reply.outcome for reply in replies} == {Outcome.UNAVAILABLE}
    assert all(reply.message == "503: overloaded (gave up)" for reply in replies)
    assert len(provider.times) < 12


def test_nobody_waits_beyond_the_end_of_the_run():
    [reply], provider, _, time = asked(lambda now: DOWN, until=lambda time: 30 - time.now)
    assert reply.outcome is Outcome.UNAVAILABLE
    assert time.now == 30
    assert provider.times[-1] < 30


@pytest.mark.parametrize(("asks", "least", "most"), [(7.0, 7, 8), (0.0, 0, 1), (5000.0, 300, 301)])
def test_a_provider_that_says_when_to_ask_again_is_heeded_within_reason(asks, least, most):
    limited = nothing(Outcome.RATE_LIMITED, "429", again=True, after_seconds=asks)
    first = iter([limited])
    _, provider, _, _ = asked(lambda now: next(first, GOOD))
    assert least <= provider.times[1] <= most


def test_calls_that_fail_together_count_as_one_failure():
    replies, provider, said, _ = asked(lambda now: GOOD if now >= 5 else DOWN, calls=16, seconds=1)
    assert [reply.outcome for reply in replies] == [None] * 16
    assert len(said) <= 4
    assert len(provider.times) <= 16 + 3 + 16


def test_one_call_over_the_limit_does_not_stop_those_under_way():
    turns = iter([LIMITED] + [GOOD] * 99)
    replies, _, _, time = asked(lambda now: next(turns), calls=8, seconds=3)
    assert [reply.text for reply in replies] == ["good"] * 8
    assert time.now < 10


def test_while_one_tries_the_others_wait_only_until_it_is_heard():
    states = iter([DOWN] * 4 + [GOOD] * 4)
    _, _, _, time = asked(lambda now: next(states), calls=4, seconds=100)
    assert time.now < 100 + 10 + 100 + 10, "the second to fourth begin with the first answer, not after it"


def test_usage_of_all_tries_adds_up():
    dear = Attempt(Reply("", Usage(5, 0, 5, 1.0), Outcome.UNAVAILABLE, "503"), again=True)
    turns = iter([dear, dear, GOOD])
    [reply], _, _, _ = asked(lambda now: next(turns))
    assert reply.usage == Usage(11, 0, 11, 2.5)


def test_a_call_that_is_cancelled_lets_the_next_one_try():
    async def scene():
        time = VirtualTime()
        provider = Scripted(time, lambda now: DOWN if now < 1 else GOOD, seconds=50, begins=False)
        patient = Patient("tiny", provider, random.Random(0), Waiting(clock=time.clock, sleep=time.sleep))
        first = asyncio.ensure_future(patient.ask(0, ASKED))
        second = asyncio.ensure_future(patient.ask(1, ASKED))

        async def cancelled():
            await time.sleep(60)
            first.cancel()
            return await asyncio.gather(first, second, return_exceptions=True)

        return await time.run(cancelled())

    first, second = asyncio.run(scene())
    assert isinstance(first, asyncio.CancelledError)
    assert second.text == "good"
