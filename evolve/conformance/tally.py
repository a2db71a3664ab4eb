"""Counts what came of wrong decisions, and tells what a problem's author must know of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.habit import Habit
from evolve.conformance.play import End, Play, Recording
from evolve.conformance.subject import ROUNDING, Subject
from evolve.conformance.way import Kind, Way
from evolve.judge.wave import objective
from evolve.statistics import geometric_mean, ratio
from evolve.text import counted

MOST_FAULTS = 4
MAYBE_LEGAL = (Kind.OTHER, Kind.OPTION, Kind.RANGE, Kind.TOGETHER)


Policy = tuple[str, bool, str]
"""A baseline whose every decision is changed in one way, from the first on or from a later one on."""

TEMPTING, BLATANT = 1.01, 1.5
"""A decision that may be legal is worth a look if it is so many times as good as the best baseline's, and no longer
believed if it is so many times as good: a rule is missing, or the baselines are none."""


TELLING = 8
"""Changes of decisions without effect on the objective that are too many to be chance."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One wrong decision in a play, or with ``throughout`` every decision from call ``number`` on."""

    way: Way
    habit: Habit
    base: Recording
    number: int
    throughout: bool = False

    @property
    def plan(self) -> bool:
        """Says whether the case was decided by a single decision."""
        return len(self.base.steps) == 1

    @property
    def whole(self) -> bool:
        """Says whether it is what a policy would do that decides like that."""
        return self.throughout or self.plan

    @property
    def breaks(self) -> bool:
        """Says whether no baseline would ever decide like that."""
        return self.habit.breaks(self.way.kind)

    @property
    def legal(self) -> bool:
        """Says whether it may be as legal as any: an option, or a policy of its own in many small decisions."""
        return self.way.kind is Kind.OPTION or (self.throughout and self.way.kind is Kind.OTHER)


@dataclass(slots=True)
class Tally:
    """What came of all trials."""

    subject: Subject
    ends: Counter[End] = field(default_factory=Counter)
    cut_short: bool = False
    hung: bool = False
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    beyond: dict[Kind, list[str]] = field(default_factory=lambda: defaultdict(list))
    cheats: dict[Kind, list[str]] = field(default_factory=lambda: defaultdict(list))
    accepted: dict[Kind, list[str]] = field(default_factory=lambda: defaultdict(list))
    untyped: list[str] = field(default_factory=list)
    tempting: list[str] = field(default_factory=list)
    blatant: list[str] = field(default_factory=list)
    policies: dict[Policy, list[tuple[Trial, float]]] = field(default_factory=lambda: defaultdict(list))
    failed: set[Policy] = field(default_factory=set)
    finished: int = 0
    moved: int = 0  # of those that finished: where the objective was another than without the change

    def add(self, trial: Trial, play: Play, untyped: bool = False) -> None:
        """Notes what came of a trial; ``untyped``: its type should have been refused and was not."""
        self.ends[play.end] += 1
        if untyped:
            self.untyped.append(self.words(trial))
        if play.end in (End.BROKE, End.NO_METRICS, End.HUNG):
            self.hung = self.hung or play.end is End.HUNG
            self.faults[play.said].append(self.words(trial))
        if play.end is End.FINISHED and self.subject.problem.objective in play.metrics:
            self._compare(trial, objective(self.subject.problem, play.metrics))
        elif trial.whole:
            self.failed.add(_policy(trial))

    def _compare(self, trial: Trial, value: float) -> None:
        name, index = self.subject.problem.objective, trial.base.case
        self.finished += 1
        self.moved += value != objective(self.subject.problem, trial.base.play.metrics)
        bounds, best = self.subject.cases.bounds, self.subject.best[index]
        breaks = trial.breaks and not self._documented(trial.way)
        if bounds is not None and self.subject.beats(value, bounds[index]):
            self.beyond[trial.way.kind].append(
                f"{self.words(trial)}: {name} {value:.6g}, and the bound is {bounds[index]:.6g}"
            )
        elif bounds is None and trial.plan and breaks and self.subject.beats(value, best):
            self.cheats[trial.way.kind].append(f"{self.words(trial)}: {name} {value:.6g}, the best baseline {best:.6g}")
        elif breaks:
            self.accepted[trial.way.kind].append(self.words(trial))
        if bounds is None and trial.whole:
            self.policies[_policy(trial)].append((trial, ratio(value, best, self.subject.problem.direction)))

    def _documented(self, way: Way) -> bool:
        """Says whether the docstring speaks of the very number that is wrong, such as -1 for nothing."""
        return way.kind is Kind.UNKNOWN and way.about.split()[0] in (self.subject.problem.__doc__ or "").split()

    def words(self, trial: Trial) -> str:
        """Says what was decided wrongly, and where."""
        label = self.subject.cases.labels[trial.base.case]
        if trial.throughout:
            return f"{trial.way.about} at every call from {trial.number + 1} on, on {label}"
        return f"{trial.way.about}, at call {trial.number + 1} of {len(trial.base.steps)} on {label}"

    def findings(self) -> list[Finding]:
        """Returns the findings, the counts first."""
        self._judge_policies()
        return [self._counts(), *self._faults(), *self._prices(), *self._looks()]

    def _judge_policies(self) -> None:
        """Finds wrong policies that beat the best baseline over all cases on which they were tried."""
        for key, tried in self.policies.items():
            trial = tried[0][0]
            mean = geometric_mean([reached for _, reached in tried])
            breaks = trial.breaks and not self._documented(trial.way)
            if key in self.failed or len(tried) < 2 or (breaks and trial.plan):  # such plans are compared one by one
                continue
            said = f"{self.words(trial)} and others: {mean:.4g} times as good as the best baseline"
            if breaks and mean > 1 + ROUNDING:
                self.cheats[trial.way.kind].append(said)
            elif mean > BLATANT and not trial.legal:
                self.blatant.append(said)
            elif mean > TEMPTING:
                self.tempting.append(said)

    def _counts(self) -> Finding:
        tried = self.ends.total()
        if not tried:
            return look("nothing was tried: no baseline asks for a decision")
        passed = sum(self.ends[end] for end in (End.FINISHED, End.ENDLESS, End.GAVE_UP))
        said = (
            f"{tried:,} tried: {self.ends[End.MISTYPED]:,} refused by their type, {self.ends[End.REFUSED]:,} by the "
            f"rules, {passed:,} accepted"
        )
        if self.subject.cases.bounds is not None and not self.beyond:
            said += ", and none of these beats the bound"
        if self.subject.cases.bounds is None:
            said += "; without a bound, what is too good can only be told by comparing it with the baselines"
        if self.cut_short:
            return look(said + "; time was up before all were tried", "make `simulate` faster, or cases smaller")
        return fine(said)

    def _faults(self) -> Iterator[Finding]:
        for said, where in list(self.faults.items())[:MOST_FAULTS]:
            yield fix(
                f"the simulator {said} when decided wrongly ({_example(where)})",
                "have `simulate` look at every part of a decision before using it, and raise InvalidDecision where it "
                "is not legal" + (", so that every loop ends" if self.hung and "come back" in said else ""),
            )
        if self.untyped:
            yield fix(
                f"a decision of another type was let through ({_example(self.untyped)})", "report a bug of evolve"
            )

    def _prices(self) -> Iterator[Finding]:
        if self.finished >= TELLING and not self.moved:
            name = self.subject.problem.objective
            yield fix(
                f"none of {self.finished} other decisions that were accepted changed {name!r}",
                "let the metrics follow from what was decided: as it is, every policy is as good as any other",
            )
        for kind, where in self.beyond.items():
            legal = "if that is legal, `bound` is none: mend it; if not, raise InvalidDecision in `simulate`"
            illegal = f"raise InvalidDecision in `simulate` when {kind}; if that is legal, `bound` is none"
            yield fix(f"beats the bound: {_example(where)}", legal if kind in MAYBE_LEGAL else illegal)
        for kind, where in self.cheats.items():
            yield fix(
                f"a wrong decision is accepted and better than every baseline: {_example(where)}",
                f"raise InvalidDecision in `simulate` when {kind}",
            )
        if self.blatant:
            yield fix(
                f"accepted and far better than every baseline: {_example(self.blatant)}",
                "find the rule that it breaks and have `simulate` raise InvalidDecision for it; if it breaks none, "
                "define `bound`, or let a baseline decide like that",
            )

    def _looks(self) -> Iterator[Finding]:
        for kind, where in self.accepted.items():
            if kind not in self.cheats and kind not in self.beyond:
                yield look(
                    f"accepted, though no baseline decides like that: {_example(where)}",
                    f"unless the docstring allows it, raise InvalidDecision in `simulate` when {kind}",
                )
        if self.tempting:
            yield look(
                f"accepted and better than every baseline: {_example(self.tempting)}",
                "if such decisions are legal, give a `bound` or better baselines; if not, refuse them",
            )
        if self.ends[End.ENDLESS]:
            yield look(f"{counted(self.ends[End.ENDLESS], 'wrong decision')} led to a simulation that asks on and on")


def _policy(trial: Trial) -> Policy:
    return trial.way.about, trial.number > 0, trial.base.policy


def _example(where: list[str]) -> str:
    return where[0] if len(where) == 1 else f"{where[0]}, and {len(where) - 1:,} more"
