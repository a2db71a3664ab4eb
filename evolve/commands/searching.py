"""Commands that search: ``run``, and ``prompt``, what a model would be asked."""

import argparse
import signal
from typing import TYPE_CHECKING

from evolve import commands
from evolve.report import terminal

if TYPE_CHECKING:
    from evolve.report.progress import ProgressLine


def run(options: argparse.Namespace) -> int:
    from evolve import catalog, plan, session
    from evolve.cases import basis_of, cases_of, insist_on_searchable
    from evolve.report import tables
    from evolve.report.progress import ProgressLine
    from evolve.standings import gap
    from evolve.strategies import loading

    strategy = loading.load(options.strategy)
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
        with loading.blaming(strategy):
            ending = session.search(
                problem,
                options.out,
                limit,
                writing=writing,
                strategy=strategy,
                cases=searched,
                seed=options.seed,
                workers=options.workers,
                unsafe=options.unsafe,
                reuse=not options.fresh,
                begun=begun,
                report=progress,
                waiting=progress.waiting,
                choosing=progress.choosing,
            )
    except KeyboardInterrupt:
        return _stopped(options, progress)
    progress.finish()  # also where nobody had to be chosen
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
        commands.show(options, summary, lambda: runs.describe(summary))
    return 0


def prompt(options: argparse.Namespace) -> int:
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
