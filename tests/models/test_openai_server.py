"""OpenAI-compatible servers, good and bad, over HTTP."""

import asyncio
import json
import re
from dataclasses import replace

import pytest
from llm_server import (
    Answer,
    Dead,
    Drop,
    Endless,
    IgnoresStream,
    LlmServer,
    Raw,
    Status,
    Trickle,
    empty,
    garbage,
    html,
    length,
    no_usage,
    nobody_there,
)

from evolve.models import Request, estimated_tokens
from evolve.models.openai_server import OpenAiServer
from evolve.models.spec import ModelSpec, Price
from evolve.types import Outcome, Usage

ASKED = Request("tiny", "You write policies.", "Write evict.", max_tokens=500)
FREE = Price(0, 0)
MOST = Usage(estimated_tokens(ASKED.system + ASKED.user), 0, 500, 0.0)
NO_MODEL = {"error": {"message": "The model `tiny` does not exist", "code": "model_not_found"}}
NO_CREDIT = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
IN_STREAM = b'data: {"error": {"message": "slow down", "code": 429}}\n\n'


def ask(script, *, request=ASKED, url="", timeout_seconds=5.0, price=FREE, times=1, key=""):
    """Returns what the last of some calls came to, and the server."""

    async def asked(url):
        client = OpenAiServer(ModelSpec("tiny", base_url=url, key=key), price, timeout_seconds, wall=lambda: 0.0)
        began = []
        try:
            return [await client.once(request, lambda: began.append(1)) for _ in range(times)][-1]
        finally:
            await client.close()

    with LlmServer(script) as server:
        return asyncio.run(asked(url or server.url)), server


def test_an_answer_comes_with_its_text_usage_and_price():
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}
    attempt, server = ask(Answer("def evict():\n    ...\u00e9", usage), price=Price(1, 10, 0.5))
    assert attempt.reply.text == "def evict():\n    ...\u00e9"
    assert attempt.reply.outcome is None
    assert attempt.reply.usage == Usage(1000, 400, 100, pytest.approx((600 + 200 + 1000) / 1e6))
    [seen] = server.requests
    assert seen.body["messages"] == [
        {"role": "system", "content": "You write policies."},
        {"role": "user", "content": "Write evict."},
    ]
    assert (seen.body["model"], seen.body["max_tokens"], seen.body["stream"]) == ("tiny", 500, True)
    assert "temperature" not in seen.body


def test_temperature_is_sent_where_it_was_asked_for():
    _, server = ask(Answer(), request=replace(ASKED, temperature=0.5))
    assert server.requests[0].body["temperature"] == 0.5


def test_the_openai_key_is_not_sent_to_a_server_without_encryption(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-you-0123456789")
    monkeypatch.setenv("TINY_KEY", "for-you")
    assert ask(Answer())[1].requests[0].authorization == "Bearer none"
    assert ask(Answer(), key="TINY_KEY")[1].requests[0].authorization == "Bearer for-you"


@pytest.mark.parametrize(
    ("behaviour", "outcome", "again", "said"),
    [
        (Status(401, "Incorrect API key"), Outcome.KEY_REFUSED, False, "401: Incorrect API key; check the key"),
        (Status(403), Outcome.KEY_REFUSED, False, "403: error 403"),
        (Status(402), Outcome.KEY_REFUSED, False, "no credit"),
        (Status(404, NO_MODEL), Outcome.NO_SUCH_MODEL, False, "knows no model tiny; check --model and --base-url"),
        (Status(404, {"detail": "Not Found"}), Outcome.NO_SUCH_MODEL, False, "check --base-url, which often ends"),
        (html(404, "Not here"), Outcome.NO_SUCH_MODEL, False, "an HTML page .'Not here'.; nothing answers"),
        (Status(400, NO_MODEL), Outcome.NO_SUCH_MODEL, False, "knows no model tiny"),
        (Status(302, headers={"location": "http://127.0.0.1:1/"}), Outcome.NO_SUCH_MODEL, False, "nothing answers"),
        (Status(400, "the prompt is too long"), Outcome.REJECTED, False, "400: the prompt is too long"),
        (Status(422, {"detail": [{"msg": "no such field", "loc": ["x"]}]}), Outcome.REJECTED, False, "no such field"),
        (Status(429), Outcome.RATE_LIMITED, True, "429"),
        (Status(429, NO_CREDIT), Outcome.KEY_REFUSED, False, "no credit"),
        (Status(500), Outcome.UNAVAILABLE, True, "500"),
        (Status(503, "overloaded"), Outcome.UNAVAILABLE, True, "503: overloaded"),
        (Status(529), Outcome.UNAVAILABLE, True, "529"),
        (html(502), Outcome.UNAVAILABLE, True, "502: an HTML page .'502 Bad Gateway'."),
        (html(200, "Login"), Outcome.UNAVAILABLE, False, "got an HTML page .'Login'.; check --base-url"),
        (Raw(IN_STREAM, kind="text/event-stream"), Outcome.RATE_LIMITED, True, "429: slow down"),
        (Drop(), Outcome.UNAVAILABLE, True, "no connection to http"),
    ],
)
def test_an_error_of_the_server_costs_nothing(behaviour, outcome, again, said):
    attempt, server = ask(behaviour)
    assert (attempt.reply.outcome, attempt.again) == (outcome, again)
    assert attempt.reply.usage == Usage()
    assert len(server.requests) == 1, "the SDK must not ask again by itself"
    assert re.search(said, attempt.reply.message), attempt.reply.message


def test_a_server_that_is_not_there_is_worth_another_try():
    attempt, _ = ask(Answer(), url=nobody_there())
    assert (attempt.reply.outcome, attempt.again) == (Outcome.UNAVAILABLE, True)
    assert "ConnectError" in attempt.reply.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:20 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:20 GMT", "date": "Thu, 01 Jan 1970 00:00:15 GMT"}, 5.0),
        ({"retry-after": "Thu, 01 Jan 1960 00:00:20 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "9" * 400}, None),
        ({}, None),
    ],
)
def test_the_server_says_when_to_ask_again_in_seconds_or_as_a_date(headers, seconds):
    assert ask(Status(429, headers=headers))[0].after_seconds == seconds


@pytest.mark.parametrize(
    ("behaviour", "outcome", "text"),
    [
        (Drop(after_chunks=2), Outcome.CUT_OFF, "half an answer"),
        (Drop(after_chunks=0), Outcome.CUT_OFF, ""),
        (replace(no_usage("half"), finish=None), Outcome.CUT_OFF, "half"),
        (replace(length("def"), usage=None), Outcome.CUT_OFF, "def"),
        (garbage(), Outcome.UNAVAILABLE, ""),
        (Raw(b""), Outcome.UNAVAILABLE, ""),
        (Raw(b"[" * 100_000), Outcome.UNAVAILABLE, ""),
        (Raw(b'{"choices": []}'), Outcome.UNAVAILABLE, ""),
        (Raw(b"null"), Outcome.UNAVAILABLE, ""),
        (Endless(one_line=True), Outcome.TOO_LONG, ""),
    ],
)
def test_what_was_asked_and_not_accounted_for_counts_with_the_most_it_can_have_cost(behaviour, outcome, text):
    attempt, _ = ask(behaviour)
    assert (attempt.reply.outcome, attempt.again, attempt.reply.text) == (outcome, False, text)
    assert attempt.reply.usage == MOST
    assert attempt.reply.message


@pytest.mark.parametrize("behaviour", [Dead(), Trickle(0.02), Answer(delay_seconds=9)])
def test_an_answer_that_does_not_come_in_time_is_none(behaviour):
    attempt, _ = ask(behaviour, timeout_seconds=0.2)
    assert (attempt.reply.outcome, attempt.again) == (Outcome.NO_ANSWER, False)
    assert attempt.reply.message == "no whole answer within 0.2 s"
    assert attempt.reply.usage == MOST


def test_an_endless_answer_is_left_at_eight_characters_a_token():
    attempt, _ = ask(Endless())
    assert attempt.reply.outcome is Outcome.TOO_LONG
    assert 4000 < len(attempt.reply.text) < 100_000
    assert attempt.reply.usage.output_tokens >= 500


def test_an_endless_error_is_read_in_part():
    attempt, _ = ask(Endless(one_line=True, code=500))
    assert (attempt.reply.outcome, attempt.again) == (Outcome.UNAVAILABLE, True)


def test_an_empty_answer_is_empty():
    assert ask(empty())[0].reply.outcome is Outcome.EMPTY
    assert ask(Answer(" \n"))[0].reply.outcome is Outcome.EMPTY


def test_an_answer_of_max_tokens_is_cut_off():
    attempt, _ = ask(length())
    assert (attempt.reply.outcome, attempt.reply.text) == (Outcome.CUT_OFF, "def evict(cached")
    all_reasoning = Answer("", reasoning="so what", finish="length")
    assert "all of it in reasoning" in ask(all_reasoning)[0].reply.message


def test_an_answer_that_the_provider_withheld_is_rejected():
    attempt, _ = ask(Answer("no", finish="content_filter"))
    assert attempt.reply.outcome is Outcome.REJECTED


def test_a_server_that_knows_no_streams_is_understood():
    attempt, _ = ask(IgnoresStream("whole"))
    assert (attempt.reply.text, attempt.reply.outcome) == ("whole", None)
    assert attempt.reply.usage.output_tokens == 2


def test_reasoning_is_no_part_of_the_answer_but_of_its_cost():
    attempt, _ = ask(Answer("x = 1", usage=None, reasoning="r" * 295))
    assert attempt.reply.text == "x = 1"
    assert attempt.reply.usage.output_tokens == 100


@pytest.mark.parametrize("text", ["<think>\nwell\n</think>\n\nx = 1", "well</think>\nx = 1", "x = 1"])
def test_thoughts_at_the_start_of_the_text_are_no_part_of_the_answer(text):
    assert ask(Answer(text, chunks=7))[0].reply.text == "x = 1"


def test_thoughts_that_never_end_are_no_answer():
    assert ask(Answer("<think>hm"))[0].reply.outcome is Outcome.EMPTY


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -1, "completion_tokens": 3},
        {"prompt_tokens": "10", "completion_tokens": "3"},
        {"prompt_tokens": 10, "completion_tokens": 10**12},
        {"prompt_tokens": 10, "completion_tokens": 2.5},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": True, "completion_tokens": True},
    ],
)
def test_usage_that_cannot_be_true_is_estimated(usage):
    attempt, _ = ask(Answer("x" * 31, usage))
    assert attempt.reply.usage == Usage(MOST.input_tokens, 0, 11, 0.0)


def test_reasoning_that_is_counted_in_the_total_alone_counts():
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    assert ask(Answer("x", usage))[0].reply.usage == Usage(10, 0, 105, 0.0)


def test_no_more_is_cached_than_was_read():
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 99}}
    assert ask(Answer("x", usage))[0].reply.usage == Usage(10, 10, 5, 0.0)


@pytest.mark.parametrize(
    ("refusal", "lacks", "has"),
    [
        ("Unknown field: stream_options", "stream_options", ("max_tokens", 500)),
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_tokens",
            ("max_completion_tokens", 500),
        ),
        ("Unsupported value: 'temperature'. Only the default (1) is supported.", "temperature", ("max_tokens", 500)),
    ],
)
def test_what_a_server_does_not_take_is_left_out_from_then_on(refusal, lacks, has):
    def script(body, n):
        return Status(400, refusal) if lacks in body else Answer()

    attempt, server = ask(script, request=replace(ASKED, temperature=0.7), times=2)
    assert attempt.reply.outcome is None
    assert [lacks in seen.body for seen in server.requests] == [True, False, False]
    assert server.requests[-1].body[has[0]] == has[1]


def test_a_server_that_refuses_everything_is_not_asked_for_ever():
    refusal = "unsupported: stream_options, max_tokens, temperature"
    attempt, server = ask(Status(400, refusal), request=replace(ASKED, temperature=0.7))
    assert attempt.reply.outcome is Outcome.REJECTED
    assert len(server.requests) == 4


def test_a_key_in_an_error_is_hidden(monkeypatch):
    monkeypatch.setenv("MY_CREDENTIAL", "correct-horse-battery")
    attempt, _ = ask(Status(401, "bad key correct-horse-battery and sk-aaaabbbbcccc"), key="MY_CREDENTIAL")
    assert attempt.reply.message == "401: bad key [key] and [key]; check the key in MY_CREDENTIAL"


def test_a_key_in_an_answer_is_hidden(monkeypatch):
    monkeypatch.setenv("MY_CREDENTIAL", "correct-horse-battery")
    assert ask(Answer("you sent correct-horse-battery"), key="MY_CREDENTIAL")[0].reply.text == "you sent [key]"


def test_half_characters_and_strange_pieces_do_no_harm():
    pieces = [
        {"choices": [{"delta": {"content": "a\ud800"}}]},
        {"choices": [{"delta": None}]},
        {"choices": [None]},
        {"choices": {}},
        {"choices": [{"delta": {"content": [{"type": "text", "text": "b"}, 3]}}]},
        {"choices": [{"delta": {"content": 7}, "finish_reason": "stop"}]},
    ]
    stream = b": a comment\n\n" + b"".join(b"data:" + json.dumps(piece).encode() + b"\r\n\r\n" for piece in pieces)
    attempt, _ = ask(Raw(stream + b"data: {torn\n\ndata: 12\n\n", kind="text/event-stream"))
    assert (attempt.reply.text, attempt.reply.outcome) == ("a?b", None)
