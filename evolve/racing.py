"""Who sets what policies are raced against: it learns from those that were judged in full without having been chosen.

A candidate that is stopped though it would have been worth building on is an *error*.  Of all candidates, at most the
stated share are errors: the thresholds are set by conformal risk control (Angelopoulos et al. 2022; Vovk et al. 2005)
on a *control group*, which is judged in full whatever it does: the first ``WARM_UP`` candidates, and of the later ones
a share that is drawn by their numbers alone.  With ``n`` of them, a threshold is so low that at most
``error * (n + 1) - 1`` of them would have been stopped in error; that holds for the next candidate in as far as it is
like those before.  Half of the error goes to policies that have fallen behind, half to those that have equalled their
parents so far.

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
from evolve.race import Race, Stage, looks
from evolve.racing_order import Lead, learned
from evolve.statistics import ratio
from evolve.types import Candidate

ERROR, CONTROL, WARM_UP = 0.05, 8, 64
"""The stated error, of how many candidates one is in the control group, and how many are from the beginning."""

_PAIRS = 256  # of the control group that count: the search changes its ways
_LEARNED = 64  # pairs that the order is learned from
_EVERY = 32  # of which it is learned anew
_REMEMBERED = 512  # candidates whose children are compared with them


@dataclass(frozen=True, slots=True)
class Audit:
    """How the rule would have done on the control group: of so many, how many it would have stopped, and in error."""

    judged: int = 0
    stopped: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class _Judged:
    ratios: tuple[float, ...]
    length: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """A candidate of the control group and its parent: the logarithms of their ratios to each other by case.

    ``lack`` is what the mean of them had to exceed, ``taken`` whether it was worth building on.  ``ahead`` are the
    cases on which it was better than all before, ``shorter`` whether its text is shorter than its parent's.
    """

    lead: Lead
    lack: float
    taken: bool
    ahead: frozenset[int]
    shorter: bool


class Racing:
    """Sets the races of one run; all that it knows it was told, in order."""

    def __init__(self, error: float = ERROR, control: int = CONTROL, warm_up: int = WARM_UP) -> None:
        if not 0 < error < 1 or control < 1:
            raise ValueError(f"expected an error between 0 and 1 and a control group; got {error}, one in {control}")
        self._error, self._control, self._warm_up = error / 2, control, warm_up
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
        return number < self._warm_up or Random(f"{self._seed}/{number}/control").random() * self._control < 1

    def _parent(self, parents: Sequence[int], archive: Archive) -> _Judged | None:
        if not parents:
            return None
        if parents[0] in self._judged:
            return self._judged[parents[0]]
        member = next((member for member in archive if member.number == parents[0]), None)
        if member is None:
            return None
        return _Judged(tuple(result.ratio for result in member.evaluation.cases), len(member.proposal.source))

    def _race(self, parent: _Judged, least: float) -> Race:
        return Race(self._order, self._stages, parent.ratios, self._known, self._most, least, parent.length)

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
        if not self._controls(told.number):
            self._others.append(lead)
            self._unlearned += 1
            return
        self._check(self._race(parent, least), ratios, len(told.proposal.source), taken)
        mean = math.fsum(map(math.log, parent.ratios)) / len(lead)
        lack = math.log(least) - mean if least > 0 else -math.inf
        ahead = frozenset(case for case, own in enumerate(ratios) if own > self._known[case])
        self._pairs.append(_Pair(lead, lack, taken, ahead, len(told.proposal.source) < parent.length))
        if self._unlearned >= _EVERY:
            self._order, self._unlearned = learned(self._others, self._order, self._stages[:2]), 0
        self._set()

    def _check(self, race: Race, ratios: tuple[float, ...], length: int, taken: bool) -> None:
        """Notes how a race would have ended for one of the control group."""
        seen: dict[int, float] = {}
        stopped = False
        for group in race.groups():
            seen |= {case: ratios[case] for case in group}
            stopped = stopped or bool(race.stops(seen, length))
        audit = self.audit
        self.audit = Audit(audit.judged + 1, audit.stopped + stopped, audit.errors + (stopped and taken))

    def _set(self) -> None:
        """Sets the thresholds anew."""
        taken = [pair for pair in self._pairs if pair.taken]
        allowed = math.floor(self._error * (len(self._pairs) + 1) - 1 + _ROUNDING)
        needed = sorted((self._needed(pair) for pair in taken), reverse=True)
        factor = math.inf  # while there are too few to say anything
        if allowed >= 0:
            factor = needed[allowed] if allowed < len(needed) else 0.0
        self._stages = tuple(
            Stage(
                stage.cases,
                factor * self._spread(stage),
                allowed >= sum(self._equal(pair, stage) for pair in taken),
            )
            for stage in self._stages
        )

    def _needed(self, pair: _Pair) -> float:
        """Returns how many times the spread of a stage must be allowed for, lest a pair be stopped."""
        most = 0.0
        for stage in self._stages:
            seen = self._order[: stage.cases]
            if not pair.ahead.isdisjoint(seen):
                break
            if any(pair.lead[case] for case in seen):
                mean = math.fsum(pair.lead[case] for case in seen) / len(seen)
                most = max(most, (pair.lack - mean) / self._spread(stage) * (1 + _ROUNDING))
        return most

    def _equal(self, pair: _Pair, stage: Stage) -> bool:
        """Says whether a pair would be taken for the same after a stage."""
        seen = self._order[: stage.cases]
        return not pair.shorter and pair.ahead.isdisjoint(seen) and not any(pair.lead[case] for case in seen)

    def _spread(self, stage: Stage) -> float:
        """Returns how far the mean of so many cases strays from that of all, for draws of variance one."""
        whole = len(self._order)
        return math.sqrt((whole - stage.cases) / (stage.cases * whole))


_ROUNDING = 1e-9
