"""The command line: ``evolve COMMAND --help`` says what each command does.

Exit status: 0 done, 1 the work failed, 2 wrong use.  What is heavy is imported by the command that needs it.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve import options as command_line
from evolve.report import terminal
from evolve.types import EvolveError

if TYPE_CHECKING:
    from evolve.report.progress import ProgressLine


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = command_line.parse(arguments)
    terminal.prepare()
    try:
        status = _COMMANDS[options.command](options)
        sys.stdout.flush()
    except EvolveError as error:
        terminal.warn(f"evolve: {error}")
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        terminal.warn(f"evolve: {error}")
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        print("\nevolve: interrupted", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - the last place where it can be said in a line
        terminal.warn(f"evolve: a bug, of evolve or of the problem's file: {terminal.traced(error)}")
        return 1
    return status


def _print(options: argparse.Namespace, value: object, text: Callable[[], str]) -> None:
    """Prints what was found, as JSON or in words."""
    from evolve.report import tables

    if options.json:
        print(tables.as_json(value))
    else:
        terminal.say(text())


def _problems(options: argparse.Namespace) -> int:
    from evolve.overview import overview
    from evolve.report import problems

    progress = problems.Progress()
    rows = list(overview(fresh=options.fresh, tell=progress))
    progress.clear()
    _print(options, rows, lambda: problems.describe(rows))
    return 0


def _run(options: argparse.Namespace) -> int:
    from evolve import catalog, plan, session
    from evolve.cases import basis_of, cases_of, insist_on_searchable
    from evolve.report import tables
    from evolve.report.progress import ProgressLine
    from evolve.standings import gap

    problem = catalog.load(options.problem, options.objective)
    problem.baselines()  # whatever is wrong with them is said before a folder is made
    searched = options.cases or "train"
    insist_on_searchable(problem, searched)
    cases = cases_of(problem, searched)
    limit, writing = plan.limit(options), plan.writing(options)
    preview = [*plan.preview(writing, problem, cases, limit), *tables.basis(basis_of(problem, searched), 9)]
    _insist_on_sandbox(options)
    options.out = options.out or plan.fresh_folder(problem.name)
    progress = ProgressLine(lambda best: gap(problem, best.evaluation, cases.bounds), cases=cases.name)

    def begun() -> None:
        said = f"searching in {options.out}; Ctrl-C stops, and `{plan.again(options)}` goes on"
        terminal.warn("\n".join([*preview, said]))

    try:
        ending = session.search(
            problem,
            options.out,
            limit,
            writing=writing,
            cases=searched,
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
        terminal.warn(f"evolve: {ending.trouble}; when that is mended, `{plan.again(options)}` goes on")
    elif ending.exhausted:
        terminal.warn(f"stopped early: {ending.exhausted}")
    elif options.dollars is not None or options.tokens is not None or options.target is not None:
        terminal.warn(f"ended: {ending.spent}")
    return 1 if ending.trouble else 0


def _insist_on_sandbox(options: argparse.Namespace) -> None:
    """Says what this machine lacks before a folder is made, or a sealed case used up."""
    from evolve.sandbox import Sandbox

    Sandbox(unsafe=options.unsafe).close()


def _stopped(options: argparse.Namespace, progress: "ProgressLine") -> int:
    from evolve import plan

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
    progress.finish()
    terminal.warn(f"\nstopped; every evaluation is kept, and `{plan.again(options)}` goes on")
    if (options.out / "journal.sqlite").exists():
        _print_run(options)
    return 1


def _print_run(options: argparse.Namespace, best: int | None = None) -> int:
    from evolve.report import runs

    with runs.opened(options.out) as (folder, journal):
        summary = runs.summary(folder, journal, best)
        _print(options, summary, lambda: runs.describe(summary))
    return 0


def _prompt(options: argparse.Namespace) -> int:
    from evolve import catalog, preview
    from evolve.proposers import prompts

    if options.write is not None:
        written = prompts.write(options.write)
        terminal.say(
            f"wrote {', '.join(map(str, written))}; change them, and give --prompts {options.write} to `evolve run`"
        )
        return 0
    problem = catalog.load(options.problem, options.objective)
    question = preview.question(
        problem, options.operator, options.cases or "train", options.prompt_tokens or 12_000, options.prompts
    )
    terminal.say(question)
    return 0


def _score(options: argparse.Namespace) -> int:
    from evolve import catalog, scoring
    from evolve.report import tables

    problem = catalog.load(options.problem, options.objective)
    rows = scoring.score(
        problem, options.policies, options.cases or options.split or "train", options.workers, unsafe=options.unsafe
    )
    _print(options, rows, lambda: tables.standings(rows, problem.objective))
    return 0 if all(row.evaluation.score is not None for row in rows) else 1


def _verify(options: argparse.Namespace) -> int:
    from evolve import proving
    from evolve.publication import result
    from evolve.report import proof, tables

    if result.is_one(options.run):
        return _rejudge(options)
    with proving.proved(options.run, tell=terminal.warn, **_judging(options)) as at:
        if options.json:
            print(tables.as_json(proof.record(at.folder, at.journal, at.problem, at.found)))
        else:
            print(proof.proof(at.folder, at.journal, at.problem, at.found, colour=_colour()))
    return 0 if at.found.found.evaluation.score is not None else 1


def _judging(options: argparse.Namespace) -> dict[str, Any]:
    return {"named": options.problem, "workers": options.workers, "unsafe": options.unsafe}


def _rejudge(options: argparse.Namespace) -> int:
    from evolve.publication import rejudge
    from evolve.report.result import describe_again

    found = rejudge.again(options.run, **_judging(options))
    _print(options, found, lambda: describe_again(found))
    return 0 if found.agrees else 1


def _publish(options: argparse.Namespace) -> int:
    from evolve import proving, publishing
    from evolve.publication import shelf
    from evolve.report.result import describe

    place = partial(shelf.place, to=options.to, name=options.name)
    with proving.proved(options.run, tell=terminal.warn, before=place, **_judging(options)) as at:
        published = publishing.publish(at, place(at.problem, at.journal), options.about)
    said = {"path": str(published.path), "policy": published.policy, "record": published.result}
    _print(options, said, lambda: describe(published))
    return 0


def _show(options: argparse.Namespace) -> int:
    from evolve.report import runs, turns

    with runs.opened(options.run) as (folder, journal):
        if options.id is None:
            run = runs.summary(folder, journal)
            _print(options, run, lambda: runs.describe(run))
        else:
            found = turns.turn(journal, options.id)
            describe = turns.describe_prompt if options.prompt else turns.describe_turn
            _print(options, found, lambda: describe(journal, options.id))
    return 0


def _log(options: argparse.Namespace) -> int:
    from evolve.report import lineage, runs

    with runs.opened(options.run) as (_, journal):
        entries = journal.log() if options.all else lineage.line_to_best(journal)
        _print(options, entries, lambda: lineage.log_table(entries, journal.header.basis))
        if not (options.all or options.json):
            terminal.say(f"\nthe line to the best; `evolve log {options.run} --all` lists all {journal.turns()}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    from evolve.report import lineage, runs, tables

    numbers = [number for number in (options.id, options.other) if number is not None]
    with runs.opened(options.run) as (_, journal):
        text = lineage.diff(journal, numbers, colour=_colour() and not options.json)
    print(tables.as_json({"diff": text}) if options.json else text)
    return 0


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _new(options: argparse.Namespace) -> int:
    from evolve import scaffold

    path = scaffold.write(options.name, Path())
    terminal.say(f"wrote {path}; try: evolve check {path} && evolve run {path} --evaluations 200")
    return 0


def _check(options: argparse.Namespace) -> int:
    from evolve.conformance.apart import audit_apart
    from evolve.report import check

    with check.Progress(sys.stderr) as progress:
        found = audit_apart(options.problem, 0, progress, options.objective)
    _print(options, found, lambda: check.describe(found))
    return 0 if found.passed else 1


def _gpu(options: argparse.Namespace) -> int:
    from evolve import catalog
    from evolve.report import recording

    problem = catalog.load(options.problem)
    try:
        with recording.Telling(sys.stderr, time.monotonic) as telling:
            path = problem.record(options.out, telling)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        terminal.warn(f"\nstopped; {recording.again(options.words)}")
        return 1
    terminal.say(recording.describe(options.problem, path, elsewhere=options.out is not None))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from evolve.report import doctor

    health = doctor.examine()
    _print(options, health, lambda: doctor.describe(health))
    return 0 if health.sound else 1


_COMMANDS = {
    "problems": _problems,
    "run": _run,
    "prompt": _prompt,
    "score": _score,
    "verify": _verify,
    "publish": _publish,
    "show": _show,
    "log": _log,
    "diff": _diff,
    "new": _new,
    "check": _check,
    "gpu": _gpu,
    "doctor": _doctor,
}


if __name__ == "__main__":
    sys.exit(main())
