"""What an error of a provider means: by its status, and by what it says."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from evolve.models import keys
from evolve.models.attempt import Attempt, nothing
from evolve.types import Outcome

OF_A_GATEWAY = (408, 504, 524)
"""Time-outs of what stands before a model, which may have worked on the answer: it may have to be paid."""

_MOST_CHARACTERS_SAID = 180  # our advice comes after it
_NO_CREDIT = re.compile(
    r"insufficient_quota|exceeded your current quota|insufficient (balance|credit|funds)|payment", re.I
)
_NO_MODEL = re.compile(
    r"model_not_found|(invalid|unknown|no such) model|model\b.{0,200}?\b(not found|not exist|n't exist|not supported)",
    re.I,
)
_BAD_KEY = re.compile(r"(invalid|incorrect|missing|no).{0,20}api.?key|api.?key.{0,20}(not valid|invalid|missing)", re.I)


@dataclass(frozen=True, slots=True)
class Server:
    """Who failed, for messages: a model, where it is if not at its provider's, and the variable of its key."""

    model: str
    base_url: str = ""
    key: str = ""
    secrets: tuple[str, ...] = ()

    def message(self, text: str) -> str:
        """Returns one line that is fit to be shown and kept."""
        return keys.message(text, *self.secrets)


def failed(server: Server, status: int, body: str, headers: Mapping[str, str], wall: Callable[[], float]) -> Attempt:
    """Returns what an error response means; none of them costs anything."""
    code, text = said(body)
    line = f"{status}: {server.message(text)[:_MOST_CHARACTERS_SAID]}" if text.strip() else str(status)
    outcome, advice = _meaning(server, status, f"{code} {text}"[:4000], body)
    again = outcome in (Outcome.RATE_LIMITED, Outcome.UNAVAILABLE)
    after_seconds = retry_after(headers, wall) if again else None
    return nothing(outcome, server.message(f"{line}; {advice}" if advice else line), again, after_seconds)


def said(body: str) -> tuple[str, str]:
    """Returns the code and the message in the body of an error; the body itself where it is no such JSON."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return "", body
    if isinstance(content, list) and content:
        content = content[0]
    error = content.get("error", content) if isinstance(content, dict) else content
    if not isinstance(error, dict):
        return "", str(error)[:4000]
    text = next((error[key] for key in ("message", "detail", "msg") if error.get(key)), body)
    if isinstance(text, list) and text and isinstance(text[0], dict):  # FastAPI: one entry for each wrong field
        text = f"{text[0].get('msg')} {text[0].get('loc', '')}"
    return f"{error.get('code')} {error.get('type')}", str(text)


def retry_after(headers: Mapping[str, str], wall: Callable[[], float]) -> float | None:
    """Returns the seconds that a response asks to wait, as a number or as a date; None where it asks for nothing."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text) if text[:1].isdigit() else _date(text) - _now(headers, wall)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _meaning(server: Server, status: int, text: str, body: str) -> tuple[Outcome, str]:
    if status in (401, 403):
        return Outcome.KEY_REFUSED, f"check the key{f' in {server.key}' if server.key else ''}"
    if status == 402 or (status in (400, 429) and _NO_CREDIT.search(text)):
        return Outcome.KEY_REFUSED, "the account has no credit left"
    if status == 429:
        return Outcome.RATE_LIMITED, ""
    if status == 404 or 300 <= status < 400 or status == 405:
        return Outcome.NO_SUCH_MODEL, _where(server, status, text, body)
    if status == 400 and _BAD_KEY.search(text):
        return Outcome.KEY_REFUSED, f"check the key{f' in {server.key}' if server.key else ''}"
    if status == 400 and _NO_MODEL.search(text):
        return Outcome.NO_SUCH_MODEL, _where(server, 404, text, body)
    return (Outcome.REJECTED, "") if 400 <= status < 500 else (Outcome.UNAVAILABLE, "")


def _where(server: Server, status: int, text: str, body: str) -> str:
    if not server.base_url:
        return f"the provider knows no model {server.model}; check --model"
    if status == 404 and body.lstrip().startswith(("{", "[")) and "model" in text.lower():
        return f"the server knows no model {server.model}; check --model and --base-url"
    return f"nothing answers questions at {server.base_url}; check --base-url, which often ends in /v1"


def _date(text: str) -> float:
    date: Any = parsedate_to_datetime(text)
    return float((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())


def _now(headers: Mapping[str, str], wall: Callable[[], float]) -> float:
    # The server's own clock where it tells it: ours may be off by minutes.
    try:
        return _date(headers["date"])
    except (KeyError, ValueError, TypeError):
        return datetime.fromtimestamp(wall(), UTC).timestamp()
