"""Commands that say something to a run while another process searches in it: ``hint``, ``pause`` and ``resume``."""

import argparse
import datetime
import shlex

from evolve.report import terminal


def hint(options: argparse.Namespace) -> int:
    from evolve.folder import RunFolder
    from evolve.report import runs

    folder = RunFolder(options.run)
    with folder.open_to_steer() as journal:
        journal.steering.hint(_now(), options.text)
        if not journal.header.proposers.startswith("llm "):  # see Writing.describe
            terminal.say("kept, but nobody reads it: this run asks no model, and embedded proposers do not read hints")
        elif runs.worked_on(folder):
            terminal.say("the next question to a model will have it")
        else:
            terminal.say("kept: no process searches in this run now; when it goes on, its next question will have it")
    return 0


def pause(options: argparse.Namespace) -> int:
    from evolve.folder import RunFolder
    from evolve.report import runs

    folder = RunFolder(options.run)
    with folder.open_to_steer() as journal:
        paused = journal.steering.pause(_now())
    on = f"`evolve resume {shlex.quote(str(options.run))}` goes on"
    if not paused:
        terminal.say(f"it was paused already; {on}")
    elif runs.worked_on(folder):
        terminal.say(f"no other turn begins; what is under way is judged; {on}")
    else:
        terminal.say(f"no process searches in this run now; one that begins will wait; {on}")
    return 0


def resume(options: argparse.Namespace) -> int:
    from evolve.folder import RunFolder
    from evolve.report import runs

    folder = RunFolder(options.run)
    with folder.open_to_steer() as journal:
        resumed = journal.steering.resume(_now())
    if not resumed:
        terminal.say("it was not paused")
    elif runs.worked_on(folder):
        terminal.say("it goes on")
    else:
        terminal.say(f"no longer paused; `evolve run ... --out {shlex.quote(str(options.run))}` goes on with it")
    return 0


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
