"""Which proposer is asked, and in which way: those more often that have led to more for what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from evolve.proposers import Way
from evolve.types import NO_USAGE, Usage


class Lever(NamedTuple):
    """What a chooser can pull: a proposer's name and one of its ways."""

    proposer: str
    way: Way


@dataclass(frozen=True, slots=True)
class Yield:
    """What became of a turn.

    ``reward`` lies between 0 (of no use) and 1 (a new best); ``evaluations`` is the evaluation that it took, as a share
    of a whole one, ``usage`` what a model used.  Seconds do not count, for a run is to be the same on a busy machine.
    """

    reward: float
    evaluations: float = 0.0
    usage: Usage = NO_USAGE


class Chooser(Protocol):
    """Chooses a lever for each turn.  It depends on nothing but ``rng`` and what it was told."""

    def choose(self, weights: Mapping[Lever, float], rng: Random) -> Lever:
        """Returns one of the levers, of which there is at least one; by their weights while nothing is known."""

    def tell(self, lever: Lever, yielded: Yield) -> None:
        """Learns what a lever has led to."""


class Fixed:
    """Chooses by the weights alone."""

    def choose(self, weights: Mapping[Lever, float], rng: Random) -> Lever:
        """Returns a lever as often as its weight says."""
        return rng.choices(list(weights), list(weights.values()))[0]

    def tell(self, lever: Lever, yielded: Yield) -> None:
        """Nothing to learn."""


FLOOR = 0.2
"""The share of turns that go by the weights alone, so that a lever that once failed can show that it has improved."""

DOUBT = 0.5
"""New bests that a lever is credited with, and charged for at the going rate, before anything is known of it."""

SHARPNESS = 2.0
"""The power of a lever's rate by which it is chosen: 1 would match probabilities, more follows the better ones."""

MEMORY = 0.995
"""What a turn's yield is worth one turn later: what helped 200 turns ago counts a third."""

ASKING = 0.1
"""What a question costs in evaluations even where it costs no dollars, for its answer must be waited for."""

_MOST_WORTH = 1e100  # far from where floats end


@dataclass(slots=True)
class _Account:
    """What a lever has brought and cost; older turns count less.  ``paid`` are dollars, of known price."""

    reward: float = 0.0
    evaluations: float = 0.0
    questions: float = 0.0
    tokens: float = 0.0
    paid: float = 0.0
    unpriced: bool = False  # some of its tokens have no known price

    def add(self, yielded: Yield, weight: float) -> None:
        usage = yielded.usage
        self.reward += weight * yielded.reward
        self.evaluations += weight * yielded.evaluations
        self.questions += weight * bool(usage.tokens)
        self.tokens += weight * usage.tokens
        self.paid += weight * (usage.dollars or 0.0)
        self.unpriced |= usage.dollars is None


class Bandit:
    """Chooses in proportion to the weights times the square of what each lever has brought for what it cost.

    Probability matching in the manner of Thierens (2005), for rewards that are rare and become rarer.  A lever's rate
    is its reward for each unit of cost, next to that of all levers together: a rise or a fall that all share changes
    nothing.  An evaluation costs 1.  So does the average question to a model; but for ``ASKING``, one that takes twice
    the dollars costs twice as much (or the tokens, while all models are free or the price of one is not known).
    """

    def __init__(self) -> None:
        self._accounts: dict[Lever, _Account] = {}
        self._worth = 1.0  # of a yield told now; it grows, where all older ones would have to shrink

    def choose(self, weights: Mapping[Lever, float], rng: Random) -> Lever:
        """Returns a lever; each keeps its share of the floor, whatever it has led to."""
        rates = self.rates(weights)
        sought = {lever: weight * rates[lever] ** SHARPNESS for lever, weight in weights.items()}
        whole, found = sum(weights.values()), sum(sought.values())
        shares = [FLOOR * weight / whole + (1 - FLOOR) * sought[lever] / found for lever, weight in weights.items()]
        return rng.choices(list(weights), shares)[0]

    def tell(self, lever: Lever, yielded: Yield) -> None:
        """Learns what a lever has led to."""
        self._accounts.setdefault(lever, _Account()).add(yielded, self._worth)
        self._worth /= MEMORY
        if self._worth > _MOST_WORTH:
            self._rescale()

    def rates(self, levers: Mapping[Lever, float]) -> dict[Lever, float]:
        """Returns what each lever brings for its cost as a multiple of what all have brought; 1 while unknown."""
        costs = self._costs()
        reward, cost = sum(account.reward for account in self._accounts.values()), sum(costs.values())
        going = reward / cost if cost else 0.0
        doubt = DOUBT * self._worth
        return {
            lever: (doubt + self._accounts[lever].reward) / (doubt + going * costs[lever]) if lever in costs else 1.0
            for lever in levers
        }

    def _costs(self) -> dict[Lever, float]:
        """Returns the cost of each lever in evaluations."""
        accounts = self._accounts
        priced = not any(account.unpriced for account in accounts.values()) and any(a.paid for a in accounts.values())
        spent = {lever: account.paid if priced else account.tokens for lever, account in accounts.items()}
        total, questions = sum(spent.values()), sum(account.questions for account in accounts.values())
        each = questions / total if total else 0.0
        return {
            lever: account.evaluations + ASKING * account.questions + (1 - ASKING) * each * spent[lever]
            for lever, account in accounts.items()
        }

    def _rescale(self) -> None:
        """Begins to count anew at 1; what was told keeps its proportions."""
        for account in self._accounts.values():
            account.reward /= self._worth
            account.evaluations /= self._worth
            account.questions /= self._worth
            account.tokens /= self._worth
            account.paid /= self._worth
        self._worth = 1.0
