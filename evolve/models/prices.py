"""What models cost: LiteLLM's list, as it came with the installed package."""

import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from evolve.models.spec import ModelSpec, Price
from evolve.types import EvolveError, Usage

_LIST = "model_prices_and_context_window_backup.json"
_FREE = ("ollama/", "ollama_chat/")  # they run on the user's own machine, whichever of them it is
_MILLION = 1e6


def of(spec: ModelSpec) -> Price | None:
    """Returns what a model costs, or None where nobody said.

    A model at a ``base_url`` has only the price that was given: what another provider asks for a
    model of the same name says nothing of this server.
    """
    if spec.manual:
        return Price(0.0, 0.0)
    if spec.price is not None or spec.base_url:
        return spec.price
    if spec.name.startswith(_FREE):
        return Price(0.0, 0.0)
    return _price(_entry(spec.name))


def names() -> list[str]:
    """Returns the names of all models that LiteLLM lists."""
    return sorted(_listed())


def dollars(price: Price | None, usage: Usage, written_tokens: int = 0) -> float | None:
    """Returns what usage costs; None where the price is not known and something was used.

    ``written_tokens`` of the input were put into the provider's cache.
    """
    if price is None:
        return None if usage.tokens else 0.0
    fresh = usage.input_tokens - usage.cached_tokens - written_tokens
    cached = price.input if price.cached is None else price.cached
    written = price.input if price.written is None else price.written
    cost = fresh * price.input + usage.cached_tokens * cached + written_tokens * written
    return (cost + usage.output_tokens * price.output) / _MILLION


def most(price: Price | None, input_tokens: int, output_tokens: int) -> Usage:
    """Returns the most that a call with so many tokens uses: nothing of it from the provider's cache."""
    most_written = input_tokens if price is not None and (price.written or 0.0) > price.input else 0
    used = Usage(input_tokens, 0, output_tokens)
    return Usage(input_tokens, 0, output_tokens, dollars(price, used, most_written))


def _entry(name: str) -> Mapping[str, Any]:
    """Returns what is listed under a name, or under it without its provider where that is the entry's."""
    listed = _listed()
    provider, slash, rest = name.partition("/")
    if name not in listed and slash and listed.get(rest, {}).get("litellm_provider") == provider:
        return listed[rest]
    return listed.get(name, {})


def _price(entry: Mapping[str, Any]) -> Price | None:
    costs = [
        entry.get(f"{kind}_token_cost" if "cache" in kind else f"{kind}_cost_per_token")
        for kind in ("input", "output", "cache_read_input", "cache_creation_input")
    ]
    costs[1] = max(
        (costs[1], entry.get("output_cost_per_reasoning_token")), key=_amount
    )  # an answer may be all reasoning
    known = [float(cost) * _MILLION if isinstance(cost, int | float) and cost >= 0 else None for cost in costs]
    if not known[0] or not known[1]:  # zero stands there for "by the hour", "by subscription" and "not entered yet"
        return None
    return Price(round(known[0], 9), round(known[1], 9), *(cost and round(cost, 9) for cost in known[2:]))


def _amount(cost: Any) -> float:
    return float(cost) if isinstance(cost, int | float) else -1.0


@cache
def _listed() -> Mapping[str, Mapping[str, Any]]:
    # Read as a file: importing LiteLLM takes seconds, and unless told otherwise it asks the network for a newer list.
    found = importlib.util.find_spec("litellm")
    if found is None or not found.submodule_search_locations:
        return {}  # a run that only replays does without; every other one is told before it starts
    path = Path(next(iter(found.submodule_search_locations))) / _LIST
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvolveError(f"cannot read LiteLLM's prices in {path} ({error}); install LiteLLM again") from None
    return {name: entry for name, entry in listed.items() if isinstance(entry, dict) and name != "sample_spec"}
