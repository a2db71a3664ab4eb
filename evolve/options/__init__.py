"""The words of the command line; ``cli`` does what they say."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evolve.options import common, comparing, judging, looking, searching, steering


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns what a command line says; wrong use ends the process with status 2 and a message."""
    whole = parser()
    options, unknown = whole.parse_known_args(arguments)
    if options.command == "gpu" and options.what is None:
        options.parser.print_help(sys.stderr)
        options.parser.exit(2, "\nevolve gpu: error: expected what to do, such as `evolve gpu record PROBLEM`\n")
    options.words = list(sys.argv[1:] if arguments is None else arguments)
    if unknown:
        used: argparse.ArgumentParser = options.parser
        known = [name for action in used._actions for name in action.option_strings]  # argparse lists them nowhere else
        close = difflib.get_close_matches(unknown[0].partition("=")[0], known, 1)
        hint = f"did you mean {close[0]}?" if close else f"`{used.prog} --help` lists what it takes"
        used.error(f"unknown argument {unknown[0]}; {hint}")
    return options


class _Command(argparse.ArgumentParser):
    """A command's parser: its options may stand anywhere, also between what is compared or judged."""

    _again = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parses as ever, and where something is left, options first: argparse expects the rest in one piece."""
        found, left = super().parse_known_args(args, namespace)
        if not left or self._again or any(action.nargs == argparse.PARSER for action in self._actions):
            return found, left
        self._again = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._again = False


def parser() -> argparse.ArgumentParser:
    """Returns the parser; what it parses has the name of the command as ``command``."""
    whole = argparse.ArgumentParser(
        prog="evolve", description="Discovers systems algorithms and proves what they are worth.", allow_abbrev=False
    )
    commands = whole.add_subparsers(metavar="COMMAND", dest="command", required=True, parser_class=_Command)

    def command(name: str, about: str, *, table: bool = True) -> argparse.ArgumentParser:
        about_sentence = about[0].upper() + about[1:] + "."
        added = commands.add_parser(name, help=about, description=about_sentence, allow_abbrev=False)
        added.set_defaults(parser=added)
        if table:
            added.add_argument("--json", action="store_true", help="print JSON instead of text")
        return added

    problems = command("problems", "what can be evolved, with baselines, bounds and scores")
    problems.add_argument("--fresh", action="store_true", help="judge the baselines anew, whatever is known of them")
    searching.run(command("run", "search for a better policy; the same --out resumes"))
    comparing.compare(command("compare", "search strategies at equal budget, with statistics; the same --out resumes"))
    searching.prompt(command("prompt", "what a model would be asked", table=False))
    judging.score(command("score", "judge policies side by side"))
    verify = command("verify", "prove the best of a run on the sealed cases, or judge a published result again")
    publish = command("publish", "prove the best of a run, and keep it as a result that others can judge again")
    show = command("show", "a run, or one of its candidates")
    log = command("log", "how a run came to its best, step by step, or all its candidates")
    diff = command("diff", "how a candidate differs from the reference, its parent, another or a file")
    verify.add_argument("run", type=Path, metavar="RUN", help="a run's folder, or that of a published result")
    for reader in (publish, show, log, diff):
        reader.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    for judge in (verify, publish):
        common.workers(judge)
        common.unsafe(judge)
        judge.add_argument(
            "--problem",
            metavar="PROBLEM",
            help="its problem: for a run that somebody gave you, your own copy of the file",
        )
    judging.publish(publish)
    looking.log(log)
    show.add_argument("id", nargs="?", type=int, metavar="ID", help="a candidate's number (default: the run itself)")
    show.add_argument("--prompt", action="store_true", help="what the model was asked that wrote the candidate")
    looking.diff(diff)
    steering.hint(command("hint", "tell the models of a run something, also while it goes on", table=False))
    steering.run(command("pause", "let a run begin no other turn; seconds of a pause cost nothing", table=False))
    steering.run(command("resume", "end the pause of a run", table=False))
    judging.explain(
        command("explain", "what each part of a found policy is worth, and the smallest part that is enough")
    )
    looking.lineage(command("lineage", "a run as a git repository, with a commit for each candidate"))
    looking.export(command("export", "a branch in your repository with a policy, and its evidence as the message"))
    new = command("new", "write a problem of your own that runs at once", table=False)
    new.add_argument("name", metavar="NAME", help="name of the problem, such as cache_eviction")
    check = command("check", "audit a problem, so that its scores can be trusted")
    check.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    common.objective(check)
    judging.gpu(command("gpu", "measure on a real GPU what a problem replays", table=False))
    command("doctor", "check the sandbox, the machine, its GPU and the versions")
    return whole
