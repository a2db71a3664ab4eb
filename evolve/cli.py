"""The command line: ``evolve COMMAND --help`` says what each command does.

Exit status: 0 done, 1 the work failed, 2 wrong use.  What is heavy is imported by the command that needs it.
"""

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from evolve import options as command_line
from evolve.report import terminal
from evolve.types import EvolveError

_MODULES = {
    "searching": ("run", "prompt"),
    "judging": ("score", "verify", "publish", "check", "gpu"),
    "looking": ("show", "log", "diff"),
    "comparing": ("compare",),
    "steering": ("hint", "pause", "resume"),
    "explaining": ("explain",),
    "git": ("lineage", "export"),
    "around": ("problems", "new", "doctor"),
}
"""Of ``evolve.commands``, with the commands in each; a module is imported by the command that needs it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = command_line.parse(arguments)
    terminal.prepare()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = _command(options.command)(options)
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


def _interrupt(*_: object) -> None:
    """Has SIGTERM, which batch systems send, do what Ctrl-C does; a second one ends at once."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise KeyboardInterrupt


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    module = next(module for module, commands in _MODULES.items() if name in commands)
    found: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"evolve.commands.{module}"), name)
    return found


if __name__ == "__main__":
    sys.exit(main())
