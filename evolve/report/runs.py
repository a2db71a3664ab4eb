"""A run on paper: what it has come to."""

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evolve import begun, catalog
from evolve.finalists import leader
from evolve.folder import LOCK, RunFolder
from evolve.journal import Journal
from evolve.journal.database import JournalError
from evolve.journal.header import Header
from evolve.journal.rows import Entry
from evolve.journal.steering import Kind, Said
from evolve.problem import Problem
from evolve.report import tables
from evolve.report.turns import origin
from evolve.text import brief, counted, kept
from evolve.types import Layer, Outcome, Usage, Verdict, unsafe

_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in a few lines."""

    run: str
    header: Header
    evaluations: int
    seconds: float
    verdicts: dict[str, int]
    outraced_after: float | None  # cases on the mean, of those that were stopped early
    best: int | None
    origin: str
    train_score: float | None
    validation_score: float | None
    baseline: str  # the best on the searched cases
    baseline_train_score: float | None
    baseline_validation_score: float | None
    sealed_uses: int
    sealed_uses_after_reveal: int
    outcomes: dict[str, int]  # of turns without a policy
    questions: int  # to models
    usage: Usage  # of the questions that were answered
    dollars: float  # of those of them whose price is known
    unheard: int  # questions whose answers were never seen
    most: Usage  # of all questions, the unheard ones with the most that they can have used
    layers: dict[str, int]  # evaluations, on whatever cases, by the walls that stood
    fault: str  # what stopped the last sitting, if a fault did
    worked_on: bool  # by a process that is known to search, verify or explain in it now
    paused: bool
    said: list[Said]  # to it, oldest first

    @property
    def pace(self) -> str:
        """Evaluations, seconds and rate."""
        rate = self.evaluations / max(self.seconds, 1e-3)
        return f"{counted(self.evaluations, 'evaluation')} in {self.seconds:.0f} s ({rate:.1f}/s)"


@contextmanager
def opened(path: Path) -> Iterator[tuple[RunFolder, Journal]]:
    """Opens a run for reading; nothing in its folder is imported."""
    folder = RunFolder(path)
    with folder.open(read_only=True) as journal:
        yield folder, journal


def problem_of(folder: RunFolder, journal: Journal, named: str | None = None) -> Problem:
    """Loads the problem that a run is of: by the user's name for it, or else by the run's.

    A run may come from anybody.  Nothing is imported but what comes with the package, or what the user
    names, now or when this very run began; and that only if its code is what the run was made with.

    Raises:
        JournalError: the user has not named it, it is not what it was, or it lies in the run's own folder.
    """
    header = journal.header
    if named is None and header.spec not in catalog.names() and not begun.is_noted(header):
        raise JournalError(
            f"{folder.path} was not begun here, and names the problem file {brief(header.spec, 200)!r}; what others "
            "name is not imported: read that file, and give your own copy of it with --problem FILE"
        )
    spec = header.spec if named is None else named
    path = catalog.located(spec)
    if path.is_relative_to(folder.path.resolve()):
        raise JournalError(f"{path} lies inside {folder.path}; runs are data and nothing in them is imported")
    if catalog.digest_of(path) != header.digest:
        raise JournalError(
            f"{path} or its baselines have changed since {folder.path} began; its scores are of the old ones"
        )
    return catalog.load(spec, header.objective)


def summary(folder: RunFolder, journal: Journal, best: int | None = None) -> Summary:
    """Returns what a run has come to; ``best`` defaults to the one that leads."""
    verdicts = journal.verdicts()
    if best is None and journal.top(1):
        best = leader(journal)
    found, seal, baseline = _entry(journal, best), journal.seal(), _entry(journal, journal.best_baseline())
    return Summary(
        run=str(folder.path),
        header=journal.header,
        evaluations=sum(verdicts.values()),
        seconds=journal.seconds(),
        verdicts={str(verdict): count for verdict, count in verdicts.items()},
        outraced_after=_outraced_after(journal),
        best=best,
        origin="" if found is None else origin(found.proposer, found.operator),
        train_score=None if found is None else found.score,
        validation_score=_validated(journal, found),
        baseline="" if baseline is None else baseline.operator,
        baseline_train_score=None if baseline is None else baseline.score,
        baseline_validation_score=_validated(journal, baseline),
        sealed_uses=seal.uses,
        sealed_uses_after_reveal=seal.uses_after_reveal,
        outcomes=journal.outcomes(),
        questions=journal.ledger.questions(),
        usage=journal.ledger.paid()[0],
        dollars=journal.ledger.paid()[1],
        unheard=journal.ledger.unheard(),
        most=journal.ledger.used(),
        layers=journal.layers(),
        fault=journal.last_fault(),
        worked_on=worked_on(folder),
        paused=journal.steering.paused,
        said=journal.steering.last(),
    )


def _entry(journal: Journal, number: int | None) -> Entry | None:
    return None if number is None else journal.entry(number)


def _validated(journal: Journal, entry: Entry | None) -> float | None:
    found = None if entry is None else journal.evaluation(entry.number, "validation")
    return None if found is None else found.score


def _outraced_after(journal: Journal) -> float | None:
    count, cases = journal.outraced()
    return cases / count if count else None


def worked_on(folder: RunFolder) -> bool:
    """Says whether a process is known to work on a run.

    It asks the kernel who holds the run's lock: to try it would turn away a process that begins just then.
    """
    try:
        lock, held = (folder.path / LOCK).lstat(), _LOCKS.read_text(encoding="ascii")
    except OSError:
        return False
    place = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
    return any("FLOCK" in words and place in words for words in map(str.split, held.splitlines()))


def describe(run: Summary) -> str:
    """Returns a summary as text."""
    header = run.header
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in run.verdicts.items())
    lines = [
        f"run       {brief(run.run, 1000)}",
        *_now(run),
        f"problem   {brief(header.problem, 80)}{_goal(header)}{_cases(header)}; seed {header.seed}; "
        f"evolve {brief(header.engine, 20)}; {brief(header.started, 40)}",
        *tables.basis(header.basis, 9),
        f"written   {brief(header.proposers, 300)}; strategy {brief(header.strategy, 80)}",
        f"judged    {run.pace}: {verdicts or 'none yet'}",
        *_raced(run),
        *([f"unused    {unused}"] if (unused := _unused(run)) else []),
        *_hints(run),
        f"cost      {cost(run)}",
        f"{'held out' if header.held_out else 'sealed':9} {_used(run)}",
        *[f"sandbox   {text}" for text in sandbox(run)],
        *([f"stopped   {brief(run.fault, 300)}"] if run.fault else []),
    ]
    if run.best is None:
        return "\n".join([*lines, f"best      none yet: {_why_none(run)}"])
    found = _scores(run, run.train_score, run.validation_score)
    lines += [f"best      #{run.best} ({run.origin}): {found}", *_rival(run), *_next(run)]
    return "\n".join(lines)


def _now(run: Summary) -> list[str]:
    if run.paused:
        place = shlex.quote(run.run)
        if run.worked_on:
            return [f"now       paused; `evolve resume {place}` goes on"]
        return [
            f"now       paused, and no process works on it; `evolve resume {place}` and the same `evolve run` go on"
        ]
    return ["now       a process works on it, and it may come to more"] if run.worked_on else []


def _raced(run: Summary) -> list[str]:
    """Returns how many were stopped early, and how early."""
    if run.outraced_after is None:
        return []
    count, cases = run.verdicts[Verdict.OUTRACED], tables.number(run.outraced_after, 1)
    return [f"raced     {count} of {run.evaluations} stopped early, after {cases} cases on the mean"]


def _hints(run: Summary) -> list[str]:
    """Returns the last of the hints; `evolve log` has them all."""
    hints = [said for said in run.said if said.kind is Kind.HINT]
    if not hints:
        return []
    return [f"hints     {len(hints)}, the last {since(hints[-1])}: {brief(hints[-1].message, 200)}"]


def steered(said: Sequence[Said]) -> str:
    """Returns all that was said to a run, a line each."""
    return "\n".join(
        f"{brief(one.at, 25)}  {one.kind:6}  {since(one)}{': ' if one.message else ''}{brief(one.message, 400)}"
        for one in said
    )


def since(said: Said) -> str:
    """Returns from where on something was heeded."""
    return "not heeded yet" if said.turn is None else f"from turn {said.turn} on"


def _why_none(run: Summary) -> str:
    if not run.evaluations:
        return "nothing was judged"
    return f"no candidate has a score; `evolve log {shlex.quote(run.run)} --all` lists what became of them"


def _goal(header: Header) -> str:
    return f", objective {brief(header.objective, 80)}" if header.objective else ""


def _cases(header: Header) -> str:
    return "" if header.cases == "train" else f" on the cases {brief(header.cases, 80)}"


def _unused(run: Summary) -> str:
    """Returns which answers led to no policy; from questions for notes none was wanted."""
    unused = {name: number for name, number in run.outcomes.items() if name != Outcome.NOTED}
    turns = f"{sum(unused.values())} turns: " if unused else ""
    return turns + ", ".join(f"{number} {brief(name, 30)}" for name, number in unused.items())


def cost(run: Summary) -> str:
    """Returns dollars with what they were paid for; of questions without a price only the tokens are known."""
    if not run.questions:
        return "$0.00 (no model was asked)"
    usage = run.usage
    tokens = f"{usage.input_tokens} tokens in ({usage.cached_tokens} of them cached), {usage.output_tokens} out"
    known = tables.dollars(run.dollars) if usage.dollars is not None else _partly(run.dollars)
    asked = f"{known} for {counted(run.questions - run.unheard, 'question')} to models: {tokens}"
    if not run.unheard:
        return asked
    dollars, more = run.most.dollars, run.most.tokens - usage.tokens
    most = f"{more} tokens" if dollars is None or usage.dollars is None else tables.dollars(dollars - usage.dollars)
    return f"{asked}; and up to {most} for {run.unheard} more that were under way when the run was stopped"


def _partly(dollars: float) -> str:
    return f"{tables.dollars(dollars)} and what is of unknown price" if dollars else "unknown price"


def _scores(run: Summary, searched: float | None, validated: float | None) -> str:
    validation = "" if validated is None else f", {tables.number(validated, 4)} on validation"
    return f"score {tables.number(searched, 4)} on {brief(run.header.cases, 80)}{validation}"


def _rival(run: Summary) -> list[str]:
    """Returns the line on the best baseline, which the best found has to beat."""
    if not run.baseline:
        return []
    scores = _scores(run, run.baseline_train_score, run.baseline_validation_score)
    return [f"baseline  {brief(run.baseline, 80)}, the best of them: {scores}"]


def _used(run: Summary) -> str:
    used = f"used {counted(run.sealed_uses, 'time')}" if run.sealed_uses else "never used"
    if run.sealed_uses_after_reveal:
        used += f", {run.sealed_uses_after_reveal} of them after {tables.revealed(run.header.held_out)}"
    if run.header.held_out:
        return f"recorded and public, not secret; {used}"
    return f"{used}; the secret's SHA-256 is {brief(run.header.secret_hash[:16], 16)}..."


def sandbox(run: Summary) -> list[str]:
    """Returns a line on each set of walls that evaluations were made behind, where it is known."""
    return [
        f"{', '.join(layers)} ({counted(number, 'evaluation')}){f'; {tables.UNSAFE}' if unsafe(layers) else ''}"
        for names, number in run.layers.items()
        if (layers := [Layer(name) for name in names.split()])
    ]


def _next(run: Summary) -> list[str]:
    folder = shlex.quote(run.run)
    return [
        f"next      evolve verify {folder}    prove it on {kept(run.header.held_out)} cases",
        f"          evolve explain {folder}   see what each change is worth",
        f"          evolve diff {folder}      see what changed against the reference",
        f"          evolve log {folder}       see how it came about",
    ]
