"""Decides what to try next: baselines first, then what the proposers make of the archive."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from random import Random

from evolve import normal
from evolve.archives import Archive
from evolve.bandit import Chooser, Fixed, Lever, Yield
from evolve.proposers import ONLY, Draft, Proposer, Way
from evolve.racing import Racing
from evolve.racing.race import Race
from evolve.types import Baseline, Candidate, EvolveError, Miss, Outcome, Proposal, Verdict

ATTEMPTS = 200
"""Proposals in a row that may be nothing or old before the search calls itself exhausted."""


class Exhausted(EvolveError):  # noqa: N818 - an end, not an error of anyone's
    """The proposers have nothing new to offer."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A proposer and how often it is asked, relative to the others, while nothing is known of them."""

    proposer: Proposer
    weight: float


class Search:
    """Ask/tell over proposers and an archive.

    What turn ``n`` asks for depends on the seed, on ``n`` and on what was told before it was asked, so
    the same told in the same order gives the same search, on any number of workers and after any
    interruption.

    No policy is judged twice.  Policies are the same that differ only in layout, comments, docstrings and names of
    locals, so a policy that is changed and changed back (A, B, A) is not asked for again either, and a model that
    writes it is answered with what came of it the first time.
    """

    def __init__(
        self,
        baselines: Sequence[Baseline],
        arms: Sequence[Arm],
        archive: Archive,
        seed: int,
        chooser: Chooser | None = None,
        racing: Racing | None = None,
    ) -> None:
        self._baselines, self._arms, self._archive, self._seed = baselines, arms, archive, seed
        self._chooser: Chooser = Fixed() if chooser is None else chooser
        self._racing = racing
        self._proposers = {arm.proposer.name: arm.proposer for arm in arms}
        self._asked: set[str] = set()  # keys of policies asked for or told
        self._admitted: dict[str, int] = {}  # the turn that first led to a policy
        self._came: dict[int, float | Verdict] = {}  # scores of candidates; without one, their verdicts
        self._cases = 1  # in a whole evaluation

    @property
    def archive(self) -> Archive:
        """The candidates worth building on."""
        return self._archive

    @property
    def bar(self) -> float:
        """The score that a new best has to exceed."""
        best = self._archive.best
        return 0.0 if best is None else best.score

    @property
    def trouble(self) -> str:
        """What keeps a proposer from offering anything for the rest of the sitting; empty if nothing does."""
        return "; ".join(arm.proposer.trouble for arm in self._arms if arm.proposer.trouble)

    def ask(self, number: int) -> Proposal | Draft:
        """Returns the policy of turn ``number``, or what to ask a model for it; no policy is returned twice.

        Raises:
            Exhausted: nothing new was proposed in ``ATTEMPTS`` attempts.
        """
        if number < len(self._baselines):
            made: Proposal | Draft = self._baseline(number)
        else:
            made = self._new(Random(f"{self._seed}/{number}"))
        if isinstance(made, Proposal):
            self._asked.add(_key(made.source))
        return made

    def race(self, number: int, made: Proposal | Draft | Miss) -> Race | None:
        """Returns what a turn's policy is raced against, asked when the turn begins; None: it is judged in full.

        So is what a model writes, for that has cost more than its cases do.
        """
        by_model = isinstance(made, Draft) or bool(made.model)
        if self._racing is None or by_model or isinstance(made, Miss) or number < len(self._baselines):
            return None
        return self._racing.race(number, made.parents, self._archive)

    def hear(self, hint: str) -> None:
        """Passes on what the person who runs the search has to say, before the next turn is asked for."""
        for arm in self._arms:
            arm.proposer.hear(hint)

    def recall(self, made: Proposal | Miss) -> None:
        """Takes note of what a turn led to in an earlier sitting, in place of asking."""
        if not made.model:
            self._asked.update(self._key_of(made))
        for arm in self._arms:
            arm.proposer.recall(made)

    def admit(self, number: int, made: Proposal | Miss) -> Proposal | Miss:
        """Returns what a turn led to, which is nothing if an earlier turn led to the same; called in order."""
        if isinstance(made, Miss):
            return made
        first = self._admitted.setdefault(_key(made.source), number)
        return made if first == number or number < len(self._baselines) else _repeated(number, first, made)

    def tell(self, told: Candidate | Miss) -> None:
        """Learns what became of a turn."""
        told = self._answered(told)
        self._credit(told, self._reward(told) if isinstance(told, Candidate) else 0.0)
        for arm in self._arms:
            arm.proposer.tell(told)

    def _key_of(self, made: Proposal | Miss) -> Iterator[str]:
        """Yields the key of a policy; of one that came again, that of the first, as far as that may still be untold."""
        if isinstance(made, Proposal):
            yield _key(made.source)
        elif (first := _first(made)) is not None:
            lately = takewhile(lambda admitted: admitted[1] >= first, reversed(self._admitted.items()))
            yield from (key for key, number in lately if number == first)

    def _answered(self, told: Candidate | Miss) -> Candidate | Miss:
        """Takes note of what came of a policy; a model that wrote an old one hears what came of that."""
        if isinstance(told, Candidate):
            score = told.evaluation.score
            self._came[told.number] = told.evaluation.verdict if score is None else score
            return told
        first = _first(told)
        return told if first is None or first not in self._came else _scored(told, self._came[first])

    def _reward(self, told: Candidate) -> float:
        """Takes a candidate into the archive and returns what that was worth.

        That is 1 for a new best; for one worth building on, ``TAKEN`` times the share of the archive that it beats.
        It depends on the order of scores alone, so problems with large and small gains are alike.
        """
        self._asked.add(_key(told.proposal.source))
        bar, least = self.bar, self._archive.least(told.proposal.parents)
        taken = self._archive.add(told)
        if self._racing is not None:
            self._racing.tell(told, least, taken, self._archive)
        if not taken:
            return 0.0
        if told.score > bar:
            return 1.0
        return TAKEN * sum(member.score < told.score for member in self._archive) / len(self._archive)

    def _credit(self, told: Candidate | Miss, reward: float) -> None:
        """Tells the chooser what its lever has led to, as far as it is known whose turn it was."""
        made = told.proposal if isinstance(told, Candidate) else told
        if made.proposer in self._proposers:
            way = Way(made.model, made.operator) if made.model else ONLY
            self._chooser.tell(Lever(made.proposer, way), Yield(reward, self._spent(told), made.usage))

    def _spent(self, told: Candidate | Miss) -> float:
        """Returns what judging took, in whole evaluations: half is its place in the budget, half are its cases."""
        if isinstance(told, Miss):
            return 0.0
        self._cases = max(self._cases, len(told.evaluation.cases))
        return (1 + min(told.evaluation.simulations / self._cases, 1)) / 2

    def _baseline(self, number: int) -> Proposal:
        baseline = self._baselines[number]
        return Proposal(baseline.source, "baseline", baseline.name, rationale=baseline.about)

    def _new(self, rng: Random) -> Proposal | Draft:
        for _ in range(ATTEMPTS):
            made = self._attempt(rng)
            if isinstance(made, Draft) or (made is not None and self._is_new(made.source)):
                return made
        raise Exhausted(self.trouble or f"no proposer had anything new to offer in {ATTEMPTS} attempts")

    def _attempt(self, rng: Random) -> Proposal | Draft | None:
        if not len(self._archive):
            return None
        parent = self._archive.parent(rng)
        levers = self._levers(self._archive.idle(parent))
        if not levers:
            return None
        proposer, way = self._chooser.choose(levers, rng)
        return self._proposers[proposer].propose(parent, self._archive, rng, way)

    def _levers(self, idle: int) -> Mapping[Lever, float]:
        """Returns what can be asked for now, with weights."""
        levers = {}
        for arm in self._arms:
            ways = arm.proposer.ways(idle)
            whole = sum(ways.values())
            levers.update({Lever(arm.proposer.name, way): arm.weight * share / whole for way, share in ways.items()})
        return levers

    def _is_new(self, source: str) -> bool:
        """Says no to what was proposed before, and to text that no file can hold."""
        return _is_unicode(source) and _key(source) not in self._asked


TAKEN = 0.2
"""The most that a candidate is worth that is no new best, but worth building on."""

_SAME = re.compile(r"the same policy as #(\d{1,9}), apart from layout, comments and names")


def _repeated(number: int, first: int, made: Proposal) -> Miss:
    return Miss(
        number,
        Outcome.NOT_NEW,
        f"the same policy as #{first}, apart from layout, comments and names",
        made.proposer,
        made.operator,
        made.parents,
        model=made.model,
        prompt=made.prompt,
        usage=made.usage,
    )


def _first(told: Miss) -> int | None:
    """Returns which turn led to the same policy before, if that is why a turn led to none."""
    same = _SAME.fullmatch(told.message) if told.outcome is Outcome.NOT_NEW else None
    return None if same is None else int(same[1])


def _scored(told: Miss, came: float | Verdict) -> Miss:
    known = f"which is {came}" if isinstance(came, Verdict) else f"whose score is {came:.4f}"
    return replace(told, message=f"{told.message}, {known}")


def _is_unicode(source: str) -> bool:
    try:
        source.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=64)  # asked for when a policy is proposed, admitted and told
def _key(source: str) -> str:
    """Equal for policies that differ only in layout, comments and names of locals."""
    try:
        return normal.key(source)
    except normal.SourceError:
        return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
