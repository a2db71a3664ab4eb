"""All models of a run."""

import asyncio
import random
import sys
import threading
import time
from concurrent.futures import CancelledError, wait

import pytest
from llm_server import Answer, Dead, LlmServer, Status, Trickle, nobody_there

from evolve.models import Reply, Request, prices
from evolve.models.gate import Patience
from evolve.models.pool import Models, open_models
from evolve.models.spec import parse
from evolve.types import EvolveError, Outcome, Usage

AT_ONCE = Patience(first_seconds=0.01, most_seconds=0.02, asked_seconds=0.02, total_seconds=0.2)


def question(model="tiny", user="u"):
    return Request(model, "s", user, 100)


def opened(specs, concurrency=16, **settings):
    return open_models(
        [parse(spec) for spec in specs], concurrency=concurrency, rng=random.Random(0), timeout_seconds=5, **settings
    )


class Counting:
    """A client that notes how many calls are under way, and can be held."""

    def __init__(self, seconds=0.02):
        self.seconds, self.now, self.most, self.closed, self.order = seconds, 0, 0, False, []

    async def ask(self, number, request):
        self.now += 1
        self.most = max(self.most, self.now)
        self.order.append(number)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.now -= 1
        return Reply(f"{number}", Usage())

    async def close(self):
        self.closed = True


def test_no_more_calls_are_under_way_than_may_be_over_all_models():
    client = Counting()
    with Models({"a": client, "b": client}, concurrency=4) as models:
        sent = [models.send(n, question("ab"[n % 2])) for n in range(12)]
        assert [future.result().text for future in sent] == [str(n) for n in range(12)]
    assert (client.most, client.order, client.closed) == (4, list(range(12)), True)


def test_sixteen_calls_are_under_way_at_a_time():
    with LlmServer(Answer(delay_seconds=0.2)) as server, opened([f"tiny,base-url={server.url}"]) as models:
        sent = [models.send(n, question(user=str(n))) for n in range(16)]
        assert all(future.result().outcome is None for future in sent)
        assert server.most_in_flight == 16


def test_a_model_that_is_not_in_the_run_is_an_error_that_names_those_that_are():
    with (
        Models({"a": Counting()}, 1) as models,
        pytest.raises(EvolveError, match="no model 'b' in this run; there are: a"),
    ):
        models.send(0, question("b"))


def test_closing_waits_for_what_is_under_way_unless_at_once():
    client = Counting()
    models = Models({"a": client}, 2)
    sent = [models.send(n, question("a")) for n in range(4)]
    models.close()
    assert [future.result(0).text for future in sent] == ["0", "1", "2", "3"]
    assert client.closed
    with pytest.raises(RuntimeError, match="closed"):
        models.send(4, question("a"))
    models.close()


@pytest.mark.parametrize("behaviour", [Dead(), Trickle(), Status(503)])
def test_closing_at_once_cancels_whatever_the_server_does(behaviour):
    with LlmServer(behaviour) as server:
        models = opened([f"tiny,base-url={server.url}"], concurrency=4)
        sent = [models.send(n, question()) for n in range(8)]
        time.sleep(0.1)
        began = time.monotonic()
        models.close(at_once=True)
        assert time.monotonic() - began < 0.5
    for future in sent:
        with pytest.raises(CancelledError):
            future.result(0)
    assert not [thread for thread in threading.enumerate() if thread.name == "models"]


def test_waiting_for_one_model_does_not_hold_up_another():
    with LlmServer(Status(503)) as down, LlmServer(Answer()) as up:
        models = opened([f"down,base-url={down.url}", f"up,base-url={up.url}"], concurrency=2)
        with models:
            waiting = [models.send(n, question("down")) for n in range(4)]
            assert models.send(9, question("up")).result(5).outcome is None
            assert not any(future.done() for future in waiting)


def test_a_person_does_not_hold_up_a_model(tmp_path):
    with LlmServer(Answer()) as server:
        models = opened(["manual", f"tiny,base-url={server.url}"], concurrency=1, manual_folder=tmp_path / "manual")
        with models:
            models.send(0, question("manual"))
            assert models.send(1, question()).result(5).outcome is None
            assert (tmp_path / "manual" / "0000-prompt.md").exists()


def test_a_provider_that_fails_now_and_then_is_asked_again():
    def script(body, n):
        return Status(503, "overloaded", {"retry-after": "0"}) if n < 2 else Answer()

    said = []
    with (
        LlmServer(script) as server,
        opened([f"tiny,base-url={server.url}"], patience=AT_ONCE, report=said.append) as models,
    ):
        assert models.send(0, question()).result().outcome is None
    assert said == ["tiny: 503: overloaded; trying again in 0 s"] * 2


def test_a_server_that_is_not_there_ends_patience():
    with opened([f"tiny,base-url={nobody_there()}"], patience=AT_ONCE) as models:
        reply = models.send(0, question()).result()
    assert reply.outcome is Outcome.UNAVAILABLE
    assert reply.usage == Usage()


def test_a_recorded_run_is_replayed_without_server_or_key(tmp_path, monkeypatch):
    tape, spec = tmp_path / "tape", "tiny,price=1/2"
    monkeypatch.setenv("TINY_KEY", "correct-horse-battery")

    def script(body, n):
        return Status(401, "key correct-horse-battery") if "3" in body["messages"][1]["content"] else Answer(f"{n}")

    with (
        LlmServer(script) as server,
        opened([f"{spec},base-url={server.url},key=TINY_KEY"], record=tape) as models,
    ):
        sent = [models.send(n, question(user=str(n))) for n in range(5)]
        live = [future.result() for future in sent]
    assert b"correct-horse-battery" not in tape.read_bytes()
    monkeypatch.delenv("TINY_KEY")
    with opened([spec], replay=tape) as models:
        assert [models.send(n, question(user=str(n))).result() for n in range(5)] == live
        with pytest.raises(EvolveError, match="ends before turn 5"):
            models.send(5, question()).result()


def test_a_recording_that_goes_on_asks_nothing_twice(tmp_path):
    with LlmServer(Answer()) as server:
        for count in (3, 5):
            with opened([f"tiny,base-url={server.url}"], record=tmp_path / "tape") as models:
                wait([models.send(n, question(user=str(n))) for n in range(count)])
        assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("specs", "settings", "said"),
    [
        (["a,base-url=http://x", "a,base-url=http://y"], {}, "named once"),
        (["a,base-url=http://x,key=NOT_SET_ANYWHERE"], {}, "set NOT_SET_ANYWHERE"),
        (["a,base-url=http://x"], {"concurrency": 0}, "at least 1 call"),
        (["a,base-url=http://x"], {"record": "r", "replay": "r"}, "either records"),
    ],
)
def test_what_cannot_work_is_refused_at_once(specs, settings, said):
    with pytest.raises(EvolveError, match=said):
        opened(specs, **settings)


@pytest.mark.parametrize(
    ("package", "spec"), [("openai", "a,base-url=http://x"), ("httpx", "a,base-url=http://x"), ("litellm", "openai/a")]
)
def test_a_package_that_is_missing_is_named_with_what_to_do(package, spec, monkeypatch, request):
    request.addfinalizer(prices._listed.cache_clear)  # without LiteLLM it would stay empty
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EvolveError, match=r"pip install -e '\.\[llm\]'"):
        opened([spec])
