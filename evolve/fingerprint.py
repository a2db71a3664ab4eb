"""A hash of what decides what comes of a run: our own code, Python, and libraries."""

import hashlib
import sys
from collections.abc import Collection
from functools import cache
from importlib.metadata import version
from pathlib import Path

import evolve


@cache
def fingerprint(libraries: tuple[str, ...], without: Collection[str] = frozenset()) -> str:
    """Returns a hash of these libraries' versions, and of our code but for the modules and packages ``without``."""
    home = Path(next(iter(evolve.__path__)))
    files = (file.relative_to(home) for file in home.rglob("*.py"))
    found = hashlib.sha256(" ".join((sys.version, *map(version, libraries))).encode())
    for file in sorted(file for file in files if file.parts[0].removesuffix(".py") not in without):
        found.update(file.as_posix().encode() + b"\0" + hashlib.sha256((home / file).read_bytes()).digest())
    return found.hexdigest()
