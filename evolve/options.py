"""The words of the command line; ``cli`` does what they say."""

import argparse
import difflib
import math
import sys
from collections.abc import Sequence
from pathlib import Path


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

    problems = command("problems", "what can be evolved, with baselines, bounds and scores")
    problems.add_argument("--fresh", action="store_true", help="judge the baselines anew, whatever is known of them")
    _add_run(command("run", "search for a better policy; the same --out resumes"))
    _add_prompt(command("prompt", "what a model would be asked", table=False))
    _add_score(command("score", "judge policies side by side"))
    verify = command("verify", "prove the best of a run on the sealed cases, or judge a published result again")
    publish = command("publish", "prove the best of a run, and keep it as a result that others can judge again")
    show = command("show", "a run, or one of its candidates")
    log = command("log", "the candidates of a run, or only the line to the best")
    diff = command("diff", "how a candidate differs from the reference or from another")
    verify.add_argument("run", type=Path, metavar="RUN", help="a run's folder, or that of a published result")
    for reader in (publish, show, log, diff):
        reader.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    for judge in (verify, publish):
        _add_workers(judge)
        _add_unsafe(judge)
        judge.add_argument(
            "--problem",
            metavar="PROBLEM",
            help="its problem: for a run that somebody gave you, your own copy of the file",
        )
    _add_publish(publish)
    log.add_argument("--all", action="store_true", help="every candidate instead of the line from reference to best")
    show.add_argument("id", nargs="?", type=int, metavar="ID", help="a candidate's number (default: the run itself)")
    show.add_argument("--prompt", action="store_true", help="what the model was asked that wrote the candidate")
    diff.add_argument("id", nargs="?", type=int, metavar="ID", help="a candidate (default: the best)")
    diff.add_argument("other", nargs="?", type=int, metavar="ID", help="a later one (default: against the reference)")
    new = command("new", "write a problem of your own that runs at once", table=False)
    new.add_argument("name", metavar="NAME", help="name of the problem, such as cache_eviction")
    check = command("check", "audit a problem, so that its scores can be trusted")
    check.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    _add_objective(check)
    _add_gpu(command("gpu", "measure on a real GPU what a problem replays", table=False))
    command("doctor", "check the sandbox, the machine, its GPU and the versions")
    return whole


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    run.add_argument(
        "--cases", type=_no_split, metavar="NAME_OR_FILE", help="search on these cases instead of the train split"
    )
    _add_objective(run)
    run.add_argument("--seed", type=int, metavar="S", help="seed of the search (default 0)")
    _add_workers(run)
    _add_unsafe(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (default: a new one in runs/)")
    _add_budget(
        run.add_argument_group("budget", "What a run may use over all sittings; the first that is spent ends it.")
    )
    _add_models(run.add_argument_group("models", "Who writes the policies; without --model the embedded proposers do."))


def _add_budget(budget: argparse._ArgumentGroup) -> None:
    budget.add_argument(
        "--evaluations",
        type=_positive,
        metavar="N",
        help="policies judged, baselines included (without any budget 1000, with a model 100)",
    )
    budget.add_argument("--minutes", type=_amount, metavar="M", help="minutes of search")
    budget.add_argument("--dollars", type=_amount, metavar="D", help="what models may cost")
    budget.add_argument("--tokens", type=_positive, metavar="N", help="tokens that models may read and write")
    budget.add_argument("--target", type=_amount, metavar="SCORE", help="stop when a policy has this score on train")


def _add_models(models: argparse._ArgumentGroup) -> None:
    models.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="M",
        help="a LiteLLM name such as anthropic/NAME, gemini/NAME or ollama/NAME; with --base-url a name that the "
        "server knows; `manual`: prompts and answers are files. More than one makes a pool; M may go on with "
        ",weight=W,role=cheap|strong,base-url=URL,price=IN/OUT,key=VARIABLE",
    )
    models.add_argument(
        "--base-url", metavar="URL", help="an OpenAI-compatible server, such as http://127.0.0.1:8000/v1"
    )
    models.add_argument(
        "--price", metavar="IN/OUT", help="dollars per million tokens, where LiteLLM does not know them"
    )
    models.add_argument(
        "--embedded", type=_share, metavar="SHARE", help="share of proposals by the embedded proposers (default 0)"
    )
    models.add_argument("--concurrency", type=_positive, metavar="N", help="calls under way at a time (default 8)")
    models.add_argument("--timeout", type=_amount, metavar="SECONDS", help="longest wait for an answer (default 300)")
    models.add_argument("--answer-tokens", type=_positive, metavar="N", help="longest answer (default 16000)")
    _add_templates(models)
    models.add_argument("--temperature", type=_temperature, metavar="T", help="default: the provider's")
    models.add_argument("--record", type=Path, metavar="FILE", help="keep every answer in a cassette")
    models.add_argument("--replay", type=Path, metavar="FILE", help="take the answers from a cassette and ask nobody")


def _add_templates(models: "argparse._ActionsContainer") -> None:
    models.add_argument("--prompt-tokens", type=_positive, metavar="N", help="longest question (default 12000)")
    models.add_argument("--prompts", type=Path, metavar="DIR", help="templates of your own; see `evolve prompt`")


def _add_prompt(prompt: argparse.ArgumentParser) -> None:
    prompt.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    prompt.add_argument(
        "--operator", choices=("edit", "rewrite", "combine", "repair"), default="edit", help="default: edit"
    )
    prompt.add_argument(
        "--cases", type=_no_split, metavar="NAME_OR_FILE", help="as in a search on these cases instead of train"
    )
    _add_objective(prompt)
    _add_templates(prompt)
    prompt.add_argument("--write", type=Path, metavar="DIR", help="write the templates there, to change them")


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
    which.add_argument(
        "--revealed",
        type=_secret,
        metavar="SECRET",
        help="the test cases of a run whose record reveals what they were drawn from",
    )
    _add_objective(score)
    _add_workers(score)
    _add_unsafe(score)


def _add_publish(publish: argparse.ArgumentParser) -> None:
    publish.add_argument("--name", metavar="NAME", help="what to call it (default: seed-S, of the run's seed)")
    publish.add_argument("--about", metavar="TEXT", default="", help="what the policy does, in your words")
    publish.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where to put <problem>/NAME/ (default: results/ of this checkout)"
    )


def _add_gpu(gpu: argparse.ArgumentParser) -> None:
    about = "Times on this machine's GPU what a problem's cases are made of, and keeps it in a table, with which the "
    what = gpu.add_subparsers(metavar="WHAT", dest="what")
    record = what.add_parser(
        "record",
        help="time a problem's kernels and keep it in a table, with which it runs anywhere",
        description=f"{about}problem runs anywhere as a replay. What was stopped goes on when called again.",
        allow_abbrev=False,
    )
    record.set_defaults(parser=record)
    record.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    record.add_argument("--out", type=Path, metavar="FILE", help="the table (default: where the problem looks for it)")


def _add_objective(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--objective",
        default="",
        metavar="NAME",
        help="what counts, where the problem has several objectives (default: the first that `evolve problems` lists)",
    )


def _add_unsafe(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--unsafe",
        action="store_true",
        help="judge even where the sandbox does not stand, and mark every score: only for policies you have read",
    )


def _add_workers(command: argparse.ArgumentParser) -> None:
    command.add_argument("--workers", type=_positive, metavar="W", help="processes that judge (default: one a core)")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


def _amount(text: str) -> float:
    amount = _number(text)
    if not 0 < amount < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return amount


def _share(text: str) -> float:
    share = _number(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text!r}")
    return share


def _temperature(text: str) -> float:
    temperature = _number(text)
    if not 0 <= temperature <= 2:
        raise argparse.ArgumentTypeError(f"expected a temperature from 0 to 2, got {text!r}")
    return temperature


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # which lies in no range


def _secret(text: str) -> str:
    if not (text and text.isascii() and text.isalnum()):
        raise argparse.ArgumentTypeError(f"expected letters and digits, as `evolve verify` reveals them, got {text!r}")
    return text


def _no_split(text: str) -> str:
    if text in ("train", "validation", "test") or text.startswith("test:"):
        raise argparse.ArgumentTypeError(f"{text} is a split; --split takes train or validation, and test is sealed")
    return text


def _open_split(text: str) -> str:
    if text == "test":
        raise argparse.ArgumentTypeError("the test split is sealed: only `evolve verify` uses it")
    if text not in ("train", "validation"):
        raise argparse.ArgumentTypeError(f"expected train or validation, got {text!r}")
    return text
