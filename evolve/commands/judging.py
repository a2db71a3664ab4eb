"""Commands that judge: ``score``, ``verify``, ``publish``, and ``check``, which judges a problem."""

import argparse
import hashlib
import signal
import sys
import time
from functools import partial

from evolve import commands
from evolve.report import terminal


def score(options: argparse.Namespace) -> int:
    from evolve import catalog, scoring
    from evolve.report import tables

    problem = catalog.load(options.problem, options.objective)
    cases = "test" if options.revealed else options.cases or options.split or "train"
    rows = scoring.score(
        problem, options.policies, cases, options.workers, secret=options.revealed or "", unsafe=options.unsafe
    )
    commands.show(options, rows, lambda: tables.standings(rows, problem.objective))
    if options.revealed:
        secret = hashlib.sha256(options.revealed.encode()).hexdigest()
        digest = f"{problem.name} has the digest {catalog.digest(problem)}"
        terminal.warn(f"test cases of a secret with the SHA-256 {secret}; {digest}: compare them with the record's")
    return 0 if all(row.evaluation.score is not None for row in rows) else 1


def verify(options: argparse.Namespace) -> int:
    from evolve import proving
    from evolve.publication import result
    from evolve.report import proof, tables

    if result.is_one(options.run):
        return _rejudge(options)
    with proving.proved(options.run, tell=terminal.warn, **commands.how_to_judge(options)) as at:
        if options.json:
            print(tables.as_json(proof.record(at.folder, at.journal, at.problem, at.found)))
        else:
            print(proof.proof(at.folder, at.journal, at.problem, at.found, colour=commands.colour()))
    return 0 if at.found.found.evaluation.score is not None else 1


def _rejudge(options: argparse.Namespace) -> int:
    from evolve.publication import rejudge
    from evolve.report.result import describe_again

    found = rejudge.again(options.run, **commands.how_to_judge(options))
    commands.show(options, found, lambda: describe_again(found))
    return 0 if found.agrees else 1


def publish(options: argparse.Namespace) -> int:
    from evolve import proving, publishing
    from evolve.publication import shelf
    from evolve.report.result import describe

    place = partial(shelf.place, to=options.to, name=options.name)
    how = commands.how_to_judge(options)
    with proving.proved(options.run, tell=terminal.warn, before=place, conditions=False, **how) as at:
        published = publishing.publish(at, place(at.problem, at.journal), options.about)
    said = {"path": str(published.path), "policy": published.policy, "record": published.result}
    commands.show(options, said, lambda: describe(published))
    return 0


def check(options: argparse.Namespace) -> int:
    from evolve.conformance.apart import audit_apart
    from evolve.report import check

    with check.Progress(sys.stderr) as progress:
        found = audit_apart(options.problem, 0, progress, options.objective)
    commands.show(options, found, lambda: check.describe(found))
    return 0 if found.passed else 1


def gpu(options: argparse.Namespace) -> int:
    from evolve import catalog
    from evolve.report import recording

    problem = catalog.load(options.problem)
    try:
        with recording.Telling(sys.stderr, time.monotonic) as telling:
            path = problem.record(options.out, telling)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        terminal.warn(f"\nstopped; {recording.again(options.words)}")
        return 1
    terminal.say(recording.describe(options.problem, path, elsewhere=options.out is not None))
    return 0
