"""Options of the commands that look at a run, or take something of it elsewhere."""

import argparse
from pathlib import Path

from evolve.options import kinds


def log(log: argparse.ArgumentParser) -> None:
    log.add_argument("--all", action="store_true", help="every candidate instead of the line from baseline to best")
    log.add_argument(
        "--verdict",
        action="append",
        default=[],
        type=kinds.verdict,
        metavar="V",
        help="of all candidates those of a verdict such as CRASHED, or turns that led to none, such as NO_POLICY",
    )
    log.add_argument("--last", type=kinds.positive, metavar="N", help="only the last N lines")


def diff(diff: argparse.ArgumentParser) -> None:
    what = "a candidate's number, best, reference, another baseline, parent (of the other one), or a file"
    diff.add_argument(
        "what", nargs="?", metavar="WHAT", help=f"{what}; alone it is compared with the reference (default: best)"
    )
    diff.add_argument("other", nargs="?", metavar="WHAT", help="another of these, to see how it differs from the first")
    diff.add_argument("-y", "--side-by-side", action="store_true", help="in two columns, as wide as the terminal")
    diff.add_argument("--width", type=kinds.width, metavar="N", help="columns of the page, for --side-by-side")
    diff.add_argument("--code", action="store_true", help="only what counts as code: no comments, docstrings, format")


def lineage(lineage: argparse.ArgumentParser) -> None:
    lineage.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    lineage.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where to make it, empty or not there yet (default: RUN/lineage)"
    )


def export(export: argparse.ArgumentParser) -> None:
    export.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    export.add_argument("id", nargs="?", type=int, metavar="ID", help="a candidate (default: the best)")
    export.add_argument("--to", type=Path, metavar="REPO", required=True, help="your repository, or a folder in it")
    export.add_argument("--path", metavar="FILE", help="the policy's path there (default: policies/PROBLEM.py)")
    export.add_argument("--branch", metavar="NAME", help="a new branch (default: evolve/PROBLEM-ID)")
    export.add_argument(
        "--minimised", action="store_true", help="the smallest diff that keeps the gain, which `evolve explain` found"
    )
