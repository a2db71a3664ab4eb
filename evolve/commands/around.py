"""Commands around the search: ``problems``, ``new`` and ``doctor``."""

import argparse
from pathlib import Path

from evolve import commands
from evolve.report import terminal


def problems(options: argparse.Namespace) -> int:
    from evolve.overview import overview
    from evolve.report import problems

    progress = problems.Progress()
    rows = list(overview(fresh=options.fresh, tell=progress))
    progress.clear()
    commands.show(options, rows, lambda: problems.describe(rows))
    return 0


def new(options: argparse.Namespace) -> int:
    from evolve import scaffold

    path = scaffold.write(options.name, Path())
    terminal.say(f"wrote {path}; try: evolve check {path} && evolve run {path} --evaluations 200")
    return 0


def doctor(options: argparse.Namespace) -> int:
    from evolve.report import doctor

    health = doctor.examine()
    commands.show(options, health, lambda: doctor.describe(health))
    return 0 if health.sound else 1
