"""The figures of a verification and of an explanation that are used again, as they stand in a run's files."""

from dataclasses import dataclass

from evolve.duel import Duel
from evolve.explaining.scores import Scores
from evolve.statistics import Interval


@dataclass(frozen=True, slots=True)
class Judged:
    """An evaluation, without its cases."""

    verdict: str
    score: float | None
    feedback: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stood:
    """How a policy did on the sealed cases."""

    name: str
    evaluation: Judged
    interval: Interval | None
    mean: float | None
    gap: float | None


@dataclass(frozen=True, slots=True)
class Lesser:
    """How the smallest diff that keeps the gain did there; ``sha256`` is of its policy.

    ``covered``: nobody could know the cases before.
    """

    sha256: str
    standing: Stood
    covered: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What is used of a verification; see ``evolve.verify.Verification``."""

    objective: str
    direction: str
    policy: str
    number: int
    baseline: str | None
    standings: tuple[Stood, ...]
    duels: tuple[Duel, ...]
    mean_bound: float | None
    cases: int
    uses: int
    secret: str
    secret_hash: str
    held_out: bool
    words: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    minimised: Lesser | None = None

    @property
    def found(self) -> Stood:
        """How the policy itself did."""
        return self.standings[-1]

    @property
    def rival(self) -> Stood:
        """The baseline with the highest score."""
        return max(self.standings[:-1], key=lambda row: -1.0 if row.evaluation.score is None else row.evaluation.score)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is used of an explanation; see ``evolve.explaining.explanation.Explanation``."""

    number: int
    base: str
    rival: str
    cases: str
    noisy: bool
    policy_sha256: str
    minimised_sha256: str
    tolerance: float
    lead_kept: float | None
    scores: dict[str, Scores]

    @property
    def kept(self) -> float | None:
        """The share of the lead that is kept, on the cases on which the smallest diff was chosen."""
        return self.scores[self.cases].kept
