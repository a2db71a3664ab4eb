"""Who sets what policies are raced against: it learns from those that were judged in full without having been chosen.

A candidate is worth judging on if it is worth building on and better than its parent: of the others few ever lead to
anything, and they are most.  One that was stopped though it was worth judging on is *lost*.  At most a stated share of
those that are worth it are lost by falling behind, and another for having equalled their parents so far: the thresholds
are set by conformal risk control (Angelopoulos et al. 2022) on a *control group*, which is judged in full whatever it
does, drawn by the candidates' numbers alone; class by class, so that the share holds of those that are worth it however
few they are (Vovk et al. 2005).  With ``n`` of them, a threshold is so low that at most ``share * (n + 1) - 1`` of them
would have been lost; that holds for the next one in as far as it is like those before.

In the beginning nobody is in the control group.  So ``EXPERIENCE`` from runs on several problems counts beside it, in
which it hardly mattered on which: what a candidate needs is measured in standard errors of its own lead.

The order of the cases is learned as well, from those that were judged in full and are not in the control group: first
the cases on which most changes show, then those whose mean tells most of the mean over all.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from evolve.archives import Archive
from evolve.cases import CaseSet
from evolve.racing.order import Lead, learned
from evolve.racing.race import ROUNDING, Race, Stage, doubt, looks
from evolve.statistics import geometric_mean, ratio
from evolve.types import Candidate

BEHIND, TWINS, CONTROL = 0.3, 0.125, 24
"""The shares that may be lost by falling behind and as twins; of how many candidates one is in the control group."""

EXPERIENCE = (0.0,) * 27 + (0.29, 0.57, 0.82, 1.045, 1.06, 1.1, 1.11, 1.16, 1.33, 1.41, 1.54, 1.73, 2.62)
"""What 40 candidates that are worth it have needed: quantiles of 214 in six runs on dispatch, prism and spot."""

_EQUALLED = (7, 3, 1)  # of the 40, how many had equalled their parents at a look; at later ones as at the last
_PAIRS = 256  # of the control group that count: the search changes its ways
_LEARNED = 64  # pairs that the order is learned from
_EVERY = 16  # of which it is learned anew
_REMEMBERED = 512  # candidates whose children are compared with them


@dataclass(frozen=True, slots=True)
class Audit:
    """How the rule would have done on the control group.

    Of so many that were ``judged`` it would have ``stopped`` some; of those that were ``worth`` it, some were ``lost``.
    """

    judged: int = 0
    stopped: int = 0
    worth: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class _Judged:
    ratios: tuple[float, ...]
    length: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """A candidate of the control group and its parent: the logarithms of their ratios to each other by case.

    ``lack`` is what the mean of them had to exceed, ``worth`` whether it was worth judging on.  ``ahead`` are the
    cases on which it was better than all before, ``shorter`` whether its text is shorter than its parent's.
    """

    lead: Lead
    lack: float
    worth: bool
    ahead: frozenset[int]
    shorter: bool


class Racing:
    """Sets the races of one run; all that it knows it was told, in order."""

    def __init__(self, behind: float = BEHIND, twins: float = TWINS, control: int = CONTROL) -> None:
        if not (0 < behind < 1 and 0 < twins < 1) or control < 1:
            raise ValueError(
                f"expected shares between 0 and 1 and a control group; got {behind}, {twins}, 1 in {control}"
            )
        self._behind, self._twins, self._control = behind, twins, control
        self._judged: OrderedDict[int, _Judged] = OrderedDict()
        self._pairs: deque[_Pair] = deque(maxlen=_PAIRS)
        self._others: deque[Lead] = deque(maxlen=_LEARNED)
        self._unlearned = 0
        self._known: tuple[float, ...] = ()
        self._most: tuple[float, ...] = ()
        self._order: tuple[int, ...] = ()
        self._stages: tuple[Stage, ...] = ()
        self._seed = 0
        self._cases: CaseSet | None = None
        self.audit = Audit()

    def begin(self, cases: CaseSet, seed: int) -> None:
        """Takes note of what the run judges on, and of its seed, before anything is told."""
        self._cases, self._seed = cases, seed
        order = list(range(len(cases)))
        Random(f"{seed}/order").shuffle(order)
        self._order, self._known, self._most = tuple(order), (0.0,) * len(order), (math.inf,) * len(order)
        self._stages = tuple(Stage(end) for end in looks(len(order)))
        self._set()

    def race(self, number: int, parents: Sequence[int], archive: Archive) -> Race | None:
        """Returns what turn ``number`` is raced against; None: it is judged in full."""
        parent = self._parent(parents, archive)
        if parent is None or self._controls(number) or not self._stages:
            return None
        return self._race(parent, archive.least(parents))

    def tell(self, told: Candidate, least: float, taken: bool, archive: Archive) -> None:
        """Learns from a candidate, which had to exceed ``least`` and was ``taken`` by the archive or not."""
        ratios = tuple(result.ratio for result in told.evaluation.cases)
        if told.evaluation.score is None or len(ratios) != len(self._order):
            return
        parent = self._parent(told.proposal.parents, archive)
        if not self._judged:
            self._take_reference(told)
        if parent is not None:
            self._judged[told.proposal.parents[0]] = parent
            self._judged.move_to_end(told.proposal.parents[0])
            self._compare(told, ratios, parent, least, taken)
        self._judged[told.number] = _Judged(ratios, len(told.proposal.source))
        while len(self._judged) > _REMEMBERED:
            self._judged.popitem(last=False)
        self._known = tuple(map(max, self._known, ratios))

    def _controls(self, number: int) -> bool:
        return Random(f"{self._seed}/{number}/control").random() * self._control < 1

    def _parent(self, parents: Sequence[int], archive: Archive) -> _Judged | None:
        if not parents:
            return None
        if parents[0] in self._judged:
            return self._judged[parents[0]]
        member = archive.find(parents[0])
        if member is None:
            return None
        return _Judged(tuple(result.ratio for result in member.evaluation.cases), len(member.proposal.source))

    def _race(self, parent: _Judged, least: float) -> Race:
        bar = max(least, geometric_mean(parent.ratios))
        return Race(self._order, self._stages, parent.ratios, self._known, self._most, bar, parent.length)

    def _take_reference(self, reference: Candidate) -> None:
        """Works out the best ratio that the bound allows on each case; the first candidate is the reference."""
        assert self._cases is not None
        problem, bounds = self._cases.problem, self._cases.bounds
        if bounds is None:
            return
        reached = [max(result.metrics[problem.objective], problem.floor) for result in reference.evaluation.cases]
        best = [max(bound, problem.floor) for bound in bounds]
        self._most = tuple(
            ratio(bound, base, problem.direction) if bound > 0 else math.inf
            for bound, base in zip(best, reached, strict=True)
        )

    def _compare(self, told: Candidate, ratios: tuple[float, ...], parent: _Judged, least: float, taken: bool) -> None:
        lead = tuple(math.log(own / other) for own, other in zip(ratios, parent.ratios, strict=True))
        if self._controls(told.number) and not told.proposal.model:  # what models write is never raced
            self._note(told, lead, ratios, parent, self._race(parent, least), taken)
        else:
            self._others.append(lead)
            self._unlearned += 1
        if self._unlearned >= _EVERY:
            self._order, self._unlearned = learned(self._others, self._order, self._stages[:2]), 0
            self._set()

    def _note(
        self, told: Candidate, lead: Lead, ratios: tuple[float, ...], parent: _Judged, race: Race, taken: bool
    ) -> None:
        """Learns from one of the control group."""
        length = len(told.proposal.source)
        worth = taken and told.score > race.least * (1 + ROUNDING)
        self._check(race, ratios, length, worth)
        lack = math.log(race.least) - math.fsum(map(math.log, parent.ratios)) / len(lead)
        ahead = frozenset(case for case, own in enumerate(ratios) if own > self._known[case])
        self._pairs.append(_Pair(lead, lack, worth, ahead, length < parent.length))
        self._set()

    def _check(self, race: Race, ratios: tuple[float, ...], length: int, worth: bool) -> None:
        """Notes how a race would have ended for one of the control group."""
        seen: dict[int, float] = {}
        stopped = False
        for group in race.groups():
            seen |= {case: ratios[case] for case in group}
            stopped = stopped or bool(race.stops(seen, length))
        was = self.audit
        self.audit = Audit(was.judged + 1, was.stopped + stopped, was.worth + worth, was.lost + (stopped and worth))

    def _set(self) -> None:
        """Sets the thresholds anew."""
        worth = [pair for pair in self._pairs if pair.worth]
        count = len(worth) + len(EXPERIENCE)
        needed = sorted([*EXPERIENCE, *(self._needed(pair) for pair in worth)], reverse=True)
        lost = _allowed(self._behind, count)
        gain = math.inf if lost < 0 else needed[lost]
        self._stages = tuple(
            Stage(
                stage.cases,
                gain,
                _EQUALLED[min(look, len(_EQUALLED) - 1)] + sum(self._equal(pair, stage) for pair in worth)
                <= _allowed(self._twins, count),
            )
            for look, stage in enumerate(self._stages)
        )

    def _needed(self, pair: _Pair) -> float:
        """Returns how many standard errors must be allowed for, lest a pair be stopped."""
        most = 0.0
        for stage in self._stages:
            seen = self._order[: stage.cases]
            if not pair.ahead.isdisjoint(seen):
                break
            if any(pair.lead[case] for case in seen):
                leads = [pair.lead[case] for case in seen]
                short = pair.lack - math.fsum(leads) / len(leads)
                most = max(most, short / doubt(leads, len(self._order)) * (1 + ROUNDING))
        return most

    def _equal(self, pair: _Pair, stage: Stage) -> bool:
        """Says whether a pair would be taken for the same after a stage."""
        seen = self._order[: stage.cases]
        return not pair.shorter and pair.ahead.isdisjoint(seen) and not any(pair.lead[case] for case in seen)


def _allowed(share: float, count: int) -> int:
    """Returns how many of so many may be lost, for the next one to be lost with no more than this probability."""
    return math.floor(share * (count + 1) - 1 + ROUNDING)
