"""Commands that look at a run: ``show``, ``log`` and ``diff``."""

import argparse

from evolve import commands
from evolve.report import terminal


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

    with runs.opened(options.run) as (_, journal):
        entries = journal.log() if options.all else lineage.line_to_best(journal)
        commands.show(options, entries, lambda: lineage.log_table(entries, journal.header.basis))
        if not (options.all or options.json):
            terminal.say(f"\nthe line to the best; `evolve log {options.run} --all` lists all {journal.turns()}")
    return 0


def diff(options: argparse.Namespace) -> int:
    from evolve.report import lineage, runs, tables

    numbers = [number for number in (options.id, options.other) if number is not None]
    with runs.opened(options.run) as (_, journal):
        text = lineage.diff(journal, numbers, colour=commands.colour() and not options.json)
    print(tables.as_json({"diff": text}) if options.json else text)
    return 0
