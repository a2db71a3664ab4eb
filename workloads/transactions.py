"""Transactions of a database: what each reads and writes in which slot, and readers of the public formats.

Two formats are read.  The case study of transaction ordering keeps a workload as a JSON object of texts such as
``"txn0": "w-17 r-5 * r-4"``; ``*`` is a slot without access.  TAOBench (Cheng et al., VLDB 2022) publishes
distributions of production traffic, one JSON object a line.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

READ, WRITE, IDLE = "r", "w", "-"
KINDS = (READ, WRITE, IDLE)
NO_KEY = -1
_OPERATION = re.compile(r"([rw])-(0|[1-9][0-9]{0,17})")


class Operation(NamedTuple):
    """What a transaction does in one of its slots; an idle one has ``NO_KEY``."""

    kind: str
    key: int


IDLE_SLOT = Operation(IDLE, NO_KEY)
Transaction = tuple[Operation, ...]
"""One operation to a slot, in order."""


class FormatError(ValueError):
    """A file breaks its public format: the message names file, place, what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values and how often each came; where the file gives none, the values are the ranks 0, 1, 2, ..."""

    values: tuple[int | str, ...]
    weights: tuple[float, ...]


def parse(text: str) -> Transaction:
    """Returns the transaction of a text such as ``w-17 r-5 *``.

    Raises:
        ValueError: an operation is none of ``r-KEY``, ``w-KEY`` (keys are whole numbers from 0) and ``*``.
    """
    return tuple(_operation(word) for word in text.split())


def _operation(word: str) -> Operation:
    if word == "*":
        return IDLE_SLOT
    found = _OPERATION.fullmatch(word)
    if found is None:
        raise ValueError(f"expected r-KEY, w-KEY or *, with a whole number from 0 as KEY; got {word[:40]!r}")
    return Operation(found[1], int(found[2]))


def read_transactions(path: Path) -> tuple[Transaction, ...]:
    """Returns the transactions of a public workload, in the order of the file, which numbers them from 0.

    Raises:
        FormatError: the file does not read so.
    """
    text = _text(path)
    try:
        file = json.loads(text, object_pairs_hook=list)
    except json.JSONDecodeError as broken:
        raise _no_json(path, broken, broken.lineno) from broken
    if not text.lstrip().startswith("{") or not file:
        raise FormatError(f"{path}, line 1: expected an object of transactions, txn0 first; got {_shown(file)}")
    found: list[Transaction] = []
    place = 0
    for name, value in file:
        place = text.find(json.dumps(name), place) + 1
        line = text.count("\n", 0, place) + 1
        found.append(_numbered(len(found), name, value, f"{path}, line {line}"))
    return tuple(found)


def _numbered(index: int, name: str, value: Any, where: str) -> Transaction:
    if name != f"txn{index}":
        raise FormatError(f"{where}: expected txn{index}, for transactions are in order; got {name[:40]!r}")
    if not isinstance(value, str):
        raise FormatError(f"{where}: {name}: expected a text of operations; got {_shown(value)}")
    try:
        return parse(value)
    except ValueError as broken:
        raise FormatError(f"{where}: {name}: {broken}") from broken


def read_distributions(path: Path) -> dict[str, Distribution]:
    """Returns the distributions of a TAOBench workload by name; those without weights are left out.

    Raises:
        FormatError: a line is no ``{"name": ..., "values": [...], "weights": [...]}``.
    """
    found: dict[str, Distribution] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        where = f"{path}, line {number}"
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as broken:
            raise _no_json(path, broken, number) from broken
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            raise FormatError(f"{where}: expected an object with a name; got {_shown(entry)}")
        found[entry["name"]] = _distribution(entry, where)
    return found


def _distribution(entry: Mapping[str, Any], where: str) -> Distribution:
    weights = entry.get("weights")
    if not isinstance(weights, list) or not all(type(weight) in (int, float) for weight in weights):
        raise FormatError(f"{where}: expected a list of numbers as weights; got {_shown(weights)}")
    if not any(weights) or min(weights) < 0:
        raise FormatError(f"{where}: expected weights from 0, some above it; got {_shown(min(weights, default=[]))}")
    values = entry.get("values", list(range(len(weights))))
    if not isinstance(values, list) or len(values) != len(weights):
        raise FormatError(f"{where}: expected a value for each of the {len(weights)} weights; got {_shown(values)}")
    if entry["name"].endswith("_sizes"):
        _insist_on_sizes(values, where)
    return Distribution(tuple(values), tuple(weights))


def _insist_on_sizes(values: list[Any], where: str) -> None:
    for value, after in zip(values, [*values[1:], None], strict=True):
        if type(value) is not int or value < 1:
            raise FormatError(f"{where}: expected sizes as whole numbers from 1; got {_shown(value)}")
        if type(after) is int and after <= value:
            raise FormatError(f"{where}: expected sizes in rising order; got {after} after {value}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as broken:
        raise FormatError(f"{path}: expected a file of transactions; {broken.strerror}") from broken
    except UnicodeDecodeError as broken:
        raise FormatError(f"{path}: expected JSON in UTF-8; {broken.reason} at byte {broken.start}") from broken


def _no_json(path: Path, broken: json.JSONDecodeError, line: int) -> FormatError:
    return FormatError(f"{path}, line {line}: expected JSON; {broken.msg} at column {broken.colno} (truncated?)")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"the keys {', '.join(map(str, list(value)[:6]))}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return repr(value)[:60]
