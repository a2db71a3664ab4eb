"""A problem: its cases, the simulation that asks a policy, the reference and the bound.

A problem is one small file.  Its simulation is a generator that *yields* each question and is *sent*
each decision, so the policy never sees the future, the simulator or the score::

    class CacheEviction(Problem):
        objective, direction = "miss_ratio", "minimize"
        reference = "def evict(cached, now): ..."
        def cases(self, split): ...
        def simulate(self, case):
            victim = yield Call("evict", cached, now, returns=int)
            return {"miss_ratio": misses / len(case)}
"""

import difflib
import textwrap
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from evolve.objective import Constraint, Direction, Objective
from evolve.split import SPLITS as SPLITS
from evolve.split import Split as Split
from evolve.types import Baseline, EvolveError, Limits

Simulation = Generator["Call", Any, Mapping[str, float]]

CPU_SECONDS = "cpu_seconds"
"""The metric that the judge adds to those of a timed problem."""


class InvalidDecision(Exception):  # noqa: N818 - a verdict in the making, not an error of ours
    """Raised by a simulation when a decision breaks the rules; the message says which rule and where."""


class ProblemError(EvolveError):
    """The problem itself is at fault: its file, its reference, its cases or its simulator."""


class Unready(ProblemError):  # noqa: N818 - nobody's error: something has to be made first
    """Raised by ``cases`` where a problem needs what is not here, such as a recorded table of times.

    The message names the problem, says what is missing and how to get it.  ``evolve problems`` shows it in place
    of scores, and every other command ends with it.  A simulation raises it when what it measures with has gone,
    which is no verdict on any policy.
    """


@dataclass(frozen=True, slots=True, init=False)
class Call:
    """One question to the policy: the function to call, its arguments and the type it must return.

    Arguments are plain values (None, bool, int64, finite float, str, list, dict with str or int
    keys, numpy arrays); the policy gets private copies.  ``returns`` is a type or annotation such as
    ``int``, ``list[int]``, ``dict[str, float]`` or ``Literal["spot", "none"]``; the judge checks it
    before the simulation sees the decision.
    """

    name: str
    arguments: tuple[Any, ...]
    returns: Any

    def __init__(self, name: str, *arguments: Any, returns: Any = Any) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "arguments", arguments)
        object.__setattr__(self, "returns", returns)


@dataclass(frozen=True, slots=True)
class Twin:
    """Another case with the same past: ``before(call)`` says that a call is asked before the two differ.

    Of a job on a trace of prices, the twin has other prices from tick 100 on, and ``before`` is
    ``lambda call: call.arguments[0]["tick"] < 100``.
    """

    case: Any
    before: Callable[[Call], bool]


class Problem:
    """A systems question with a simulator, workloads, baselines and an objective.

    The class docstring is the text that people and models read: what to write, what the arguments
    mean with their units, which decisions are legal, and what is better.
    """

    objective: ClassVar[str]
    """The metric that counts, a key of what ``simulate`` returns; positive on every case."""

    direction: ClassVar[Direction] = "minimize"

    floor: ClassVar[float] = 0.0
    """Values of the objective below this count as this; for objectives that can be zero."""

    timed: ClassVar[bool] = False
    """Adds the metric ``cpu_seconds``, the CPU time a policy takes on the case, which ``objective`` may name.

    Then every case has a process of its own and the reference is timed anew beside it; see ``evolve.judge.timing``.
    """

    constraints: ClassVar[tuple[Constraint, ...]] = ()
    """What a policy must keep to besides, relative to the reference; one that does not is INVALID."""

    objectives: ClassVar[Mapping[str, Objective]] = {}
    """Named objectives, the first the default, in place of the five attributes above; ``--objective NAME`` chooses."""

    chosen: str = ""
    """The name of the objective in force, where there are several; set by ``pursue``."""

    measured: ClassVar[tuple[str, ...]] = ()
    """Metrics that are read from a real machine and are never twice the same, such as a kernel's time.

    A policy that is judged again must reach all others again; of these the second reading counts.
    """

    held_out: ClassVar[bool] = False
    """Says that the test cases are recorded and public: held out from the search, but no secret.

    They are the same whatever the secret, and are nowhere called sealed.
    """

    reference: ClassVar[str] = ""
    """Source of the policy that scores are relative to; empty: ``seeds/<problem>/reference.py``."""

    imports: ClassVar[tuple[str, ...]] = ()
    """Modules that a policy may import beyond the standard list and numpy."""

    limits: ClassVar[Limits] = Limits()

    sweeps: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Conditions that a found policy is tried under besides, each with its settings from mild to harsh.

    Such as ``{"load": ("50%", "80%", "95%"), "skew": ("even", "heavy")}``; ``swept`` makes the cases.
    """

    reserved: ClassVar[tuple[str, ...]] = ()
    """Case sets that no search may see, for they are to confirm what it found."""

    name: str = ""
    """Set when the problem is loaded: the name of its folder or file."""

    path: Path | None = None
    """Set when the problem is loaded: the file that defines it."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, objective in [*cls.objectives.items()][:1] if isinstance(cls.objectives, Mapping) else ():
            if isinstance(objective, Objective):  # else the catalog says what is wrong
                for attribute, value in _in_force(name, objective).items():
                    setattr(cls, attribute, value)

    def pursue(self, name: str) -> None:
        """Has the named objective count from now on, in place of the default.

        Raises:
            EvolveError: there is none of that name; the message names the nearest known one.
        """
        if not self.objectives:
            raise EvolveError(f"{self.name} has a single objective, {self.objective!r}; leave {name!r} out")
        if name not in self.objectives:
            close = difflib.get_close_matches(name, self.objectives, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise EvolveError(f"{self.name} has no objective {name!r}; {hint}there are: {', '.join(self.objectives)}")
        vars(self).update(_in_force(name, self.objectives[name]))

    def derive(self, metrics: Mapping[str, float]) -> Mapping[str, float]:  # noqa: ARG002
        """Returns metrics that follow from the others of a case and its ``cpu_seconds``, where that is timed.

        An objective may name one, such as a weighing of a plan's quality against the time to make it.
        """
        return {}

    def cases(self, split: Split) -> Sequence[Any]:
        """Returns the workload instances of a split, at least 20, made from ``split.seeds(n)``.

        Raises:
            Unready: they need what is not here.
        """
        raise NotImplementedError

    def swept(self, split: Split, condition: str, setting: str) -> Sequence[Any]:
        """Returns at least 10 workload instances under one setting of a condition that ``sweeps`` names.

        They are made from ``split.seeds(n)`` and like those of ``cases`` but for the condition.
        """
        raise NotImplementedError("`sweeps` names conditions, so define `swept(self, split, condition, setting)`")

    def simulate(self, case: Any) -> Simulation:
        """Yields a ``Call`` for each question and returns the metrics of the case."""
        raise NotImplementedError

    def basis(self, cases: str) -> str:  # noqa: ARG002 - a problem overrides it
        """Returns what scores on a split or case set rest on, where that is no simulation; in one line.

        Such as "replay of times recorded on NVIDIA H200, driver 1.2, table 12ab34cd".  It stands by every score, and a
        run goes on only on the same basis, so it names all that could make another time of the same case.
        """
        return ""

    def record(self, file: Path | None, tell: Callable[[str], None]) -> Path:  # noqa: ARG002
        """Measures what the cases are made from, for ``evolve gpu record``, and returns the file that holds it.

        ``file`` is None for the place where ``cases`` looks for it.  ``tell`` hears in a line how far it has come.
        What was measured before it was interrupted is kept, and the next call goes on from there.

        Raises:
            EvolveError: the problem measures nothing, or it cannot be measured here.
        """
        raise EvolveError(f"{self.name} measures nothing: there is nothing to record, and it can be run as it is")

    def bound(self, case: Any) -> float | None:  # noqa: ARG002 - a problem overrides it
        """Returns a value of the objective that no policy can beat on the case, if one is known."""
        return None

    def feedback(self, case: Any, metrics: Mapping[str, float]) -> str:  # noqa: ARG002
        """Returns a line on how the policy fared: what would help to improve it, never ground truth."""
        return ""

    def twin(self, case: Any, random: Random) -> Twin | None:  # noqa: ARG002
        """Returns a twin of the case: equal up to a moment drawn from ``random``, and different after it.

        ``evolve check`` plays both with the same policies.  Up to that moment the questions and the decisions
        must be the same, or the arguments show the future.  Override it where a policy is asked more than once.
        """
        return None

    def summary(self, metrics: Sequence[Mapping[str, float]]) -> Mapping[str, float]:  # noqa: ARG002
        """Returns figures over a whole set of cases that are no mean over cases, such as a published score.

        ``metrics`` are those of each case.  Only the objective may be used: the figures are also computed
        for the bound, which has nothing else.
        """
        return {}

    def descriptors(self, metrics: Mapping[str, float]) -> Mapping[str, float]:  # noqa: ARG002
        """Returns how a policy behaved on a case, from its metrics: numbers from 0 to 1 by name, few of them.

        A search keeps policies that behave differently apart, so that another design is not lost to one that scores
        a little better (Mouret & Clune 2015).  The score is no behaviour.
        """
        return {}

    def label(self, case: Any) -> str:  # noqa: ARG002
        """Returns a short name of the case for tables; empty: it is numbered."""
        return ""

    def trace(self, case: Any) -> Hashable | None:  # noqa: ARG002
        """Returns what identifies the trace that a case is cut from; None: the case is its own.

        Cases of one trace never share a sandboxed child, for a policy could carry facts over.
        """
        return None

    def stretch(self, case: Any) -> Hashable | None:
        """Returns what identifies the independent stretch of data of a case; by default its trace.

        The bootstrap draws stretches, not cases, so overlapping windows count once.
        """
        return self.trace(case)

    def case_sets(self) -> Mapping[str, Sequence[Any]]:
        """Returns named case sets beyond the splits, for ``evolve score --cases NAME``."""
        return {}

    def read_cases(self, path: Path) -> Sequence[Any]:  # noqa: ARG002
        """Returns the cases of a file in a public format, for ``evolve score --cases FILE``."""
        raise EvolveError(f"{self.name} reads no case files; leave out --cases or name one of its case sets")

    def baselines(self) -> list[Baseline]:
        """Returns the baselines, the reference first, then the files of its seeds folder by name.

        Raises:
            ProblemError: there is no reference, or a file cannot be read.
        """
        seeds = {file.stem: _read(file) for file in self._seed_files()}
        if self.reference:
            seeds["reference"] = textwrap.dedent(self.reference).strip() + "\n"
        if "reference" not in seeds:
            file = "" if self.path is None else f", or write {seeds_folder(self.path) / 'reference.py'}"
            raise ProblemError(f"{self.name} has no reference: set `reference` to its source{file}")
        names = ["reference", *sorted(seeds.keys() - {"reference"})]
        return [Baseline(name, seeds[name], first_line(seeds[name])) for name in names]

    def _seed_files(self) -> list[Path]:
        return [] if self.path is None else sorted(seeds_folder(self.path).glob("*.py"))


def steady(problem: Problem, metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics that are the same whenever the same is decided: those that nothing has to measure."""
    unsteady = {CPU_SECONDS, *problem.measured}
    if CPU_SECONDS in metrics:
        unsteady.update(problem.derive(metrics))
    return {name: value for name, value in metrics.items() if name not in unsteady}


def _in_force(name: str, objective: Objective) -> dict[str, Any]:
    """Returns the attributes of a problem that is judged by one of its objectives."""
    return {
        "chosen": name,
        "objective": objective.metric,
        "direction": objective.direction,
        "floor": objective.floor,
        "timed": objective.timed,
        "constraints": objective.constraints,
    }


def seeds_folder(path: Path) -> Path:
    """Returns where the baselines of the problem in a file lie.

    Those of ``NAME.py`` lie in ``seeds/NAME/`` beside it, those of ``NAME/problem.py`` in ``NAME/seeds/``.  The
    package keeps all of them together in a ``seeds/`` beside its ``evaluators/``.
    """
    folder = path.parent
    if path.name != "problem.py":
        return folder / "seeds" / path.stem
    return folder.parents[1] / "seeds" / folder.name if folder.parent.name == "evaluators" else folder / "seeds"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(f"cannot read the baseline {file}: {error}") from error


def first_line(source: str) -> str:
    """Returns the first line of a policy's docstring without running or compiling the policy."""
    body = source.lstrip()
    for quote in ('"""', "'''"):
        if body.startswith(quote):
            return body[3:].split(quote)[0].strip().partition("\n")[0]
    return ""
