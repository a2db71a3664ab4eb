"""The problem `txn`: order transactions so that their schedule is short."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from evaluators.transactions.case import Case, bound_of, metrics, plain, words
from evaluators.transactions.mixes import CONDITIONS, ORDINARY, SWEPT, generated
from evaluators.transactions.schedule import scheduled
from evolve.problem import Call, InvalidDecision, Problem, Simulation, Split
from evolve.types import EvolveError, Limits
from workloads.transactions import FormatError, read_transactions

COUNTS = {"train": 25, "validation": 100, "test": 250}
SIZES = (60, 100, 40, 80, 150)
LARGE = 300
BATCHES = {str(count): count for count in (30, 100, 200)}
PUBLIC = Path("transactions", "adrs_workload_1.json")


class Txn(Problem):
    """Write ``order(transactions)``: the order in which transactions of a database are placed in its schedule.

    ``transactions`` is a list of transactions, each a list of operations [kind, key], one to a slot:

    - ["r", key] reads a row and ["w", key] writes one; keys are whole numbers from 0
    - ["-", -1] is an idle slot, without access

    Return a list of ints: the indices of all transactions, each once, in the order in which they are placed.
    Slots count from 0.  A transaction placed at ``start`` runs its operation at position p (from 0) in slot
    start + p, without a pause, and is never moved.  Its start is the first slot from 0 at which every *write*
    comes later than all accesses of its key, and every *read* later than all writes of its key, by the transactions
    placed before it.  So, with two numbers for each key that are 0 at first,

        start = max(0, (after_all[key] if kind == "w" else after_writes[key]) - p over all operations)

    and then for each of its operations after_all[key] = max(after_all[key], start + p + 1), and for a write
    after_writes[key] = start + p + 1 too.  Reads share a slot with other reads.  A transaction may start earlier than
    one placed before it.  ``makespan`` is the number of slots until all have ended; lower is better, and what counts
    is the mean ratio over many cases.

    Cases have 40 to 300 transactions of 1 to 26 slots, in mixes like those of Epinions, SmallBank, TPC-C, TAOBench
    and YCSB, from hardly any conflicts to one hot key.  Called once a case, with everything known.  A policy may
    compute for 0.1 s of CPU a case, on average over the cases (0.2 s where a result is proved).
    """

    objective: ClassVar[str] = "makespan"
    direction = "minimize"
    floor = 1.0
    limits = Limits(cpu_seconds=60, wall_seconds=120, call_seconds=60, memory_mib=256, case_cpu_seconds=0.2)
    sweeps: ClassVar[Mapping[str, Sequence[str]]] = {
        **{name: tuple(settings) for name, settings in CONDITIONS.items()},
        "transactions": tuple(BATCHES),
    }

    def cases(self, split: Split) -> list[Case]:
        """Returns 25 cases (validation: 100, test: 250); every family meets every level of heat once."""
        return generated(split.name, split.seeds(COUNTS[split.name]), SIZES, large=LARGE)

    def swept(self, split: Split, condition: str, setting: str) -> list[Case]:
        """Returns 15 cases: of keys taken more or less evenly, fewer or more writes, or another number at a time."""
        counts = (BATCHES[setting],) if condition == "transactions" else SIZES
        changed = CONDITIONS.get(condition, {}).get(setting, ORDINARY)
        return generated(f"{split.name} {condition}={setting}", split.seeds(SWEPT), counts, condition=changed)

    def simulate(self, case: Case) -> Simulation:
        """Yields one ``Call`` of ``order`` and returns the makespan and what explains it."""
        transactions = case.transactions
        order = yield Call("order", [plain(transaction) for transaction in transactions], returns=list[int])
        validate(len(transactions), order)
        return metrics(case, order, scheduled(transactions[index] for index in order))

    def bound(self, case: Case) -> float:
        """Returns what no order can be below: the longest transaction, or what the hottest key needs."""
        return max(bound_of(case).slots, self.floor)

    def feedback(self, case: Case, metrics: Mapping[str, float]) -> str:
        """Returns the makespan beside the bound and its parts, and the chain of waits that made it."""
        return words(case, metrics)

    def label(self, case: Case) -> str:
        """Returns the set with the case's number, its family and its number of transactions."""
        return case.label

    def case_sets(self) -> Mapping[str, Sequence[Case]]:
        """Returns ``quick``, 10 small generated cases that no split contains, and ``public`` where its file is.

        The public workload is looked for in the folder that the environment variable EVOLVE_DATA names.
        """
        sets = {"quick": generated("quick", range(10), (30, 40))}
        file = Path(os.environ.get("EVOLVE_DATA", ""), PUBLIC)
        return sets | {"public": self.read_cases(file)} if file.is_file() else sets

    def read_cases(self, path: Path) -> list[Case]:
        """Returns the one case of a public workload, ``{"txn0": "w-17 r-5 *", ...}``.

        Raises:
            EvolveError: the file is not in the public format; see `workloads.transactions.read_transactions`.
        """
        try:
            return [Case(path.stem, read_transactions(path))]
        except FormatError as broken:
            raise EvolveError(str(broken)) from broken


def validate(count: int, order: Sequence[int]) -> None:
    """Raises InvalidDecision for an order with a transaction unknown, twice or missing."""
    seen: set[int] = set()
    for place, index in enumerate(order):
        if not 0 <= index < count:
            raise InvalidDecision(f"place {place}: transactions are 0 to {count - 1}; got {index}")
        if index in seen:
            raise InvalidDecision(f"place {place}: transaction {index} for the second time; each comes once")
        seen.add(index)
    if len(order) < count:
        missing = min(set(range(count)) - seen)
        raise InvalidDecision(f"expected all {count} transactions; got {len(order)}, without transaction {missing}")
