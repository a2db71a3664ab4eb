"""What a comparison is of: problems, strategies, seeds and the budget of each cell."""

from dataclasses import dataclass
from pathlib import Path

from evolve import catalog
from evolve.cases import basis_of, cases_of, insist_on_searchable
from evolve.strategies import loading
from evolve.types import EvolveError


@dataclass(frozen=True, slots=True)
class Subject:
    """A problem with one of its objectives.

    ``name`` is that of its folder, ``problem`` the problem's own; ``spec`` is what ``catalog.load`` finds it by, and
    ``digest`` that of its code.  ``basis`` is what scores rest on where that is no simulation.
    """

    name: str
    problem: str
    spec: str
    objective: str
    digest: str
    baselines: int = 1
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A strategy; ``spec`` is what ``loading.load`` finds it by, ``digest`` that of its file where it is a user's."""

    name: str
    spec: str
    digest: str = ""

    @property
    def identity(self) -> str:
        """What its runs say that they were searched with."""
        return f"{self.name} {self.digest}".strip()


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a comparison."""

    subject: Subject
    entrant: Entrant
    seed: int

    @property
    def folder(self) -> Path:
        """Where it lies in the comparison's folder."""
        return Path(self.subject.name) / self.entrant.name / f"seed-{self.seed}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A comparison: each strategy searches each problem once for each seed, with so many evaluations.

    The first strategy is the one that the others are compared with.  ``cases`` are those that the searches see, and
    ``cases_hash`` is that of their file, if they are in one.
    """

    subjects: tuple[Subject, ...]
    entrants: tuple[Entrant, ...]
    seeds: tuple[int, ...]
    evaluations: int
    cases: str
    cases_hash: str = ""
    unsafe: bool = False

    def __post_init__(self) -> None:
        for what, names in (
            ("problems", [subject.name for subject in self.subjects]),
            ("strategies", [entrant.name for entrant in self.entrants]),
        ):
            if not names:
                raise EvolveError(f"a comparison needs at least one of its {what}; none was named")
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise EvolveError(f"two {what} have the name {twice[0]!r}, and would share a folder; leave one out")

        for subject in self.subjects:
            if self.evaluations <= subject.baselines:
                raise EvolveError(
                    f"{self.evaluations} evaluations are no more than {subject.name} has baselines "
                    f"({subject.baselines}), so nothing would be searched; give more --evaluations"
                )

    def cells(self) -> list[Cell]:
        """Returns all cells, whole seeds first, so that a comparison that is stopped is as balanced as can be."""
        return [
            Cell(subject, entrant, seed)
            for seed in self.seeds
            for subject in self.subjects
            for entrant in self.entrants
        ]


def subject(text: str, cases: str) -> Subject:
    """Returns the problem named as PROBLEM or PROBLEM:OBJECTIVE.

    Raises:
        EvolveError: there is no such problem or objective, or it has no such cases to search on.
    """
    spec, _, objective = text.rpartition(":") if ":" in text and not Path(text).exists() else (text, "", "")
    problem = catalog.load(spec, objective)
    baselines = len(problem.baselines())
    insist_on_searchable(problem, cases)
    cases_of(problem, cases)
    if not baselines:
        raise EvolveError(f"{problem.name} has no baseline to begin with")
    name = f"{problem.name}-{objective}" if objective else problem.name
    basis = basis_of(problem, cases)
    return Subject(name, problem.name, catalog.spec(problem), problem.chosen, catalog.digest(problem), baselines, basis)


def entrant(spec: str) -> Entrant:
    """Returns the strategy of that name or file.

    Raises:
        EvolveError: there is none, or it is at fault.
    """
    strategy = loading.load(spec)
    file = loading.file_of(spec)
    if file is None:
        return Entrant(strategy.name, spec)
    return Entrant(strategy.name, f"{file.resolve()}:{spec.rpartition(':')[2]}", strategy.digest)
