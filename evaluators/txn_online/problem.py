"""The problem `txn_online`: schedule transactions as they arrive, of which a window is seen."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import numpy as np

from evaluators.transactions.case import Case, bound_of, metrics, plain, words
from evaluators.transactions.mixes import CONDITIONS, ORDINARY, SWEPT, generated
from evaluators.transactions.schedule import Schedule
from evolve.problem import Call, InvalidDecision, Problem, Simulation, Split, Twin
from evolve.types import EvolveError, Limits
from workloads.transaction_mixes import FAMILIES, draw_transactions
from workloads.transactions import NO_KEY, FormatError, Operation, Transaction, read_transactions

COUNTS = {"train": 25, "validation": 100, "test": 250}
SIZES = (50, 80, 30, 60, 100)
WINDOWS = (16, 8, 20, 12, 24)
FILE_WINDOW = 10
WINDOWS_SWEPT = {str(window): window for window in (24, 8, 3)}


class TxnOnline(Problem):
    """Write ``choose(window, makespan)``: which of the transactions that have arrived is placed next.

    Transactions of a database arrive one by one; at most a window of them waits (8 to 24, by the case).  One is
    placed in the schedule, the next one arrives in its stead, and so on until all are placed.  Those behind the
    window are unknown.

    ``window`` is a list of dicts in the order of arrival:

    - ``number``: of the arrival, from 0
    - ``start``: the slot in which the transaction would start if it were placed now
    - ``operations``: a list of [kind, key], one to a slot: ["r", key] reads a row, ["w", key] writes one and
      ["-", -1] is an idle slot; keys are whole numbers, 0, 1, ... in the order in which they first arrive

    ``makespan`` is the number of slots until all that are placed have ended, 0 at first.  Return an int: the index
    *in the window* of the transaction to be placed, from 0; anything else is illegal.

    Slots count from 0.  A transaction placed at ``start`` runs its operation at position p (from 0) in slot
    start + p, without a pause, and is never moved.  Its start is the first slot from 0 at which every *write*
    comes later than all accesses of its key, and every *read* later than all writes of its key, by the transactions
    placed before it; so it may be earlier than the start of one placed before.  If S is placed at s, then a T that
    waits starts at s + d at least, where d is the largest of p - q + 1 over all operations p of S and q of T on
    one key of which one writes or both do.

    A lower ``makespan`` in the end is better; what counts is the mean ratio over many cases.  Called once for each
    transaction, 30 to 100 times a case; a class ``Policy`` with a method ``choose`` may remember what it saw in its
    case.  Mixes are like those of Epinions, SmallBank, TPC-C, TAOBench and YCSB, from hardly any conflicts to one hot
    key.  A policy may compute for 0.1 s of CPU a case, on average over the cases (0.2 s where a result is
    proved).
    """

    objective: ClassVar[str] = "makespan"
    direction = "minimize"
    floor = 1.0
    limits = Limits(cpu_seconds=60, wall_seconds=120, call_seconds=20, memory_mib=256, case_cpu_seconds=0.2)
    sweeps: ClassVar[Mapping[str, Sequence[str]]] = {
        **{name: tuple(settings) for name, settings in CONDITIONS.items()},
        "window": tuple(WINDOWS_SWEPT),
    }

    def cases(self, split: Split) -> list[Case]:
        """Returns 25 cases (validation: 100, test: 250); every family meets every level of heat once."""
        return arriving(generated(split.name, split.seeds(COUNTS[split.name]), SIZES, WINDOWS))

    def swept(self, split: Split, condition: str, setting: str) -> list[Case]:
        """Returns 15 cases: of keys taken more or less evenly, fewer or more writes, or windows of one size."""
        windows = (WINDOWS_SWEPT[setting],) if condition == "window" else WINDOWS
        changed = CONDITIONS.get(condition, {}).get(setting, ORDINARY)
        name = f"{split.name} {condition}={setting}"
        return arriving(generated(name, split.seeds(SWEPT), SIZES, windows, condition=changed))

    def simulate(self, case: Case) -> Simulation:
        """Yields a ``Call`` of ``choose`` for each transaction and returns the makespan and what explains it."""
        schedule = Schedule()
        order = yield from run(case, schedule)
        return {**metrics(case, order, schedule), "longest_wait": _longest_wait(case, order)}

    def bound(self, case: Case) -> float:
        """Returns what no order of all transactions can be below, seen in advance or not."""
        return max(bound_of(case).slots, self.floor)

    def twin(self, case: Case, random: Random) -> Twin:
        """Returns the case with other transactions, of a family drawn, from some arrival behind the first window on.

        Where one window holds all, only the last arrival is another.
        """
        count = len(case.transactions)
        first = random.randrange(min(case.window, count - 1), count) if count > 1 else 1
        generator = np.random.default_rng(random.getrandbits(62))
        others = draw_transactions(random.choice(list(FAMILIES)), max(count - first, 1), random.random(), generator)
        twin = replace(case, transactions=case.transactions[:first] + others[: count - first])
        return Twin(arriving([twin])[0], lambda call: call.arguments[0][-1]["number"] < first)

    def feedback(self, case: Case, metrics: Mapping[str, float]) -> str:
        """Returns the makespan beside the bound and its parts, and the chain of waits that made it."""
        return f"{words(case, metrics)}; one waited for {metrics['longest_wait']} others in the window"

    def label(self, case: Case) -> str:
        """Returns the set with the case's number, its family, its number of transactions and its window."""
        return case.label

    def case_sets(self) -> Mapping[str, Sequence[Case]]:
        """Returns ``quick``, 10 small generated cases that no split contains."""
        return {"quick": arriving(generated("quick", range(10), (20, 30), (4, 8)))}

    def read_cases(self, path: Path) -> list[Case]:
        """Returns the one case of a public workload, its transactions in the order of the file, with a window of 10.

        Raises:
            EvolveError: the file is not in the public format; see `workloads.transactions.read_transactions`.
        """
        try:
            return arriving([Case(path.stem, read_transactions(path), FILE_WINDOW)])
        except FormatError as broken:
            raise EvolveError(str(broken)) from broken


def arriving(cases: Sequence[Case]) -> list[Case]:
    """Returns the cases with keys numbered as they first arrive, so that no number tells of those to come."""
    return [replace(case, transactions=_renamed(case.transactions)) for case in cases]


def _renamed(transactions: Sequence[Transaction]) -> tuple[Transaction, ...]:
    names = {NO_KEY: NO_KEY}
    for transaction in transactions:
        for _, key in transaction:
            names.setdefault(key, len(names) - 1)
    return tuple(tuple(Operation(kind, names[key]) for kind, key in transaction) for transaction in transactions)


def run(case: Case, schedule: Schedule) -> Generator[Call, Any, list[int]]:
    """Asks which transaction is next until all are placed; returns their numbers in the order of placing."""
    if case.window < 1:
        raise ValueError(f"{case.label}: a window of at least one is needed")
    arrivals = iter(enumerate(case.transactions))
    window = [_seen(*arrival) for arrival in islice(arrivals, case.window)]
    order: list[int] = []
    while window:
        for waiting in window:
            waiting["start"] = schedule.start(case.transactions[waiting["number"]])
        index = yield Call("choose", window, schedule.makespan, returns=int)
        if not 0 <= index < len(window):
            raise InvalidDecision(f"call {len(order)}: the window's indices are 0 to {len(window) - 1}; got {index}")
        number = window.pop(index)["number"]
        schedule.place(case.transactions[number])
        order.append(number)
        window += [_seen(*arrival) for arrival in islice(arrivals, 1)]
    return order


def _seen(number: int, transaction: Sequence[Any]) -> dict[str, Any]:
    return {"number": number, "start": 0, "operations": plain(tuple(transaction))}


def _longest_wait(case: Case, order: Sequence[int]) -> int:
    """Returns how many others were placed, at most, while one transaction was in the window."""
    entered = [max(number - case.window + 1, 0) for number in range(len(order))]
    return max(place - entered[number] for place, number in enumerate(order))
