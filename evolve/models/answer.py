"""What a model said, put together as it comes, and what it used."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evolve.models import Reply, Request, estimated_tokens, keys, prices
from evolve.models.attempt import Attempt
from evolve.models.failures import Server
from evolve.models.spec import Price
from evolve.types import NO_USAGE, Outcome, Usage

_MOST_CHARACTERS_A_TOKEN = 8  # prose and code have three to five; long runs of blanks have more
_CHARACTERS_A_TOKEN = 3  # for estimates, on the safe side
_MOST_TOKENS = 1e9
_CUT = ("length", "max_tokens", "MAX_TOKENS", "error")
_FILTERED = ("content_filter", "safety", "SAFETY", "refusal")


class Answer:
    """One answer to one request."""

    def __init__(self, request: Request, price: Price | None, server: Server) -> None:
        self._request, self._price, self._server = request, price, server
        self._text: list[str] = []
        self._usage: tuple[Usage, int] | None = None
        self._characters = 0
        self.finish = ""

    @property
    def begun(self) -> bool:
        """Whether the model has said anything."""
        return self._characters > 0

    @property
    def endless(self) -> bool:
        """Whether it is longer than any answer to the request."""
        return self._characters > _MOST_CHARACTERS_A_TOKEN * self._request.max_tokens

    def add(self, choice: Any, message: str) -> None:
        """Takes what one choice of a response says under ``message``: ``delta`` of a stream, or ``message``."""
        said = choice.get(message) if isinstance(choice, dict) else None
        if not isinstance(said, dict):
            said = {}
        text, reasoning = _text(said.get("content")), _text(said.get("reasoning_content") or said.get("reasoning"))
        self._text.append(text)
        self._characters += len(text) + len(reasoning)
        finish = choice.get("finish_reason") if isinstance(choice, dict) else None
        if said.get("refusal"):
            self.finish = "refusal"
        elif isinstance(finish, str) and self.finish != "refusal":
            self.finish = finish

    def count(self, usage: Any) -> None:
        """Takes what the provider says was used; what cannot be true is as if it said nothing."""
        self._usage = counted(usage) or self._usage

    def whole(self) -> Attempt:
        """Returns the answer that has ended."""
        if self.endless:
            return self.ended(Outcome.TOO_LONG, "endless answer")
        if not self.finish:
            return self.ended(Outcome.CUT_OFF, "the answer ended in the middle")
        if self.finish in _FILTERED:
            return self._reply(Outcome.REJECTED, f"the provider withheld the answer ({self.finish})", self._used())
        text = self.text
        if self.finish in _CUT:
            where = "" if text.strip() else ", all of it in reasoning"
            message = f"the answer reached {self._request.max_tokens} tokens{where}"
            cut = "the provider broke the answer off" if self.finish == "error" else message
            return self._reply(Outcome.CUT_OFF, cut, self._most() if self._usage is None else self._used())
        if not text.strip():
            return self._reply(Outcome.EMPTY, "the answer is empty", self._used())
        return self._reply(None, "", self._used())

    def ended(self, outcome: Outcome, message: str) -> Attempt:
        """Returns the answer that was broken off, with its text so far and the most that it can have cost."""
        return self._reply(outcome, message, self._most())

    @property
    def text(self) -> str:
        """What was said, without reasoning."""
        text = "".join(self._text)
        thought, end, rest = text.partition("</think>")
        opened = thought.lstrip().startswith("<think>")
        if end and (opened or "<think>" not in thought):  # some servers put the opening tag into the prompt
            text = rest.lstrip("\n")
        elif opened:
            text = ""
        return text.encode("utf-8", "replace").decode()  # JSON may hold halves of characters, files may not

    def _most(self) -> Usage:
        """Returns the most that can have been used, whatever the provider had said until then."""
        said, _ = self._usage or (NO_USAGE, 0)
        read = max(self._sent(), said.input_tokens)
        return prices.most(self._price, read, max(self._request.max_tokens, self._said(), said.output_tokens))

    def _used(self) -> Usage:
        """Returns what the provider says was used, or what that must have been about."""
        usage, written = self._usage or (Usage(self._sent(), 0, self._said()), 0)
        return replace(usage, dollars=prices.dollars(self._price, usage, written))

    def _said(self) -> int:
        return math.ceil(self._characters / _CHARACTERS_A_TOKEN)

    def _sent(self) -> int:
        return estimated_tokens(self._request.system + self._request.user)

    def _reply(self, outcome: Outcome | None, message: str, usage: Usage) -> Attempt:
        text = keys.redact_answer(self.text, *self._server.secrets)
        return Attempt(Reply(text, usage, outcome, self._server.message(message)))


def counted(usage: Any) -> tuple[Usage, int] | None:
    """Returns what a provider says was used, and how much of the input it put into its cache.

    Returns None for what cannot be true: no numbers, negative or absurd ones, nothing read at all.
    """
    if not isinstance(usage, Mapping):
        return None
    read, written, total = (_tokens(usage.get(f"{kind}_tokens")) for kind in ("prompt", "completion", "total"))
    if not read or written is None:
        return None
    details = usage.get("prompt_tokens_details")
    cached = _tokens(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    cached = cached or _tokens(usage.get("cache_read_input_tokens")) or _tokens(usage.get("prompt_cache_hit_tokens"))
    into_cache = _tokens(usage.get("cache_creation_input_tokens")) or 0
    cached = min(cached or 0, read)
    # Some count reasoning in the total alone.
    return Usage(read, cached, max(written, (total or 0) - read)), min(into_cache, read - cached)


def _tokens(number: Any) -> int | None:
    return number if type(number) is int and 0 <= number <= _MOST_TOKENS else None


def _text(content: Any) -> str:
    """Returns the text of a message, which some providers send in a list of parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""
