"""The words of the command line; ``cli`` does what they say."""

import argparse
import difflib
import math
from collections.abc import Sequence
from pathlib import Path


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns what a command line says; wrong use ends the process with status 2 and a message."""
    whole = parser()
    options, unknown = whole.parse_known_args(arguments)
    if unknown:
        used: argparse.ArgumentParser = options.parser
        known = [name for action in used._actions for name in action.option_strings]  # argparse lists them nowhere else
        close = difflib.get_close_matches(unknown[0].partition("=")[0], known, 1)
        hint = f"did you mean {close[0]}?" if close else f"`{used.prog} --help` lists what it takes"
        used.error(f"unknown argument {unknown[0]}; {hint}")
    return options


def parser() -> argparse.ArgumentParser:
    """Returns the parser; what it parses has the name of the command as ``command``."""
    whole = argparse.ArgumentParser(
        prog="evolve", description="Discovers systems algorithms and proves what they are worth.", allow_abbrev=False
    )
    commands = whole.add_subparsers(metavar="COMMAND", dest="command", required=True)

    def command(name: str, about: str, *, table: bool = True) -> argparse.ArgumentParser:
        about_sentence = about[0].upper() + about[1:] + "."
        added = commands.add_parser(name, help=about, description=about_sentence, allow_abbrev=False)
        added.set_defaults(parser=added)
        if table:
            added.add_argument("--json", action="store_true", help="print JSON instead of text")
        return added

    command("problems", "what can be evolved, with baselines, bounds and scores")
    _add_run(command("run", "search for a better policy; the same --out resumes"))
    _add_score(command("score", "judge policies side by side"))
    verify = command("verify", "prove the best of a run on the sealed cases")
    show = command("show", "a run, or one of its candidates")
    log = command("log", "the candidates of a run, or only the line to the best")
    diff = command("diff", "how a candidate differs from the reference or from another")
    for reader in (verify, show, log, diff):
        reader.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    _add_workers(verify)
    log.add_argument("--all", action="store_true", help="every candidate instead of the line from reference to best")
    show.add_argument("id", nargs="?", type=int, metavar="ID", help="a candidate's number (default: the run itself)")
    diff.add_argument("id", nargs="?", type=int, metavar="ID", help="a candidate (default: the best)")
    diff.add_argument("other", nargs="?", type=int, metavar="ID", help="a later one (default: against the reference)")
    new = command("new", "write a problem of your own that runs at once", table=False)
    new.add_argument("name", metavar="NAME", help="name of the problem, such as cache_eviction")
    command("doctor", "check the sandbox, the machine and the versions")
    return whole


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    run.add_argument(
        "--evaluations", type=_positive, metavar="N", help="stop after N evaluations (default 1000 without --minutes)"
    )
    run.add_argument("--minutes", type=_minutes, metavar="M", help="stop after M minutes of search, over all sittings")
    run.add_argument("--seed", type=int, metavar="S", help="seed of the search (default 0)")
    _add_workers(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (default: a new one in runs/)")


def _add_score(score: argparse.ArgumentParser) -> None:
    score.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    score.add_argument(
        "policies", nargs="*", metavar="POLICY", help="files or names of baselines (default: all baselines)"
    )
    which = score.add_mutually_exclusive_group()
    which.add_argument("--split", type=_open_split, help="train (default) or validation")
    which.add_argument(
        "--cases", type=_no_split, metavar="NAME_OR_FILE", help="a named case set, or a file in a public format"
    )
    _add_workers(score)


def _add_workers(command: argparse.ArgumentParser) -> None:
    command.add_argument("--workers", type=_positive, metavar="W", help="processes that judge (default: one a core)")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"expected minutes above 0, got {text!r}")
    return minutes


def _no_split(text: str) -> str:
    if text in ("train", "validation", "test"):
        raise argparse.ArgumentTypeError(f"{text} is a split; --split takes train or validation, and test is sealed")
    return text


def _open_split(text: str) -> str:
    if text == "test":
        raise argparse.ArgumentTypeError("the test split is sealed: only `evolve verify` uses it")
    if text not in ("train", "validation"):
        raise argparse.ArgumentTypeError(f"expected train or validation, got {text!r}")
    return text
