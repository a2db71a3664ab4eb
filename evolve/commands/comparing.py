"""The command that compares search strategies at equal budget."""

import argparse
from pathlib import Path

from evolve import commands
from evolve.report import terminal
from evolve.types import EvolveError


def compare(options: argparse.Namespace) -> int:
    from evolve.cases import file_hash
    from evolve.comparing import plan, sitting
    from evolve.executors.local import default_workers
    from evolve.report import comparison, curves
    from evolve.sandbox import Sandbox

    named = [name for text in (*options.problems, options.listed) for name in _names(text)]
    if not named:
        options.parser.error("name at least one problem, such as `evolve compare spot --out DIR`")
    if options.plot is not None and options.plot.suffix != ".svg":
        raise EvolveError(f"the plot is an SVG file; got {options.plot}, expected a name such as curves.svg")
    if options.plot is not None and not options.plot.absolute().parent.is_dir():
        raise EvolveError(f"there is no folder {options.plot.parent} for the plot; make it first")
    cases = options.cases or "train"
    wanted = plan.Plan(
        subjects=tuple(plan.subject(name, cases) for name in named),
        entrants=tuple(plan.entrant(name) for name in options.strategies.split(",") if name),
        seeds=tuple(range(options.first_seed, options.first_seed + options.seeds)),
        evaluations=options.evaluations,
        cases=cases,
        cases_hash=file_hash(cases),
        unsafe=options.unsafe,
    )
    Sandbox(unsafe=options.unsafe).close()  # what this machine lacks is said before a folder is made
    progress = comparison.CellsLine()
    try:
        found = sitting.sit(wanted, options.out, options.workers or default_workers(), progress)
    except KeyboardInterrupt:
        progress.finish()
        terminal.warn(f"stopped; every evaluation is kept, and the same command with --out {options.out} goes on")
        return 1
    progress.finish()
    if options.plot is not None:
        options.plot.write_text(curves.svg(found), encoding="utf-8")
    commands.show(options, found, lambda: comparison.describe(found))
    return 1 if found.failures else 0


def _names(text: str) -> list[str]:
    """Returns what is named with commas between; a file may have one in its name."""
    return [name for name in ([text] if Path(text).exists() else text.split(",")) if name]
