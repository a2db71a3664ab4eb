"""Keys: where they come from, and that they appear nowhere else."""

import html
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from evolve.models.spec import ModelSpec
from evolve.types import EvolveError

_HIDDEN = "[key]"
_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_SHORTEST = 8  # shorter values are words that messages may well hold
_SHORTEST_IN_TEXT = 16  # in an answer, which is code, only what can be nothing else
_LOOKS_LIKE_A_KEY = (
    (re.compile(r"(?<![A-Za-z0-9])(sk-|gsk_|hf_|xai-|AIza)[A-Za-z0-9_*.-]{8,}"), _HIDDEN),
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',;]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)([?&](?:api[_-]?)?(?:key|token)=)[^&\s\"']+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)(https?://)[^/\s@]+@"), rf"\1{_HIDDEN}@"),
)
_MOST_CHARACTERS = 300


def load_env(path: Path = Path(".env")) -> None:
    """Puts the variables of a ``.env`` file into the environment; what is set already stays.

    Raises:
        EvolveError: the file is there and cannot be read.
    """
    if not path.exists():
        return
    try:
        from dotenv import dotenv_values
    except ImportError:
        raise EvolveError(f"{path} needs python-dotenv; pip install -e '.[llm]' in evolve's folder") from None
    try:
        values = dotenv_values(stream=io.StringIO(path.read_text(encoding="utf-8-sig")), interpolate=False)
    except (OSError, ValueError) as error:
        raise EvolveError(f"cannot read {path} ({type(error).__name__}); lines look like OPENAI_API_KEY=...") from None
    for name, value in values.items():
        if value is not None and "\0" not in name + value:
            os.environ.setdefault(name, value)


def key_of(spec: ModelSpec, env: Mapping[str, str] | None = None) -> str:
    """Returns the key for a model at a ``base_url``; ``none`` where the server is to get none.

    The user's OpenAI key goes to no server without encryption unless ``key=`` says so.

    Raises:
        EvolveError: the variable that ``key=`` names is not set, or holds what no key is.
    """
    env = os.environ if env is None else env
    if spec.key:
        return _named(spec.key, env)
    if spec.base_url.startswith("https://") and env.get("OPENAI_API_KEY", "").strip():
        return _named("OPENAI_API_KEY", env)
    return "none"


def own_key(spec: ModelSpec, env: Mapping[str, str] | None = None) -> str | None:
    """Returns the key that ``key=`` names, or None where the model has no such setting.

    Raises:
        EvolveError: the variable is not set, or holds what no key is.
    """
    return _named(spec.key, os.environ if env is None else env) if spec.key else None


def redact(text: str, *secrets: str, env: Mapping[str, str] | None = None) -> str:
    """Returns the text without ``secrets``, the values of variables that hold keys, and what looks like a key."""
    text = _without(text, [*secrets, *_values(os.environ if env is None else env)], _SHORTEST)
    for pattern, instead in _LOOKS_LIKE_A_KEY:
        text = pattern.sub(instead, text)
    return text


def redact_answer(text: str, *secrets: str, env: Mapping[str, str] | None = None) -> str:
    """Returns a model's answer without ``secrets`` and the values of variables that hold keys."""
    return _without(text, [*secrets, *_values(os.environ if env is None else env)], _SHORTEST_IN_TEXT)


def message(text: str, *secrets: str) -> str:
    """Returns the one line that a person needs of what a provider said: no key, no control character, no page."""
    text = text[: 64 * _MOST_CHARACTERS]  # a key may be cut only where the line ends up cut as well
    line = redact(_page(text) or _first_line(text), *secrets)
    line = " ".join("".join(c if c.isprintable() else " " for c in line).split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 3]}..."


def _named(name: str, env: Mapping[str, str]) -> str:
    key = env.get(name, "").strip()
    if not key:
        raise EvolveError(f"set {name} in the environment or in .env; it is to hold the key")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise EvolveError(f"{name} holds characters that no key has; put the key into it as the provider shows it")
    return key


def _values(env: Mapping[str, str]) -> list[str]:
    return [value.strip() for name, value in env.items() if name.upper().endswith(_NAMES)]


def _without(text: str, values: list[str], shortest: int) -> str:
    for value in sorted(set(values), key=len, reverse=True):  # one key may begin as another does
        if len(value) >= shortest:
            text = text.replace(value, _HIDDEN)
    return text


def _page(text: str) -> str:
    if not re.match(r"\s*<(!doctype|html|head|body)", text, re.IGNORECASE):
        return ""
    title = re.search(r"<title[^>]*>([^<]{1,500})", text, re.IGNORECASE)
    return f"an HTML page ({html.unescape(title[1]).strip()!r})" if title and title[1].strip() else "an HTML page"


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if any(map(str.isalnum, line))), "")
