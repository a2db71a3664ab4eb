"""Models by their LiteLLM names, over HTTP, and what is checked before."""

import asyncio
import random
import re
import subprocess
import sys

import pytest
from llm_server import Answer, Dead, Drop, Endless, LlmServer, Raw, Status, garbage, html, nobody_there

from evolve.models import Request, estimated_tokens
from evolve.models.checks import check
from evolve.models.litellm_client import LiteLlmClient, library
from evolve.models.pool import open_models
from evolve.models.spec import Price, parse
from evolve.types import EvolveError, Outcome, Usage

ASKED = Request("openai/tiny", "You write policies.", "Write evict.", max_tokens=500, temperature=0.5)
FREE = Price(0, 0)
MOST = Usage(estimated_tokens(ASKED.system + ASKED.user), 0, 500, 0.0)
KEY = "sk-correct-horse-battery"


@pytest.fixture(scope="module", autouse=True)
def _imported():
    library()  # takes seconds, once


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def ask(script, monkeypatch, *, url="", timeout_seconds=5.0, name="openai/tiny", request=ASKED, price=FREE):
    async def asked():
        client = LiteLlmClient(parse(name), price, timeout_seconds, wall=lambda: 0.0)
        try:
            return await client.once(request, lambda: None)
        finally:
            await client.close()

    with LlmServer(script) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", url or server.url)
        monkeypatch.setenv("ANTHROPIC_API_BASE", url or server.url.removesuffix("/v1"))
        return asyncio.run(asked()), server


def test_an_answer_comes_with_its_text_usage_and_price(monkeypatch):
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 400},
    }
    attempt, server = ask(Answer("x = 1", usage), monkeypatch, price=Price(1, 10, 0.5))
    assert (attempt.reply.text, attempt.reply.outcome) == ("x = 1", None)
    assert attempt.reply.usage == Usage(1000, 400, 100, pytest.approx((600 + 200 + 1000) / 1e6))
    [seen] = server.requests
    assert (seen.body["model"], seen.body["max_tokens"], seen.body["temperature"]) == ("tiny", 500, 0.5)
    assert seen.authorization == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("behaviour", "outcome", "again", "said"),
    [
        (Status(401, f"bad key {KEY}"), Outcome.KEY_REFUSED, False, r"^401: bad key \[key\]; check the key"),
        (Status(404, "no model"), Outcome.NO_SUCH_MODEL, False, "404: no model; .*check --model"),
        (Status(400, "too long"), Outcome.REJECTED, False, "400: too long"),
        (Status(429, "slow", {"retry-after": "7"}), Outcome.RATE_LIMITED, True, "429: slow"),
        (Status(503, "overloaded"), Outcome.UNAVAILABLE, True, "503: overloaded"),
        (html(502), Outcome.UNAVAILABLE, True, "502: an HTML page"),
    ],
)
def test_an_error_of_the_provider_costs_nothing(behaviour, outcome, again, said, monkeypatch):
    attempt, server = ask(behaviour, monkeypatch)
    assert (attempt.reply.outcome, attempt.again) == (outcome, again)
    assert attempt.after_seconds == (7.0 if outcome is Outcome.RATE_LIMITED else None)
    assert attempt.reply.usage == Usage()
    assert re.search(said, attempt.reply.message), attempt.reply.message
    assert len(server.requests) == 1, "LiteLLM must not ask again by itself"


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (html(200), Outcome.UNAVAILABLE),
        (garbage(), Outcome.UNAVAILABLE),
        (Raw(b'{"choices": []}'), Outcome.UNAVAILABLE),
        (Drop(), Outcome.CUT_OFF),
        (Drop(after_chunks=1), Outcome.CUT_OFF),
    ],
)
def test_what_is_no_answer_counts_with_the_most_it_can_have_cost(behaviour, outcome, monkeypatch):
    attempt, _ = ask(behaviour, monkeypatch)
    assert (attempt.reply.outcome, attempt.again, attempt.reply.usage) == (outcome, False, MOST)


@pytest.mark.parametrize("behaviour", [Dead(), Endless()])
def test_an_answer_that_does_not_come_in_time_is_none(behaviour, monkeypatch):
    attempt, _ = ask(behaviour, monkeypatch, timeout_seconds=0.3)
    assert (attempt.reply.outcome, attempt.again, attempt.reply.usage) == (Outcome.NO_ANSWER, False, MOST)


def test_empty_cut_off_and_endless_answers_are_told_apart(monkeypatch):
    assert ask(Answer(""), monkeypatch)[0].reply.outcome is Outcome.EMPTY
    cut, _ = ask(Answer("def", finish="length"), monkeypatch)
    assert (cut.reply.outcome, cut.reply.text) == (Outcome.CUT_OFF, "def")
    assert ask(Answer("x" * 5000), monkeypatch)[0].reply.outcome is Outcome.TOO_LONG


def test_a_provider_that_is_not_there_is_worth_another_try(monkeypatch):
    attempt, _ = ask(Answer(), monkeypatch, url=nobody_there())
    assert (attempt.reply.outcome, attempt.again) == (Outcome.UNAVAILABLE, True)
    assert attempt.reply.usage == Usage()


def test_a_key_that_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    attempt, _ = ask(Answer(), monkeypatch)
    assert attempt.reply.outcome is Outcome.KEY_REFUSED
    assert "OPENAI_API_KEY" in attempt.reply.message


def test_a_key_of_ones_own_is_used(monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "other")
    attempt, server = ask(Answer(), monkeypatch, name="openai/tiny,key=OTHER_KEY")
    assert attempt.reply.outcome is None
    assert server.requests[0].authorization == "Bearer other"


def test_anthropic_is_asked_to_keep_the_system_prompt(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "anthropic")
    name = "anthropic/claude-sonnet-4-5"
    _, server = ask(Answer(), monkeypatch, name=name, request=Request(name, "system", "user", 100))
    [seen] = server.requests
    assert seen.path == "/v1/messages"
    assert seen.body["system"] == [{"type": "text", "text": "system", "cache_control": {"type": "ephemeral"}}]


def test_models_by_name_are_opened_asked_and_closed_without_a_trace(monkeypatch):
    with LlmServer(Answer("x = 1")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for _ in range(2):
            with open_models([parse("openai/tiny")], concurrency=8, rng=random.Random(0)) as models:
                sent = [models.send(n, Request("openai/tiny", "s", f"{n}", 100)) for n in range(8)]
                assert {future.result().text for future in sent} == {"x = 1"}
        with open_models([parse("openai/tiny")], concurrency=8, rng=random.Random(0)) as models:
            models.send(0, ASKED)


@pytest.mark.parametrize(
    "text",
    [
        "manual",
        "openai/gpt-4o",
        "ollama/llama3",
        "anthropic/claude-sonnet-4-5,key=OPENAI_API_KEY",
        "m,base-url=http://x/v1",
    ],
)
def test_a_model_that_can_be_asked_passes_the_check(text):
    check(parse(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpt4o-mini", "no provider is known for the model 'gpt4o-mini'; did you mean .*gpt-4o-mini"),
        ("nonsense/zzzz-qqqq", "no provider is known .*; names are LiteLLM's"),
        ("anthropic/claude-sonnet-4-5", r"set ANTHROPIC_API_KEY in the environment or in \.env"),
        ("gemini/gemini-2.5-flash", "set GOOGLE_API_KEY or GEMINI_API_KEY in"),
        ("openai/gpt-4o,key=NOT_SET_ANYWHERE", "set NOT_SET_ANYWHERE in"),
        ("m,base-url=http://x/v1,key=NOT_SET_ANYWHERE", "set NOT_SET_ANYWHERE in"),
    ],
)
def test_a_model_that_cannot_be_asked_is_told_before_the_run(text, said):
    with pytest.raises(EvolveError, match=said):
        check(parse(text))


def test_the_import_and_the_check_of_a_model_ask_nothing_of_the_network():
    script = """
import socket
tried = []
def refuse(*what, **_):
    tried.append(what)
    raise OSError("no network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from evolve.models.checks import check
from evolve.models.spec import parse
check(parse("openai/gpt-4o"))
print(tried)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("[]\n", "")
