"""What the engine itself costs for each candidate, and whether that grows with their number.

Proposals are scripted and the problem is trivial, so that what is left is the search, the archive, the racing, the
journal and an isolated evaluation.  Late candidates are compared with those of a young search that runs in between,
block by block: then a machine that others use slows down both.
"""

import math
import os
import re
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from random import Random

from evolve import loop
from evolve.archives import Archive
from evolve.budget import Budget, Limit
from evolve.cases import split_cases
from evolve.executors import Task
from evolve.folder import RunFolder
from evolve.journal.header import Header
from evolve.judge import Judge
from evolve.problem import Call, Problem, Split
from evolve.proposers import ONLY, Way
from evolve.racing import Racing
from evolve.sandbox import Sandbox
from evolve.search import Arm, Search
from evolve.session import EMBEDDED
from evolve.strategies import DEFAULT
from evolve.turns import Report
from evolve.types import Candidate, Evaluation, Miss, Proposal
from tests.bench_rows import Row, spread

BLOCK = 100
"""Candidates between two looks at what they cost."""

WINDOWS = {100: 100, 1_000: 500, 10_000: 1_000, 50_000: 1_000}
"""The last candidates that are measured, by how many there are then."""

PEERS = {100: 14, 1_000: 52, 10_000: 93}
"""Milliseconds of CPU for each candidate of OpenEvolve, which copies the whole population every time."""


class Trivial(Problem):
    """Write ``choose(x, y)``: a number between the two; nearer to the middle is better."""

    objective, direction, name = "distance", "minimize", "trivial"
    reference = '''
    def choose(x, y):
        """Lean towards the larger."""
        spread = y - x
        if spread > 10:
            return x + 0.75 * spread
        return x + 0.6 * spread
    '''

    def cases(self, split: Split) -> list[int]:
        return split.seeds(4)

    def simulate(self, case: int) -> Iterator[Call]:
        x, y = case % 7, 10 + case % 13
        chosen = yield Call("choose", float(x), float(y), returns=float)
        return {"distance": 0.1 + abs(chosen - (x + y) / 2)}


class Solved(Trivial):
    """Write ``choose(x, y)``: a number between the two.

    No policy excels the reference, so that none is judged twice, as a new best is, neither early nor late.
    """

    name = "solved"
    reference = Trivial.reference.replace("0.75", "0.5").replace("0.6", "0.5")


class Scripted:
    """Proposes the parent with another number in place of one of its own, at next to no cost."""

    name, trouble = "scripted", ""

    def ways(self, idle: int) -> Mapping[Way, float]:
        return {ONLY: 1.0}

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Proposal:
        source = parent.proposal.source
        numbers = list(re.finditer(r"\d+\.\d+", source))
        place = rng.choice(numbers)
        changed = (
            source[: place.start()] + f"{float(place[0]) + rng.gauss(0, 0.05):.9f}".lstrip("-") + source[place.end() :]
        )
        return Proposal(changed, self.name, "number", (parent.number,), "another number")

    def hear(self, hint: str, /) -> None:
        """Nobody says anything."""

    def recall(self, made: Proposal | Miss, /) -> None:
        """No proposal depends on those before it."""

    def tell(self, told: Candidate | Miss, /) -> None:
        """Nothing to learn."""


class Inline:
    """Judges in this process, so that all CPU is this process's and its children's."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def submit(self, task: Task) -> Future[Evaluation]:
        future: Future[Evaluation] = Future()
        future.set_result(self._judge.evaluate(task.source, confirm_above=task.confirm_above, race=task.race))
        return future

    def close(self, *, at_once: bool = False) -> None:
        """Nothing to end."""


class Engine:
    """A judge of the trivial problem, and searches on it, each with a journal on the disk."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def search(self, candidates: int, report: Report = lambda _: None) -> None:
        """Runs a search as `evolve run` does, but with scripted proposals."""
        problem, facts = Solved(), ("solved", "", "", "", 0, loop.LAG, "train", "", "scripted")
        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder(Path(folder) / "run")
            with run.create(Header(*facts, run.prepare(), "")) as journal:
                search = searching(problem)
                with EMBEDDED.open(run.path, 0, lambda: math.inf, print) as nobody:
                    budget = Budget(Limit(candidates), time.monotonic)
                    loop.run(search, Inline(self._judge), nobody, journal, budget, warm_up=1, report=report)
                assert journal.count() == candidates


def searching(problem: Problem) -> Search:
    """Returns a search with all parts of the default strategy but its proposers, and with racing."""
    racing = Racing()
    racing.begin(split_cases(problem, "train"), 0)
    return Search(problem.baselines(), [Arm(Scripted(), 1.0)], DEFAULT.archive(), 0, DEFAULT.chooser(), racing)


class Costs:
    """Hears every told candidate; in the windows it measures each block, and then a young search of as many."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.late: dict[int, list[float]] = {size: [] for size in WINDOWS}
        self.young: dict[int, list[float]] = {size: [] for size in WINDOWS}
        self._began: float | None = cpu_seconds()

    def __call__(self, told: Candidate | Miss) -> None:
        done = told.number + 1
        if done % BLOCK:
            return
        size = next((size for size, last in WINDOWS.items() if size - last < done <= size), None)
        if size is not None and self._began is not None:
            self.late[size].append((cpu_seconds() - self._began) / BLOCK)
            before = cpu_seconds()
            self._engine.search(BLOCK)
            self.young[size].append((cpu_seconds() - before) / BLOCK)
        ahead = any(size - last <= done < size for size, last in WINDOWS.items())
        self._began = cpu_seconds() if ahead else None


def engine_cost(candidates: int = 10_000) -> list[Row]:
    """CPU of all processes for each candidate, late in a long search against a young one, and this process's memory."""
    with pinned(), Sandbox() as sandbox:
        judge = Judge(split_cases(Solved(), "train"), sandbox)
        judge.reference()
        engine = Engine(judge)
        engine.search(BLOCK)  # whatever is imported or compiled once
        costs = Costs(engine)
        engine.search(candidates, costs)
        memory = resident_mib()
    rows = [_row(size, costs) for size in WINDOWS if size <= candidates]
    return [
        *rows,
        Row(
            "memory of the engine then", f"{memory:.0f} MB", "the limit", f"{memory / 300:.2f}", "300 MB", memory < 300
        ),
    ]


def _row(size: int, costs: Costs) -> Row:
    late, young = costs.late[size], costs.young[size]
    ratios = [old / new for old, new in zip(late, young, strict=True)]
    cost, peer = 1e3 * statistics.median(late), PEERS.get(size)
    return Row(
        f"engine, CPU for each of {WINDOWS[size]} candidates up to {size:,}",
        f"{cost:.2f} ms",
        f"a young search {1e3 * statistics.median(young):.2f} ms" + (f"; OpenEvolve {peer} ms" if peer else ""),
        spread(ratios) if len(ratios) > 1 else f"{ratios[0]:.2f}",
        "10 ms, 1.3",
        cost <= 10 and statistics.median(ratios) <= 1.3,
    )


@contextmanager
def pinned() -> Iterator[None]:
    """Keeps this process and its children on one core, as a worker is."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds() -> float:
    """CPU of this process and of all that descend from it, those that have ended included."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return own + sum(map(_ticks, _descendants(os.getpid()))) / os.sysconf("SC_CLK_TCK")


def _descendants(pid: int) -> Iterator[int]:
    """Yields the processes below one, by the kernel's lists of children (proc(5))."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text(encoding="ascii").split()):
            yield child
            yield from _descendants(child)


def _ticks(pid: int) -> int:
    """Returns what a process and the children that it has reaped have used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def resident_mib() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20
