"""What a run has tried with what result, in few words: counted here, or noted by a model that was shown the counts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NoReturn

from evolve.proposers.layout import Unusable, without_thoughts
from evolve.text import brief, counted
from evolve.types import Candidate, Miss, Outcome, Proposal, Verdict

MOST_NOTES = 4000
"""Characters of a model's notes that are kept."""

_MOST_KINDS, _MOST_CASES = 24, 2000  # a journal may come from anybody
_WINNERS, _NAMED = 4, 3
_OTHERS = "others"


def kept(text: str) -> str:
    """Returns as much as is kept of the notes in a model's answer; nothing of one that is only thoughts."""
    try:
        notes = without_thoughts(text).strip()
    except Unusable:
        return ""
    return notes if len(notes) <= MOST_NOTES else f"{notes[:MOST_NOTES]} [cut]"


def noted(text: str) -> NoReturn:
    """Ends the turn of a question for notes, which leads to no policy whatever was answered.

    Raises:
        Unusable: always; it was NOTED, unless the answer holds no notes.
    """
    raise Unusable(Outcome.NOTED, f"notes of {counted(len(without_thoughts(text).split()), 'word')}")


@dataclass(frozen=True, slots=True)
class _Scored:
    """A candidate without its source and its cases."""

    number: int
    score: float
    rationale: str


@dataclass(slots=True)
class _Kind:
    """The attempts of one kind, and the best and the worst of them."""

    tried: int = 0
    repeated: int = 0
    bests: int = 0
    best: _Scored | None = None
    worst: _Scored | None = None
    failures: Counter[Verdict] = field(default_factory=Counter)

    def line(self, name: str) -> str:
        """Returns what came of them."""
        parts = [f"{self.tried} tried", counted(self.bests, "new best") if self.bests else "no new best"]
        if self.best is not None and self.worst is not None:
            why = f" ({brief(self.best.rationale, 100)})" if self.best.rationale else ""
            parts.append(f"scores {self.worst.score:.4f} to {self.best.score:.4f}, the best by {self.best.number}{why}")
        parts += [f"{count} {verdict}" for verdict, count in self.failures.most_common()]
        parts += [f"{self.repeated} not new"] if self.repeated else []
        return f"- {brief(name, 60)}: {'; '.join(parts)}"


class Attempts:
    """Counts what was tried, by kind: a model's operator, or the name of a proposer without a model.

    Its memory does not grow with the run.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}
        self._winners: dict[str, tuple[float, int]] = {}  # ratio and number of the best on each case
        self._best: _Scored | None = None
        self.turns = 0

    @property
    def best(self) -> int | None:
        """The number of the best candidate told; of equals the first."""
        return None if self._best is None else self._best.number

    def tell(self, told: Candidate | Miss) -> None:
        """Counts a turn; calls that failed and questions for notes tried nothing."""
        self.turns = told.number + 1
        if isinstance(told, Candidate):
            self._judged(told)
        elif told.outcome is Outcome.NOT_NEW:
            kind = self._kind(told)
            kind.tried += 1
            kind.repeated += 1

    def summary(self) -> str:
        """Returns what was tried in at most 32 lines of 300 characters; empty before anything was."""
        kinds = sorted(self._kinds.items(), key=lambda item: -item[1].tried)
        vain = [brief(name, 60) for name, kind in kinds if not kind.bests and kind.tried]
        lines = [kind.line(name) for name, kind in kinds]
        if vain and len(vain) < len(kinds):
            lines.append(f"- never led to a new best: {', '.join(vain)}")
        return "\n".join(brief(line, 300) for line in [*lines, *self._leaders()])

    def _judged(self, told: Candidate) -> None:
        score = told.evaluation.score
        better = score is not None and (self._best is None or score > self._best.score)
        if told.proposal.proposer != "baseline":
            self._count(self._kind(told.proposal), told, better)
        if better:
            self._best = _scored(told)
        for result in told.evaluation.cases if score is not None else ():
            known = self._winners.get(result.case)
            if result.ratio > known[0] if known else len(self._winners) < _MOST_CASES:
                self._winners[result.case] = result.ratio, told.number

    def _count(self, kind: _Kind, told: Candidate, better: bool) -> None:
        kind.tried += 1
        kind.bests += better
        if told.evaluation.score is None:
            kind.failures[told.evaluation.verdict] += 1
            return
        if kind.best is None or told.score > kind.best.score:
            kind.best = _scored(told)
        if kind.worst is None or told.score < kind.worst.score:
            kind.worst = _scored(told)

    def _kind(self, made: Proposal | Miss) -> _Kind:
        name = made.operator if made.model else made.proposer
        if name not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            name = _OTHERS
        return self._kinds.setdefault(name, _Kind())

    def _leaders(self) -> list[str]:
        """Returns who is best on which cases, where it is not one candidate on all."""
        won = Counter(number for _, number in self._winners.values())
        if len(won) < 2:
            return []
        lines = []
        for number, count in won.most_common(_WINNERS):
            cases = [brief(case, 60) for case, (_, winner) in self._winners.items() if winner == number]
            more = "; ..." if count > _NAMED else ""
            lines.append(f"- best on {counted(count, 'case')}: candidate {number} ({'; '.join(cases[:_NAMED])}{more})")
        return lines


def _scored(told: Candidate) -> _Scored:
    return _Scored(told.number, told.score, brief(told.proposal.rationale, 200))
