"""Server-sent events of an OpenAI-compatible server, read into an answer.

Read here and not by the SDK, whose objects for each piece take ten times as long: 30 to 60 ms of a
core for an answer in 300 pieces, which a search with many calls under way does not have.
"""

import json
from collections.abc import Mapping
from typing import Any

from evolve.models.answer import Answer

_MORE_BYTES = 1 << 20
_MOST_BYTES_A_TOKEN = 1024  # a piece of a stream holds one token and some 300 bytes around it


class Reader:
    """Takes the bytes of one response, whether it is a stream or, from servers that know none, one JSON body."""

    def __init__(self, answer: Answer, max_tokens: int) -> None:
        self._answer = answer
        self._most_bytes = _MORE_BYTES + _MOST_BYTES_A_TOKEN * max_tokens
        self._rest, self._body, self._bytes = bytearray(), bytearray(), 0
        self._streams = False
        self.done = False
        self.error: Mapping[str, Any] | None = None
        """What the server says went wrong, instead of an answer or in the middle of it."""

    @property
    def enough(self) -> bool:
        """Whether there is nothing more to read: the answer is whole, or longer than any."""
        return self.done or self.error is not None or self.endless

    @property
    def endless(self) -> bool:
        """Whether more came than any answer to the request takes."""
        return self._bytes > self._most_bytes or self._answer.endless

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        self._bytes += len(data)
        if not self._streams:
            self._body += data
        self._rest += data
        if b"\n" in data:
            *lines, rest = bytes(self._rest).split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                self._line(line.strip())

    def end(self) -> str:
        """Takes the end; returns what came where that is no answer, else the empty text."""
        self._line(bytes(self._rest).strip())
        if self._streams or self.endless:
            return ""
        content = _json(bytes(self._body))
        if not isinstance(content, dict) or not (content.get("choices") or content.get("error")):
            return bytes(self._body[:65536]).decode(errors="replace").strip() or "(nothing)"
        self._take(content, "message")
        return ""

    def _line(self, line: bytes) -> None:
        if self.done or not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        content = _json(data)
        if data == b"[DONE]":
            self.done = self._streams = True
        elif isinstance(content, dict):
            self._streams = True
            self._body.clear()
            self._take(content, "delta")

    def _take(self, content: dict[str, Any], message: str) -> None:
        if content.get("error"):
            self.error = content
        choices = content.get("choices")
        if isinstance(choices, list) and choices:
            self._answer.add(choices[0], message)
        self._answer.count(content.get("usage"))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
