"""Options that several commands have."""

import argparse

from evolve.options import kinds


def objective(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--objective",
        default="",
        metavar="NAME",
        help="what counts, where the problem has several objectives (default: the first that `evolve problems` lists)",
    )


def unsafe(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--unsafe",
        action="store_true",
        help="judge even where the sandbox does not stand, and mark every score: only for policies you have read",
    )


def workers(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--workers", type=kinds.positive, metavar="W", help="processes that judge (default: one a core)"
    )
