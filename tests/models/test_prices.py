"""What models cost."""

import subprocess
import sys

import pytest

from evolve.models import prices
from evolve.models.spec import Price, parse
from evolve.types import Usage


def test_a_model_on_litellms_list_has_its_price():
    price = prices.of(parse("gpt-4o-mini"))
    assert price is not None
    assert price == prices.of(parse("openai/gpt-4o-mini"))
    assert 0 < price.cached < price.input < price.output < 100


def test_writing_to_the_cache_of_anthropic_costs_more_than_reading():
    price = prices.of(parse("anthropic/claude-sonnet-4-5"))
    assert price is not None
    assert price.written > price.input


@pytest.mark.parametrize(
    "text", ["openai/no-such-model", "nobody/gpt-4o-mini", "gpt-4o-mini,base-url=http://127.0.0.1:1/v1"]
)
def test_a_price_that_nobody_said_is_not_known(text):
    assert prices.of(parse(text)) is None


def test_an_entry_with_costs_of_zero_says_nothing():
    assert prices._price({"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}) is None
    assert prices._price({"input_cost_per_token": 1e-6}) is None
    assert prices._price({"input_cost_per_token": "1", "output_cost_per_token": 1e-6}) is None


@pytest.mark.parametrize("text", ["manual", "ollama/llama3", "ollama_chat/not-on-any-list"])
def test_what_runs_at_home_costs_nothing(text):
    assert prices.of(parse(text)) == Price(0, 0)


def test_a_price_that_was_given_goes_before_the_list():
    assert prices.of(parse("gpt-4o,price=1/2")) == Price(1, 2)


def test_tokens_from_the_cache_have_their_own_price():
    used = Usage(1_000_000, 400_000, 100_000)
    assert prices.dollars(Price(10, 20), used) == pytest.approx(12)
    assert prices.dollars(Price(10, 20, 1), used) == pytest.approx(6 + 0.4 + 2)
    assert prices.dollars(Price(10, 20, 1, 12.5), used, 600_000) == pytest.approx(7.5 + 0.4 + 2)


def test_without_a_price_only_nothing_costs_nothing():
    assert prices.dollars(None, Usage(1)) is None
    assert prices.dollars(None, Usage()) == 0.0


def test_the_most_that_a_call_costs_takes_nothing_from_the_cache():
    assert prices.most(Price(1, 2, 0.1), 10_000, 1_000) == Usage(10_000, 0, 1_000, pytest.approx(0.012))
    assert prices.most(Price(1, 2, 0.1, 1.25), 10_000, 1_000).dollars == pytest.approx(0.0145)
    assert prices.most(None, 10_000, 1_000) == Usage(10_000, 0, 1_000, None)


def test_prices_need_neither_the_network_nor_the_import_of_litellm():
    script = """
import socket, sys
def refuse(*_): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse
from evolve.models import prices, spec
assert prices.of(spec.parse("gpt-4o")) is not None
print(sorted(sys.modules.keys() & {"litellm", "openai", "httpx", "dotenv"}))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_no_client_is_imported_before_a_model_is_opened():
    script = """
import sys, evolve.models.pool, evolve.models.checks, evolve.models.keys
print(sorted(sys.modules.keys() & {"litellm", "openai", "httpx", "dotenv"}))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
