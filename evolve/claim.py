"""What sealed scores say of a policy: which baselines it beats, whether that is proved, and the same in a sentence."""

from collections.abc import Sequence
from typing import Protocol

from evolve.duel import Duel
from evolve.text import brief, kept

_NAMED = 6
"""Names that a sentence lists at most; it says how many others there are."""


class Judgement(Protocol):
    """An evaluation on the sealed cases."""

    @property
    def verdict(self) -> str:
        """How it ended."""
        ...

    @property
    def score(self) -> float | None:
        """The mean ratio to the reference; None unless the verdict is OK."""
        ...

    @property
    def feedback(self) -> str:
        """What is said of it; may be empty."""
        ...


class Row(Protocol):
    """How one policy stands there."""

    @property
    def name(self) -> str:
        """What the policy is called."""
        ...

    @property
    def evaluation(self) -> Judgement:
        """What came of it."""
        ...


class Claim(Protocol):
    """What is known of a policy on the sealed cases."""

    @property
    def baseline(self) -> str | None:
        """The name of the policy, where it is a baseline itself."""
        ...

    @property
    def standings(self) -> Sequence[Row]:
        """The baselines, and last the policy."""
        ...

    @property
    def duels(self) -> Sequence[Duel]:
        """The policy against each baseline that has a score."""
        ...

    @property
    def barred(self) -> Sequence[str]:
        """The baselines that are no rivals."""
        ...

    @property
    def cases(self) -> int:
        """How many there are."""
        ...

    @property
    def covered(self) -> bool:
        """Whether the policy was there before anyone could know the cases."""
        ...

    @property
    def unsafe(self) -> bool:
        """Whether something was judged where the sandbox does not stand."""
        ...

    @property
    def held_out(self) -> bool:
        """Whether the cases are recorded and public."""
        ...


def unbeaten(claim: Claim) -> list[str]:
    """Returns the baselines that the policy is not shown to beat."""
    ahead = {duel.baseline for duel in claim.duels if duel.interval.above_one}
    return [row.name for row in claim.standings[:-1] if row.name not in ahead and row.name not in claim.barred]


def close(claim: Claim) -> list[Duel]:
    """Returns the duels on too few differing cases."""
    return [duel for duel in claim.duels if duel.is_close(claim.cases)]


def proved(claim: Claim) -> bool:
    """Says whether the policy beats every baseline, on cases that were secret, or unused, when it was found."""
    return claim.baseline is None and claim.covered and not (claim.unsafe or unbeaten(claim) or close(claim))


def conclusion(problem: str, policy: str, claim: Claim) -> str:
    """Returns in one sentence what the sealed or held-out cases say; ``policy`` is what it is called in that."""
    cases, found = f"{kept(claim.held_out)} cases", f"{problem}: {policy}"
    if claim.baseline is not None:
        return f"{problem}: the search found nothing better than the baseline {claim.baseline!r}; run it longer"
    evaluation = claim.standings[-1].evaluation
    if evaluation.score is None:
        said = f": {brief(evaluation.feedback, 300)}" if evaluation.feedback else ""
        return f"{found} is {evaluation.verdict} on the {cases}{said}"
    if behind := unbeaten(claim):
        alone = "" if claim.cases > 1 else ", of which there is one, too few for an interval"
        return f"{found} is not shown to beat {listed(behind)} on the {cases}{alone}"
    if few := close(claim):
        names = listed([f"{duel.baseline} on {duel.better + duel.worse} cases" for duel in few])
        return f"{found} is ahead of every baseline on the {cases}, but differs from {names} only: too few to be sure"
    if not claim.covered:
        return f"{found} is ahead of every baseline, but was found after {_late(held_out=claim.held_out)}"
    return f"{found} beats every baseline on the {cases}{_least(claim.duels)}"


def listed(names: Sequence[str]) -> str:
    """Returns the first few of some names, and how many more there are."""
    shown, more = ", ".join(names[:_NAMED]), len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _late(*, held_out: bool) -> str:
    known, fresh = (
        ("shown scores on", "begins without them") if held_out else ("revealed the secret of", "has fresh ones")
    )
    return f"an earlier `evolve verify` had {known} these cases: no proof; only a new run {fresh}"


def _least(duels: Sequence[Duel]) -> str:
    """Returns by how much the policy beats the strongest baseline; nothing where all are barred."""
    if not duels:
        return ""
    least = min(duels, key=lambda duel: duel.interval.mean)
    ahead = f"{least.baseline} by {least.interval.mean - 1:.2%} on the mean"
    counts = f"better on {least.better} cases, worse on {least.worse}"
    return f", {ahead} (every 95% interval is above 1; {counts})"
