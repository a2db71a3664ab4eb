"""The nouns that every part shares: verdict, proposal, evaluation, candidate."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Verdict(enum.StrEnum):
    """How a judgement ended.  Only ``OK`` comes with a score."""

    OK = "OK"
    INVALID = "INVALID"  # a decision broke the rules of the problem
    CRASHED = "CRASHED"  # the policy raised, exited or was killed by a signal
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    FORBIDDEN = "FORBIDDEN"  # the policy tried something that the sandbox denies


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy that was not judged yet.

    ``parents`` are the numbers of the candidates it was made from, ``operator`` says how the
    proposer made it, ``rationale`` why, in one line.
    """

    source: str
    proposer: str
    operator: str = ""
    parents: tuple[int, ...] = ()
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a policy reached on one case.

    ``ratio`` compares the objective with the reference on the same case, oriented so that larger
    is better and 1.0 is the reference itself.
    """

    case: str
    ratio: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The judge's answer: a verdict and, only when it is OK, a score.

    ``score`` is the geometric mean of the cases' ratios.  ``feedback`` is one line of explanation
    for a failure, otherwise the problem's notes on the worst cases.  ``cpu_seconds`` is what the
    kernel charged to the policy's sandbox; ``calls`` counts the questions it was asked.
    ``confirmed`` says that a second run, one child per case in another order, decided the same.
    """

    verdict: Verdict
    score: float | None = None
    cases: tuple[CaseResult, ...] = ()
    feedback: str = ""
    cpu_seconds: float = 0.0
    calls: int = 0
    confirmed: bool = False

    def __post_init__(self) -> None:
        if (self.score is None) == (self.verdict is Verdict.OK):
            raise ValueError(f"an evaluation has a score exactly when it is OK; got {self.verdict} with {self.score}")

    @property
    def rank(self) -> tuple[bool, float]:
        """Orders evaluations: every one with a score stands above every one without."""
        return (False, 0.0) if self.score is None else (True, self.score)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal with its evaluation and its number in the run."""

    number: int
    proposal: Proposal
    evaluation: Evaluation

    @property
    def score(self) -> float:
        """The score of a candidate known to be OK.

        Raises:
            ValueError: the candidate has none; ask ``evaluation.verdict`` first.
        """
        if self.evaluation.score is None:
            raise ValueError(f"candidate {self.number} is {self.evaluation.verdict} and has no score")
        return self.evaluation.score


@dataclass(frozen=True, slots=True)
class Limits:
    """What a policy may use in one pass over a set of cases, on one message, and of memory.

    ``cpu_seconds`` are checked when a child ends and, rounded up to whole seconds, by the kernel while
    it runs; ``wall_seconds`` count only while the judge waits for the policy.  ``call_seconds`` bounds
    one message, which in lock-step carries a question for several cases, and the loading of the policy.
    """

    cpu_seconds: float = 10.0
    wall_seconds: float = 60.0
    call_seconds: float = 5.0
    memory_mib: int = 512

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not getattr(self, name) > 0:
                raise ValueError(f"limits must be positive; got {name}={getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A policy from the literature or from practice; the *reference* is the one scores relate to."""

    name: str
    source: str
    about: str = field(default="")


class EvolveError(Exception):
    """Something the user can mend: the message says what was expected, what came and what to do."""
