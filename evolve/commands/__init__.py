"""The commands of ``cli``, one function each: it gets the parsed options and returns the exit status."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from evolve.report import terminal


def show(options: argparse.Namespace, value: object, text: Callable[[], str]) -> None:
    """Prints what was found, as JSON or in words."""
    from evolve.report import tables

    if options.json:
        print(tables.as_json(value))
    else:
        terminal.say(text())


def colour() -> bool:
    """Says whether standard output is a terminal that takes colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def how_to_judge(options: argparse.Namespace) -> dict[str, Any]:
    """Returns how a run or result is to be judged: its problem as the user names it, workers, walls."""
    return {"named": options.problem, "workers": options.workers, "unsafe": options.unsafe}
