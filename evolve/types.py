"""The nouns that every part shares: verdict, outcome, usage, proposal, miss, evaluation, candidate."""

import enum
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

PROVOKED = "the decision provoked a bug of the problem"
"""How the feedback begins where the simulator failed, for which the machine may be the reason as well."""


class Verdict(enum.StrEnum):
    """How a judgement ended.  Only ``OK`` comes with a score."""

    OK = "OK"
    INVALID = "INVALID"  # a decision broke the rules of the problem
    CRASHED = "CRASHED"  # the policy raised, exited or was killed by a signal
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    FORBIDDEN = "FORBIDDEN"  # the policy tried something that the sandbox denies
    OUTRACED = "OUTRACED"  # stopped before its last case, for it was not going to be worth building on


class Layer(enum.StrEnum):
    """A wall between a policy and the machine; `evolve doctor` says which stand on this one."""

    ENVIRONMENT = "environment"  # variables of our own making instead of the judge's
    LIMITS = "limits"  # what the kernel lets a process use: CPU, memory, files, processes
    SECCOMP = "seccomp"  # an allow-list of system calls
    USER = "user"  # not root: nobody, where the judge is root
    CAPABILITIES = "capabilities"  # none of the powers that root is made of
    LANDLOCK = "landlock"  # no files, no network, no signals to processes outside
    NAMESPACES = "namespaces"  # an empty, read-only root, and no other processes or networks to be seen


MINIMUM = frozenset({Layer.ENVIRONMENT, Layer.LIMITS, Layer.SECCOMP, Layer.USER})
"""What must stand before a policy that nobody has read is run."""


def unsafe(layers: Collection[Layer]) -> bool:
    """Says whether walls that stood are known, and the minimum is not among them."""
    return bool(layers) and not set(layers) >= MINIMUM


class Outcome(enum.StrEnum):
    """Why a question to a model led to no policy.  None of these is a verdict, and none has a score."""

    # The call failed.
    KEY_REFUSED = "KEY_REFUSED"  # no key, or one that the provider does not take
    NO_SUCH_MODEL = "NO_SUCH_MODEL"
    REJECTED = "REJECTED"  # the provider will not answer this request, now or later
    RATE_LIMITED = "RATE_LIMITED"  # too many requests, to the end of our patience
    UNAVAILABLE = "UNAVAILABLE"  # no connection, an error of the server, or an answer that is none
    NO_ANSWER = "NO_ANSWER"  # nothing whole came in time
    NOT_ASKED = "NOT_ASKED"  # the run's time was up before the question was sent
    # The answer holds nothing to judge.
    EMPTY = "EMPTY"
    CUT_OFF = "CUT_OFF"  # it ended in the middle
    TOO_LONG = "TOO_LONG"
    NO_POLICY = "NO_POLICY"  # prose, another file, or code for something else
    BROKEN_EDIT = "BROKEN_EDIT"  # an edit that fits nowhere, or in two places
    NOT_NEW = "NOT_NEW"  # a policy that the run has had already
    # Nothing to judge was asked for.
    NOTED = "NOTED"  # notes of what was tried, for later questions


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls of models used.

    ``input_tokens`` include ``cached_tokens``, ``output_tokens`` those of reasoning.  ``dollars`` is
    None where the price is not known.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    dollars: float | None = 0.0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        unknown = self.dollars is None or other.dollars is None
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            None if unknown else (self.dollars or 0.0) + (other.dollars or 0.0),
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy that was not judged yet.

    ``parents`` are the numbers of the candidates it was made from, ``operator`` says how the
    proposer made it, ``rationale`` why, in one line.  Where a model wrote it, ``model`` is its name
    and ``prompt`` the id of what it was asked.
    """

    source: str
    proposer: str
    operator: str = ""
    parents: tuple[int, ...] = ()
    rationale: str = ""
    model: str = ""
    prompt: str = ""
    usage: Usage = NO_USAGE


@dataclass(frozen=True, slots=True)
class Miss:
    """A turn in which a model was asked and no new policy came of it, so that there is nothing to judge.

    ``answer`` is what the model wrote, if anything.
    """

    number: int
    outcome: Outcome
    message: str
    proposer: str
    operator: str = ""
    parents: tuple[int, ...] = ()
    answer: str = ""
    model: str = ""
    prompt: str = ""
    usage: Usage = NO_USAGE


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
    ``layers`` are the walls that stood around the policy.  ``simulations`` counts the cases that were begun,
    those of a second run included.  A policy that was OUTRACED has results on the cases that it came to.
    """

    verdict: Verdict
    score: float | None = None
    cases: tuple[CaseResult, ...] = ()
    feedback: str = ""
    cpu_seconds: float = 0.0
    calls: int = 0
    confirmed: bool = False
    layers: tuple[Layer, ...] = ()
    simulations: int = 0

    def __post_init__(self) -> None:
        if (self.score is None) == (self.verdict is Verdict.OK):
            raise ValueError(f"an evaluation has a score exactly when it is OK; got {self.verdict} with {self.score}")

    @property
    def unsafe(self) -> bool:
        """Says whether the sandbox was known to lack a wall of the minimum, so that the score may be forged."""
        return unsafe(self.layers)

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
    ``case_cpu_seconds`` bounds the mean over the cases: set it where a policy gains by computing longer, for
    the sealed split has more cases than train.  Only validation and the sealed split allow all of it, other
    cases half: a search presses against every limit, and what it finds must also pass on a slower day.

    ``step_seconds`` is no limit of the policy but of the simulator: the longest it may take between a
    decision and its next question, or for its words of feedback.  If it takes longer the decision is INVALID,
    for it has driven the simulator into a bug.
    """

    cpu_seconds: float = 10.0
    wall_seconds: float = 60.0
    call_seconds: float = 5.0
    memory_mib: int = 512
    case_cpu_seconds: float = math.inf
    step_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not getattr(self, name) > 0:
                raise ValueError(f"limits must be positive; got {name}={getattr(self, name)!r}")

    def over(self, cases: int, *, proving: bool) -> "Limits":
        """Returns the limits of one pass over so many cases; ``proving``: of validation or the sealed split."""
        share = 1.0 if proving else 0.5
        return replace(self, cpu_seconds=min(self.cpu_seconds, share * cases * self.case_cpu_seconds))

    def unhurried(self) -> "Limits":
        """Returns limits that a policy within these does not reach on a slower moment or machine.

        They are for who asks whether the same is decided again, and not for speed.
        """
        names = ("cpu_seconds", "wall_seconds", "call_seconds")
        return replace(self, **{name: _SLACK * getattr(self, name) for name in names})


_SLACK = 4.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """A policy from the literature or from practice; the *reference* is the one scores relate to."""

    name: str
    source: str
    about: str = field(default="")


class EvolveError(Exception):
    """Something the user can mend: the message says what was expected, what came and what to do."""
