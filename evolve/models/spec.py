"""Which models a run asks, and what is said of each on the command line."""

import difflib
import math
import re
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from evolve.types import EvolveError

MANUAL = "manual"
"""The name of the model that is a person: prompts and answers are files."""

Role = Literal["any", "cheap", "strong"]

_KEYS = ("weight", "role", "base-url", "price", "key")
_USE = "NAME[,weight=3][,role=cheap][,base-url=http://...][,price=IN/OUT[/CACHED]][,key=VARIABLE]"


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens.

    ``cached`` is for input that the provider had in its cache, ``written`` for input that it put there;
    either is None where it is not known, and then costs as other input does.
    """

    input: float
    output: float
    cached: float | None = None
    written: float | None = None

    def __post_init__(self) -> None:
        for dollars in (self.input, self.output, self.cached, self.written):
            if dollars is not None and not 0 <= dollars < math.inf:
                raise EvolveError(f"a price is a number of dollars of at least 0 per million tokens; got {dollars!r}")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of a run.

    ``name`` is LiteLLM's or, where there is a ``base_url``, that of an OpenAI-compatible server;
    ``weight`` is how often it is asked compared with others, ``key`` the environment variable that
    holds its key.
    """

    name: str
    weight: float = 1.0
    role: Role = "any"
    base_url: str = ""
    price: Price | None = None
    key: str = ""

    @property
    def manual(self) -> bool:
        """Whether a person answers."""
        return self.name == MANUAL


def parse(text: str, base_url: str = "", price: Price | None = None) -> ModelSpec:
    """Returns the model that a command line names; ``base_url`` and ``price`` hold where the text has none.

    Raises:
        EvolveError: the text does not follow ``NAME[,KEY=VALUE...]``.
    """
    name, *settings = (part.strip() for part in text.split(","))
    if not re.fullmatch(r"[^\s=,\x00-\x1f\x7f]{1,200}", name):
        raise EvolveError(f"a model is written {_USE}; {text[:80]!r} does not begin with a name")
    said = _settings(name, settings)
    if name == MANUAL:
        return _manual(said)
    own_url = said.get("base-url", base_url)
    return ModelSpec(
        name,
        _weight(name, said.get("weight", "1")),
        _role(name, said.get("role", "any")),
        address(own_url) if own_url else "",
        parse_price(said["price"]) if "price" in said else price,
        _variable(name, said["key"]) if "key" in said else "",
    )


def parse_price(text: str) -> Price:
    """Returns the price written ``IN/OUT`` or ``IN/OUT/CACHED``.

    Raises:
        EvolveError: it is written otherwise.
    """
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3):
        raise EvolveError(f"a price is written IN/OUT or IN/OUT/CACHED in dollars per million tokens; got {text!r}")
    return Price(*numbers)


def address(url: str) -> str:
    """Returns the address of an OpenAI-compatible server, as clients want it.

    Raises:
        EvolveError: it is no http address, or holds more than an address; the message repeats no password.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise EvolveError("a base URL looks like http://127.0.0.1:8000/v1; what was given is no http or https address")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise EvolveError(
            f"the base URL of {parts.hostname} holds a password or a query; give only the address, and the key by "
            "key=VARIABLE, the name of an environment variable"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/chat/completions')}"


def identity(spec: ModelSpec) -> str:
    """Returns which model it is and how it is asked, without where it is reached, by whom and for how much.

    These may have to be mended before a run can go on.
    """
    weight = repr(float(spec.weight)).removesuffix(".0")
    said = [
        spec.name,
        f"weight={weight}" if spec.weight != 1 else "",
        f"role={spec.role}" if spec.role != "any" else "",
    ]
    return ",".join(part for part in said if part)


def _settings(name: str, settings: list[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {close[0]}=...?" if close else f"there are: {', '.join(_KEYS)}"
            raise EvolveError(f"model {name}: unknown setting {key[:40]!r}; {hint}")
        if key in said:
            raise EvolveError(f"model {name}: {key} is given twice")
        said[key] = value.strip()
    return said


def _manual(said: dict[str, str]) -> ModelSpec:
    extra = sorted(said.keys() - {"weight", "role"})
    if extra:
        raise EvolveError(f"model {MANUAL} is a person, who has no {extra[0]}; leave it out")
    return ModelSpec(MANUAL, _weight(MANUAL, said.get("weight", "1")), _role(MANUAL, said.get("role", "any")))


def _weight(name: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight < math.inf:
        raise EvolveError(f"model {name}: weight must be a number above 0; got {text!r}")
    return weight


def _role(name: str, text: str) -> Role:
    for role in get_args(Role):
        if text == role:
            found: Role = role
            return found
    raise EvolveError(f"model {name}: role must be one of {', '.join(get_args(Role))}; got {text!r}")


def _variable(name: str, text: str) -> str:
    # Most names are upper case; a key pasted in place of a name must not reach the screen or the journal.
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", text):
        raise EvolveError(
            f"model {name}: key= takes the name of an environment variable such as MY_API_KEY, never the key itself"
        )
    return text
