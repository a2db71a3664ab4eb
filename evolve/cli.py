"""The command line: ``evolve COMMAND --help`` says what each command does.

Exit status: 0 done, 1 the work failed, 2 wrong use.  What is heavy is imported by the command that needs it.
"""

import argparse
import datetime
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evolve.types import EvolveError

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    command: Command = options.command
    try:
        return command(options)
    except EvolveError as error:
        print(f"evolve: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        print("\nevolve: interrupted", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evolve", description="Discovers systems algorithms and proves what they are worth."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(run: Command, name: str, about: str, *, table: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        added.set_defaults(command=run)
        if table:
            added.add_argument("--json", action="store_true", help="print JSON instead of a table")
        return added

    command(_problems, "problems", "what can be evolved, with baselines, bounds and scores")

    run = command(_run, "run", "search for a better policy; the same --out resumes")
    run.add_argument("problem", metavar="PROBLEM", help="a name from `evolve problems`, or a .py file")
    run.add_argument(
        "--evaluations", type=int, metavar="N", help="stop after N evaluations (default 1000 without --minutes)"
    )
    run.add_argument("--minutes", type=float, metavar="M", help="stop after M minutes of search")
    run.add_argument("--seed", type=int, metavar="S", help="seed of the search (default 0)")
    run.add_argument("--workers", type=int, metavar="W", help="processes that judge (default: one for each core)")
    run.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (default: a new one in runs/)")

    score = command(_score, "score", "judge policies side by side")
    score.add_argument("problem", metavar="PROBLEM")
    score.add_argument(
        "policies", nargs="*", metavar="POLICY", help="files or names of baselines (default: all baselines)"
    )
    which = score.add_mutually_exclusive_group()
    which.add_argument("--split", default="train", help="train (default) or validation; the sealed split is for verify")
    which.add_argument("--cases", metavar="NAME_OR_FILE", help="a named case set, or a file in a public format")
    score.add_argument("--workers", type=int, metavar="W")

    verify = command(_verify, "verify", "prove the best of a run on the sealed cases")
    verify.add_argument("run", type=Path, metavar="RUN")
    verify.add_argument("--workers", type=int, metavar="W")

    show = command(_show, "show", "a run, or one of its candidates")
    log = command(_log, "log", "the candidates of a run, or only the line to the best")
    log.add_argument("--all", action="store_true", help="every candidate instead of the line from reference to best")
    diff = command(_diff, "diff", "how a candidate differs from the reference or from another", table=False)
    for reader in (show, log, diff):
        reader.add_argument("run", type=Path, metavar="RUN")
    show.add_argument("id", nargs="?", type=int, metavar="ID")
    diff.add_argument(
        "ids", nargs="*", type=int, metavar="ID", help="one: against the reference; two: against each other"
    )

    new = command(_new, "new", "write a problem of your own that runs at once", table=False)
    new.add_argument("name", metavar="NAME", help="name of the problem, such as cache_eviction")
    command(_doctor, "doctor", "check the sandbox, the machine and the versions")
    return parser


def _problems(options: argparse.Namespace) -> int:
    from evolve.overview import overview
    from evolve.report import tables

    rows = overview()
    if options.json:
        print(tables.as_json(rows))
        return 0
    body = [
        (
            row.problem,
            row.about,
            f"{row.objective} ({row.direction})",
            str(row.baselines),
            f"{row.best_baseline} {row.best_score:.3f}",
            tables.share(row.gap),
            tables.number(row.seconds, 2),
        )
        for row in rows
    ]
    headings = ("problem", "decision", "objective", "baselines", "best baseline", "gap closed", "s/evaluation")
    print(tables.table(headings, body, left=3))
    return 0


def _run(options: argparse.Namespace) -> int:
    from evolve import catalog, session
    from evolve.budget import DEFAULT_EVALUATIONS, Limit
    from evolve.cases import split_cases
    from evolve.report.progress import ProgressLine
    from evolve.verify import gap

    problem = catalog.load(options.problem)
    evaluations = options.evaluations
    if evaluations is None and options.minutes is None:
        evaluations = DEFAULT_EVALUATIONS
    limit = Limit(evaluations, None if options.minutes is None else options.minutes * 60)
    out = options.out or _fresh_folder(problem.name)
    train = split_cases(problem, "train")
    progress = ProgressLine(lambda best: gap(problem, best.evaluation, train.bounds))
    again = f"evolve run {options.problem} --out {out}"
    print(f"{problem.name}: searching in {out} (Ctrl-C stops; `{again}` goes on)", file=sys.stderr)
    try:
        best = session.search(problem, out, limit, seed=options.seed, workers=options.workers, report=progress)
    except KeyboardInterrupt:
        progress.finish()
        print(f"stopped; every evaluation is kept, `{again}` goes on", file=sys.stderr)
        return 1
    progress.finish()
    return _print_run(out, best, options)


def _fresh_folder(problem: str) -> Path:
    return Path("runs") / f"{problem}-{datetime.datetime.now().astimezone():%Y%m%d-%H%M%S}"


def _print_run(out: Path, best: int, options: argparse.Namespace) -> int:
    from evolve.report import runs, tables

    summary = runs.summary(out, best)
    print(tables.as_json(summary) if options.json else runs.describe(summary))
    return 0


def _score(options: argparse.Namespace) -> int:
    from evolve import catalog, scoring
    from evolve.report import tables

    problem = catalog.load(options.problem)
    if options.split not in ("train", "validation"):
        raise EvolveError(
            f"policies are scored on train or validation, not on {options.split!r}; `evolve verify` uses the test split"
        )
    rows = scoring.score(problem, options.policies, options.cases or options.split, options.workers)
    print(tables.as_json(rows) if options.json else tables.standings(rows, problem.objective))
    return 0 if all(row.evaluation.score is not None for row in rows) else 1


def _verify(options: argparse.Namespace) -> int:
    from evolve.executors.local import LocalExecutor
    from evolve.report import runs, tables
    from evolve.session import default_workers
    from evolve.verify import verify

    with runs.opened(options.run) as (folder, journal), folder.locked():
        problem = runs.problem_of(folder, journal)
        secret = folder.secret(journal.header)
        with LocalExecutor(problem, options.workers or default_workers()) as executor:
            result = verify(problem, journal, executor, secret)
        if options.json:
            print(tables.as_json(result))
        else:
            print(runs.verified(folder, journal, problem, result, colour=sys.stdout.isatty()))
    return 0 if result.found.evaluation.score is not None else 1


def _show(options: argparse.Namespace) -> int:
    from evolve.report import runs, tables

    if options.id is None:
        summary = runs.summary(options.run)
        print(tables.as_json(summary) if options.json else runs.describe(summary))
        return 0
    with runs.opened(options.run) as (_, journal):
        found = runs.candidate(journal, options.id)
        print(tables.as_json(found) if options.json else runs.describe_candidate(found))
    return 0


def _log(options: argparse.Namespace) -> int:
    from evolve.report import runs, tables

    with runs.opened(options.run) as (_, journal):
        entries = runs.log(journal) if options.all else runs.line_to_best(journal)
        print(tables.as_json(entries) if options.json else runs.log_table(entries))
    return 0


def _diff(options: argparse.Namespace) -> int:
    from evolve.report import runs

    if len(options.ids) > 2:
        raise EvolveError(f"a diff takes one or two candidates; got {len(options.ids)}")
    with runs.opened(options.run) as (_, journal):
        print(runs.diff(journal, options.ids, colour=sys.stdout.isatty()))
    return 0


def _new(options: argparse.Namespace) -> int:
    from evolve import scaffold

    path = scaffold.write(options.name, Path())
    print(f"wrote {path}; try: evolve score {path} && evolve run {path} --evaluations 200")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from evolve.report import doctor, tables

    health = doctor.examine()
    print(tables.as_json(health) if options.json else doctor.describe(health))
    return 0 if health.sound else 1


if __name__ == "__main__":
    sys.exit(main())
