"""The command line: ``evolve COMMAND --help`` says what each command does.

Exit status: 0 done, 1 the work failed, 2 wrong use.  What is heavy is imported by the command that needs it.
"""

import argparse
import datetime
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evolve import options as command_line
from evolve.types import EvolveError

if TYPE_CHECKING:
    from evolve.report.progress import ProgressLine


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = command_line.parse(arguments)
    leave = "\r\x1b[K" if sys.stderr.isatty() else ""  # the progress line
    logging.basicConfig(format=f"{leave}%(levelname)s: %(message)s")
    try:
        status = _COMMANDS[options.command](options)
        sys.stdout.flush()
    except EvolveError as error:
        print(f"evolve: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"evolve: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        print("\nevolve: interrupted", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - the last place where it can be said in a line
        print(f"evolve: a bug, of evolve or of the problem's file: {_traced(error)}", file=sys.stderr)
        return 1
    return status


def _traced(error: Exception) -> str:
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno}, in {last.name})"


def _problems(options: argparse.Namespace) -> int:
    from evolve.overview import overview
    from evolve.report import tables

    rows = overview()
    if options.json:
        print(tables.as_json(rows))
        return 0
    body = [
        (
            row.problem,
            row.about,
            f"{row.objective} ({row.direction})",
            str(row.baselines),
            f"{row.best_baseline} {row.best_score:.3f}",
            tables.share(row.gap),
            tables.number(row.seconds, 2),
        )
        for row in rows
    ]
    headings = ("problem", "decision", "objective", "baselines", "best baseline", "gap closed", "s/evaluation")
    print(tables.table(headings, body, left=3))
    return 0


def _run(options: argparse.Namespace) -> int:
    from evolve import catalog, plan, session
    from evolve.cases import cases_of
    from evolve.report.progress import ProgressLine
    from evolve.standings import gap

    problem = catalog.load(options.problem)
    problem.baselines()  # whatever is wrong with them is said before a folder is made
    cases = cases_of(problem, options.cases or "train")
    limit, writing = plan.limit(options), plan.writing(options)
    preview = plan.preview(writing, problem, cases, limit)
    _insist_on_sandbox(options)
    options.out = options.out or _fresh_folder(problem.name)
    progress = ProgressLine(lambda best: gap(problem, best.evaluation, cases.bounds), cases=cases.name)

    def begun() -> None:
        said = f"searching in {options.out}; Ctrl-C stops, and `{plan.again(options)}` goes on"
        print("\n".join([*preview, said]), file=sys.stderr)

    try:
        ending = session.search(
            problem,
            options.out,
            limit,
            writing=writing,
            cases=options.cases or "train",
            seed=options.seed,
            workers=options.workers,
            unsafe=options.unsafe,
            begun=begun,
            report=progress,
            waiting=progress.waiting,
            choosing=progress.choosing,
        )
    except KeyboardInterrupt:
        return _stopped(options, progress)
    progress.clear()
    _print_run(options, ending.best)
    if ending.trouble:
        print(f"evolve: {ending.trouble}; when that is mended, `{plan.again(options)}` goes on", file=sys.stderr)
    elif ending.exhausted:
        print(f"stopped early: {ending.exhausted}", file=sys.stderr)
    elif options.dollars is not None or options.tokens is not None or options.target is not None:
        print(f"ended: {ending.spent}", file=sys.stderr)
    return 1 if ending.trouble else 0


def _insist_on_sandbox(options: argparse.Namespace) -> None:
    """Says what this machine lacks before a folder is made."""
    from evolve.sandbox import Sandbox

    Sandbox(unsafe=options.unsafe).close()


def _stopped(options: argparse.Namespace, progress: "ProgressLine") -> int:
    from evolve import plan

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
    progress.finish()
    print(f"\nstopped; every evaluation is kept, and `{plan.again(options)}` goes on", file=sys.stderr)
    if (options.out / "journal.sqlite").exists():
        _print_run(options)
    return 1


def _fresh_folder(problem: str) -> Path:
    """Makes a folder that no other run has, not even one that begins in the same second."""
    name = f"{problem}-{datetime.datetime.now().astimezone():%Y%m%d-%H%M%S}"
    for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
        path = Path("runs") / f"{name}{suffix}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise EvolveError("no free folder in runs/; give --out")


def _print_run(options: argparse.Namespace, best: int | None = None) -> int:
    from evolve.report import runs, tables

    with runs.opened(options.out) as (folder, journal):
        summary = runs.summary(folder, journal, best)
        print(tables.as_json(summary) if options.json else runs.describe(summary))
    return 0


def _prompt(options: argparse.Namespace) -> int:
    from evolve import catalog, preview
    from evolve.proposers import prompts

    if options.write is not None:
        written = prompts.write(options.write)
        print(f"wrote {', '.join(map(str, written))}; change them, and give --prompts {options.write} to `evolve run`")
        return 0
    problem = catalog.load(options.problem)
    question = preview.question(
        problem, options.operator, options.cases or "train", options.prompt_tokens or 12_000, options.prompts
    )
    print(question)
    return 0


def _score(options: argparse.Namespace) -> int:
    from evolve import catalog, scoring
    from evolve.report import tables

    problem = catalog.load(options.problem)
    rows = scoring.score(
        problem, options.policies, options.cases or options.split or "train", options.workers, unsafe=options.unsafe
    )
    print(tables.as_json(rows) if options.json else tables.standings(rows, problem.objective))
    return 0 if all(row.evaluation.score is not None for row in rows) else 1


def _verify(options: argparse.Namespace) -> int:
    from evolve.executors.local import LocalExecutor, default_workers
    from evolve.folder import RunFolder
    from evolve.report import proof, runs, tables
    from evolve.verify import verify

    folder = RunFolder(options.run)
    with folder.open() as journal, folder.locked():
        problem = runs.problem_of(folder, journal)
        secret = folder.secret(journal.header)
        print("judging on the sealed cases ...", file=sys.stderr)
        with LocalExecutor(problem, options.workers or default_workers(), unsafe=options.unsafe) as executor:
            result = verify(problem, journal, executor, secret)
        record = proof.record(folder, journal, problem, result)
        folder.keep(folder.best, record["policy"])
        folder.keep(folder.proof, tables.as_json(record) + "\n")
        text = proof.proof(folder, journal, problem, result, colour=_colour())
        print(tables.as_json(record) if options.json else text)
    return 0 if result.found.evaluation.score is not None else 1


def _show(options: argparse.Namespace) -> int:
    from evolve.report import runs, tables

    with runs.opened(options.run) as (folder, journal):
        if options.id is None:
            run = runs.summary(folder, journal)
            print(tables.as_json(run) if options.json else runs.describe(run))
        else:
            found = runs.turn(journal, options.id)
            describe = runs.describe_prompt if options.prompt else runs.describe_turn
            print(tables.as_json(found) if options.json else describe(journal, options.id))
    return 0


def _log(options: argparse.Namespace) -> int:
    from evolve.report import runs, tables

    with runs.opened(options.run) as (_, journal):
        entries = journal.log() if options.all else runs.line_to_best(journal)
        print(tables.as_json(entries) if options.json else runs.log_table(entries))
        if not (options.all or options.json):
            print(f"\nthe line to the best; `evolve log {options.run} --all` lists all {journal.turns()}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    from evolve.report import runs, tables

    numbers = [number for number in (options.id, options.other) if number is not None]
    with runs.opened(options.run) as (_, journal):
        text = runs.diff(journal, numbers, colour=_colour() and not options.json)
    print(tables.as_json({"diff": text}) if options.json else text)
    return 0


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _new(options: argparse.Namespace) -> int:
    from evolve import scaffold

    path = scaffold.write(options.name, Path())
    print(f"wrote {path}; try: evolve score {path} && evolve run {path} --evaluations 200")
    return 0


def _check(options: argparse.Namespace) -> int:
    import random
    import time

    from evolve import catalog, conformance
    from evolve.report import check, tables

    def tell(name: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[Kchecking {name} ...", end="", file=sys.stderr, flush=True)

    found = conformance.audit(catalog.load(options.problem), random.Random(0), time.monotonic, tell)
    print("\r\x1b[K" if sys.stderr.isatty() else "", end="", file=sys.stderr, flush=True)
    print(tables.as_json(found) if options.json else check.describe(found))
    return 0 if found.passed else 1


def _doctor(options: argparse.Namespace) -> int:
    from evolve.report import doctor, tables

    health = doctor.examine()
    print(tables.as_json(health) if options.json else doctor.describe(health))
    return 0 if health.sound else 1


_COMMANDS = {
    "problems": _problems,
    "run": _run,
    "prompt": _prompt,
    "score": _score,
    "verify": _verify,
    "show": _show,
    "log": _log,
    "diff": _diff,
    "new": _new,
    "check": _check,
    "doctor": _doctor,
}


if __name__ == "__main__":
    sys.exit(main())
