"""Options of the commands that judge."""

import argparse
from pathlib import Path

from evolve.options import common, kinds


def score(score: argparse.ArgumentParser) -> None:
    score.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    score.add_argument(
        "policies", nargs="*", default=[], metavar="POLICY", help="files or names of baselines (default: all baselines)"
    )
    which = score.add_mutually_exclusive_group()
    which.add_argument("--split", type=kinds.open_split, help="train (default) or validation")
    which.add_argument(
        "--cases", type=kinds.no_split, metavar="NAME_OR_FILE", help="a named case set, or a file in a public format"
    )
    which.add_argument(
        "--revealed",
        type=kinds.secret,
        metavar="SECRET",
        help="the test cases of a run whose record reveals what they were drawn from",
    )
    common.objective(score)
    common.workers(score)
    common.unsafe(score)


def publish(publish: argparse.ArgumentParser) -> None:
    publish.add_argument("--name", metavar="NAME", help="what to call it (default: seed-S, of the run's seed)")
    publish.add_argument("--about", metavar="TEXT", default="", help="what the policy does, in your words")
    publish.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where to put <problem>/NAME/ (default: results/ of this checkout)"
    )


def explain(explain: argparse.ArgumentParser) -> None:
    explain.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    explain.add_argument("id", nargs="?", type=int, metavar="ID", help="a candidate's number (default: the best)")
    explain.add_argument(
        "--against",
        metavar="NAME",
        help="a baseline (default: the reference, or the one that it grew from, if less differs)",
    )
    explain.add_argument(
        "--tolerance",
        type=kinds.share,
        metavar="SHARE",
        help="of the lead over the best baseline that the smallest diff may lose (default 0.1)",
    )
    explain.add_argument(
        "--evaluations", type=kinds.positive, metavar="N", help="variants that are judged at most (default 300)"
    )
    common.workers(explain)
    common.unsafe(explain)
    explain.add_argument(
        "--problem", metavar="PROBLEM", help="its problem: for a run that somebody gave you, your own copy of the file"
    )


def gpu(gpu: argparse.ArgumentParser) -> None:
    about = "Times on this machine's GPU what a problem's cases are made of, and keeps it in a table, with which the "
    what = gpu.add_subparsers(metavar="WHAT", dest="what")
    record = what.add_parser(
        "record",
        help="time a problem's kernels and keep it in a table, with which it runs anywhere",
        description=f"{about}problem runs anywhere as a replay. What was stopped goes on when called again.",
        allow_abbrev=False,
    )
    record.set_defaults(parser=record)
    record.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    record.add_argument("--out", type=Path, metavar="FILE", help="the table (default: where the problem looks for it)")
