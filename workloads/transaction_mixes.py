"""Mixes of transactions like those of five benchmarks, from nearly free of conflicts to one hot key.

Each family keeps the shape of its benchmark: which rows a transaction reads and writes, in what order, and how often
each kind comes.  ``heat`` says how much its keys are fought for: from 0 to 1 tables shrink, their Zipf exponent grows
and reads give way to writes; the last two may be set apart.  Rows that nobody writes, and rows that nobody else can
touch, take an idle slot.

- ``ycsb``: reads, updates and read-modify-writes of records (Cooper et al., SoCC 2010)
- ``smallbank``: checking and savings accounts (Alomari et al., ICDE 2008)
- ``tpcc``: orders, payments and deliveries of warehouses (TPC-C of the Transaction Processing Performance Council)
- ``epinions``: reviews, ratings and trust (OLTP-Bench, Difallah et al., VLDB 2013)
- ``taobench``: objects and edges of a social graph (Cheng et al., VLDB 2022); the sizes of transactions and the shares
  of the hottest shards are fitted to its published distributions
"""

from collections.abc import Callable, Hashable
from math import ceil

import numpy as np

from workloads.transactions import IDLE_SLOT, READ, WRITE, Operation, Transaction

WRITE_SIZES = {2: 0.109, 3: 0.295, 4: 0.354, 5: 0.046, 6: 0.006, 7: 0.112, 21: 0.054, 26: 0.021}
"""Shares of the sizes of TAOBench's write transactions; of the others none has more than 0.1%."""

READ_SCALE, READ_TAIL = 1.07, 0.62
"""More than s reads have ``READ_SCALE * s ** -READ_TAIL`` of its read transactions, from s = 2 on."""

LARGEST = 26
"""Larger ones are drawn again: a longest transaction that decides the makespan alone leaves nothing to order."""

SHARDS = (0.578, 0.223, 0.022)
"""Shares of the hottest shards of TAOBench; the others are alike."""


class _Table:
    """Rows of one kind, drawn by rank with Zipf's law: the share of rank r is proportional to ``r ** -exponent``."""

    def __init__(self, rows: float, exponent: float, random: np.random.Generator) -> None:
        shares = np.arange(1, max(round(rows), 1) + 1) ** -exponent
        self._cumulated, self._random = np.cumsum(shares / shares.sum()), random

    def __len__(self) -> int:
        return len(self._cumulated)

    def row(self) -> int:
        """Returns the rank of a row, from 0."""
        return min(int(np.searchsorted(self._cumulated, self._random.random(), side="right")), len(self) - 1)

    def rows(self, count: int) -> list[int]:
        """Returns the ranks of different rows: ``count``, or all there are."""
        found: dict[int, None] = {}
        while len(found) < min(count, len(self)):
            found[self.row()] = None
        return list(found)


class _Mix:
    """A draw of transactions: chances by heat, and numbers for rows that say nothing of how hot they are.

    ``skew`` and ``writing`` stand for heat where Zipf exponents, and where shares of writes are concerned.
    """

    def __init__(self, count: int, heat: float, skew: float, writing: float, random: np.random.Generator) -> None:
        self.count, self.heat, self.skew, self.writing, self.random = count, heat, skew, writing, random
        self._keys: dict[Hashable, int] = {}

    def r(self, *row: Hashable) -> Operation:
        return Operation(READ, self._keys.setdefault(row, len(self._keys)))

    def w(self, *row: Hashable) -> Operation:
        return Operation(WRITE, self._keys.setdefault(row, len(self._keys)))

    def table(self, mild: float, hot: float, exponents: tuple[float, float] = (0.3, 1.4)) -> _Table:
        """Returns a table of ``mild`` to ``hot`` rows a transaction, by heat and on a logarithmic scale."""
        rows = self.count * mild ** (1 - self.heat) * hot**self.heat
        mild_exponent, hot_exponent = exponents
        return _Table(rows, mild_exponent + self.skew * (hot_exponent - mild_exponent), self.random)

    def share(self, mild: float, hot: float) -> float:
        """Returns a share of reads or writes between those of the mildest and of the hottest mix."""
        return mild + self.writing * (hot - mild)

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def one_of(self, *shares: float) -> int:
        """Returns an index, drawn in proportion to the shares."""
        left = self.random.random() * sum(shares)
        for index, share in enumerate(shares):
            left -= share
            if left < 0:
                return index
        return len(shares) - 1

    def numbered(self, transactions: list[list[Operation]]) -> tuple[Transaction, ...]:
        """Returns the transactions with the keys that they use numbered by a draw."""
        used = dict.fromkeys(op.key for ops in transactions for op in ops if op is not IDLE_SLOT)
        names = dict(zip(used, self.random.permutation(len(used)).tolist(), strict=True))
        return tuple(
            tuple(op if op is IDLE_SLOT else Operation(op.kind, names[op.key]) for op in ops) for ops in transactions
        )


def _ycsb(mix: _Mix) -> list[list[Operation]]:
    """Each transaction touches as many different records, in any order; an update may read its record first."""
    records = mix.table(20.0, 0.3, (0.4, 1.3))
    size, modified = int(mix.random.integers(5, 13)), mix.random.uniform(0, 0.6)
    writes = mix.share(0.15, 0.6)

    def record(row: int) -> list[Operation]:
        if not mix.chance(writes):
            return [mix.r(row)]
        return [mix.r(row), mix.w(row)] if mix.chance(modified) else [mix.w(row)]

    return [[op for row in records.rows(size) for op in record(row)] for _ in range(mix.count)]


def _smallbank(mix: _Mix) -> list[list[Operation]]:
    """Balance, deposit, savings, amalgamate, check and payment; the customer's name is looked up first."""
    customers = mix.table(8.0, 0.06)
    reads = mix.share(0.5, 0.1)

    def transaction() -> list[Operation]:
        one, other = (customers.rows(2) * 2)[:2]
        checking, savings = ("checking", one), ("savings", one)
        kinds = (
            [IDLE_SLOT, mix.r(*savings), mix.r(*checking)],
            [IDLE_SLOT, mix.r(*checking), mix.w(*checking)],
            [IDLE_SLOT, mix.r(*savings), mix.w(*savings)],
            [
                *(IDLE_SLOT, IDLE_SLOT, mix.r(*savings), mix.r(*checking), mix.w(*savings), mix.w(*checking)),
                *(mix.r("checking", other), mix.w("checking", other)),
            ],
            [IDLE_SLOT, mix.r(*savings), mix.r(*checking), mix.w(*checking)],
            [
                *(IDLE_SLOT, IDLE_SLOT, mix.r(*checking), mix.r("checking", other)),
                *(mix.w(*checking), mix.w("checking", other)),
            ],
        )
        return kinds[mix.one_of(reads, *[(1 - reads) / 5] * 5)]

    return [transaction() for _ in range(mix.count)]


def _tpcc(mix: _Mix) -> list[list[Operation]]:
    """New orders and payments, a few deliveries, order and stock enquiries; items are never written."""
    warehouses = mix.table(0.5, 0.01, (0.0, 1.0))
    customers, stock = mix.table(10.0, 2.0, (0.2, 0.6)), mix.table(20.0, 3.0, (0.2, 0.8))

    def new_order(home: int, district: int) -> list[Operation]:
        lines = [[IDLE_SLOT, mix.w("stock", home, item)] for item in stock.rows(int(mix.random.integers(5, 11)))]
        order = [mix.r("district", home, district), mix.w("district", home, district)]
        return [mix.r("warehouse", home), *order, IDLE_SLOT, *(op for line in lines for op in line)]

    def payment(home: int, district: int) -> list[Operation]:
        books = [mix.r("warehouse", home), mix.w("warehouse", home), mix.r("district", home, district)]
        customer = ("customer", home, customers.row())
        return [*books, mix.w("district", home, district), mix.r(*customer), mix.w(*customer), IDLE_SLOT]

    def order_status(home: int, _: int) -> list[Operation]:
        return [mix.r("customer", home, customers.row()), *[IDLE_SLOT] * 4]

    def delivery(home: int, district: int) -> list[Operation]:
        queue = ("queue", home, district)
        return [mix.r(*queue), mix.w(*queue), IDLE_SLOT, IDLE_SLOT, mix.w("customer", home, customers.row())]

    def stock_level(home: int, district: int) -> list[Operation]:
        return [mix.r("district", home, district), *(mix.r("stock", home, item) for item in stock.rows(8))]

    kinds = (new_order, payment, order_status, delivery, stock_level)
    return [
        kinds[mix.one_of(45, 43, 4, 4, 4)](warehouses.row(), int(mix.random.integers(10))) for _ in range(mix.count)
    ]


def _epinions(mix: _Mix) -> list[list[Operation]]:
    """Reviews of an item or by a user, trust between users, and updates of all of these."""
    users, items, ratings = mix.table(4.0, 0.3), mix.table(3.0, 0.05), mix.table(0.3, 0.05, (0.0, 0.5))
    writes = mix.share(0.25, 0.75)

    def some() -> int:
        return int(mix.random.integers(2, 10))

    def transaction() -> list[Operation]:
        user, item = users.row(), items.row()
        reads = (
            lambda: [mix.r("item", item), *(mix.r("rating", item, number) for number in ratings.rows(some()))],
            lambda: [mix.r("user", user), *(mix.r("rating", each, 0) for each in items.rows(some()))],
            lambda: [mix.r("trust", user), IDLE_SLOT, *(mix.r("rating", item, n) for n in ratings.rows(some()))],
        )
        updates = (
            lambda: [mix.r("item", item), IDLE_SLOT, mix.w("rating", item, ratings.row())],
            lambda: [mix.r("user", user), mix.r("trust", user), mix.w("trust", user)],
            lambda: [IDLE_SLOT, mix.w("user", user)],
            lambda: [IDLE_SLOT, mix.w("item", item)],
        )
        return (updates[mix.one_of(3, 2, 1, 2)] if mix.chance(writes) else reads[mix.one_of(1, 1, 1)])()

    return [transaction() for _ in range(mix.count)]


def _taobench(mix: _Mix) -> list[list[Operation]]:
    """Transactions that only read or only write; most of their objects lie in two shards of fifty."""
    objects = [mix.table(4.0, 0.15, (0.2, 1.1)) for _ in range(50)]
    alike = (1 - sum(SHARDS)) / (len(objects) - len(SHARDS))
    shards = [*SHARDS, *[alike] * (len(objects) - len(SHARDS))]
    writes = mix.share(0.1, 0.5)

    def transaction() -> list[Operation]:
        operation, size = (mix.w, write_size(mix.random)) if mix.chance(writes) else (mix.r, read_size(mix.random))
        rows: dict[tuple[int, int], None] = {}
        for _ in range(size):
            shard = mix.one_of(*shards)
            rows[shard, objects[shard].row()] = None
        return [operation(*row) for row in rows]

    return [transaction() for _ in range(mix.count)]


def write_size(random: np.random.Generator) -> int:
    """Returns the number of writes of a write transaction of TAOBench."""
    shares = np.cumsum(list(WRITE_SIZES.values()))
    return list(WRITE_SIZES)[int(np.searchsorted(shares / shares[-1], random.random(), side="right"))]


def read_size(random: np.random.Generator) -> int:
    """Returns the number of reads of a read transaction of TAOBench, of those with at most ``LARGEST``."""
    while True:
        size = max(ceil((READ_SCALE / (1 - random.random())) ** (1 / READ_TAIL)), 2)
        if size <= LARGEST:
            return size


FAMILIES: dict[str, Callable[[_Mix], list[list[Operation]]]] = {
    "epinions": _epinions,
    "smallbank": _smallbank,
    "tpcc": _tpcc,
    "taobench": _taobench,
    "ycsb": _ycsb,
}


def draw_transactions(
    family: str,
    count: int,
    heat: float,
    random: np.random.Generator,
    skew: float | None = None,
    writing: float | None = None,
) -> tuple[Transaction, ...]:
    """Returns so many transactions of a family, fought over to the degree ``heat``: 0 mild, 1 pathological.

    ``skew`` and ``writing`` set the degree for Zipf exponents and for shares of writes apart; None: as heat.

    Raises:
        ValueError: there is no such family, no transaction is asked for, or a degree is not between 0 and 1.
    """
    if family not in FAMILIES:
        raise ValueError(f"no family {family!r}; there are: {', '.join(FAMILIES)}")
    skew, writing = heat if skew is None else skew, heat if writing is None else writing
    if count < 1 or not all(0 <= degree <= 1 for degree in (heat, skew, writing)):
        raise ValueError(
            f"expected one transaction at least and heat from 0 to 1, skew and writing too; got {count!r} and "
            f"{heat!r}, {skew!r} and {writing!r}"
        )
    mix = _Mix(count, heat, skew, writing, random)
    return mix.numbered(FAMILIES[family](mix))
