"""Options of the command that compares."""

import argparse
from pathlib import Path

from evolve.options import common, kinds

STRATEGIES = "default,best-of-n,sequential,random"


def compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument(
        "problems",
        nargs="*",
        default=[],
        metavar="PROBLEM",
        help="a name from `evolve problems` or a .py file, with :OBJECTIVE where that is not the first",
    )
    compare.add_argument(
        "--problems", dest="listed", default="", metavar="A,B", help="the same as a list with commas between"
    )
    compare.add_argument(
        "--strategies",
        default=STRATEGIES,
        metavar="A,B",
        help=f"the first is the one that the others are compared with (default {STRATEGIES}); default-without-X lacks "
        "a mechanism, default-without-X+Y two, FILE.py:CLASS is one of your own, whose file is imported",
    )
    compare.add_argument(
        "--evaluations",
        type=kinds.positive,
        default=200,
        metavar="N",
        help="budget of each run: policies judged, baselines included (default 200)",
    )
    compare.add_argument(
        "--seeds",
        type=kinds.positive,
        default=10,
        metavar="N",
        help="runs of a strategy on a problem (default 10)",
    )
    compare.add_argument(
        "--first-seed", type=int, default=0, metavar="S", help="the seeds are S, S+1 and so on (default 0)"
    )
    compare.add_argument(
        "--cases",
        type=kinds.no_split,
        metavar="NAME_OR_FILE",
        help="what the searches see, such as `quick`, instead of the train split",
    )
    compare.add_argument(
        "--workers", type=kinds.positive, metavar="W", help="runs at a time, each with one judge (default: one a core)"
    )
    common.unsafe(compare)
    compare.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the comparison's folder; the same command resumes it"
    )
    compare.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the curves of the best over evaluations")
