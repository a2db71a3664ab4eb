"""Options of the commands that say something to a run."""

import argparse
from pathlib import Path


def hint(hint: argparse.ArgumentParser) -> None:
    run(hint)
    hint.add_argument("text", metavar="TEXT", help="what the next questions to models are to say, in quotes")


def run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", type=Path, metavar="RUN", help="a run's folder; another process may search in it")
