"""Commands that look at a run: ``show``, ``log`` and ``diff``."""

import argparse
import shutil

from evolve import commands
from evolve.report import terminal

_WIDTH = 120
"""Columns of a page where the output is no terminal."""


def show(options: argparse.Namespace) -> int:
    from evolve.report import runs, turns

    with runs.opened(options.run) as (folder, journal):
        if options.id is None:
            run = runs.summary(folder, journal)
            commands.show(options, run, lambda: runs.describe(run))
        else:
            found = turns.turn(journal, options.id)
            describe = turns.describe_prompt if options.prompt else turns.describe_turn
            commands.show(options, found, lambda: describe(journal, options.id))
    return 0


def log(options: argparse.Namespace) -> int:
    from evolve.report import lineage, runs

    every = options.all or bool(options.verdict)
    with runs.opened(options.run) as (_, journal):
        steps = lineage.log(journal, every=every, verdicts=options.verdict, last=options.last)
        if steps or options.json:
            commands.show(options, steps, lambda: lineage.log_table(steps, journal.header.basis))
        else:
            terminal.say(lineage.nothing(journal, options.verdict))
        if steps and not (every or options.json):
            terminal.say(f"\nthe line to the best; `evolve log {options.run} --all` lists all {journal.turns()}")
        whole = not (options.json or options.verdict or options.last)
        if whole and (said := journal.steering.last()):
            terminal.say(f"\nsaid to it:\n{runs.steered(said)}")
    return 0


def diff(options: argparse.Namespace) -> int:
    from evolve.report import diffs, runs, sides, tables

    with runs.opened(options.run) as (_, journal):
        old, new = sides.pair(journal, [name for name in (options.what, options.other) if name is not None])
    width = options.width or (shutil.get_terminal_size((_WIDTH, 0)).columns if options.side_by_side else None)
    found = diffs.difference(old, new, code=options.code, width=width, colour=commands.colour() and not options.json)
    print(tables.as_json(found) if options.json else diffs.describe(found))
    return 0
