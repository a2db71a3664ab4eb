"""The least largest pressure of any placement of a few models, exactly.

Whether some placement keeps every pressure below a target k is one-dimensional packing: a GPU with load L and S
gigabytes of models has a pressure below k exactly if ``L + k S < 80 k``, so a model weighs ``rate / slo + k size`` and
a GPU holds less than ``80 k``.  The target is bisected, each plan found lowers it to that plan's pressure, and the
search ends when nothing packs below the best plan.  All numbers are fractions, so nothing is rounded.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm

from workloads.model_placements import MEMORY, Cluster

Groups = list[list[int]]
_CLOSE = Fraction(1, 1000)


def optimum(cluster: Cluster) -> float:
    """Returns the least largest pressure of all legal plans, rounded once at the end.

    The effort grows exponentially with the models; 18 are a matter of milliseconds.

    Raises:
        ValueError: the models fit in no way.
    """
    low, best = mean_pressure(cluster), _most(cluster)
    if _packed(cluster, best) is None:
        raise ValueError(f"the models do not fit: {cluster}")
    while True:
        target = (low + best) / 2 if best - low > _CLOSE * best else best
        groups = _packed(cluster, target)
        if groups is not None:
            best = max(_pressure(cluster, group) for group in groups)
        elif target == best:
            return float(best)
        else:
            low = target


def mean_pressure(cluster: Cluster) -> Fraction:
    """Returns all load over all free memory, which no placement's largest pressure can be below."""
    load = sum(Fraction(model.rate, model.slo) for model in cluster.models)
    return load / (MEMORY * cluster.gpus - sum(model.size for model in cluster.models))


def _most(cluster: Cluster) -> Fraction:
    """Returns a pressure that every legal plan stays below: all load in the last gigabyte, and some more."""
    return 1 + sum(Fraction(model.rate, model.slo) for model in cluster.models)


def _pressure(cluster: Cluster, group: Sequence[int]) -> Fraction:
    models = [cluster.models[index] for index in group]
    return sum(Fraction(model.rate, model.slo) for model in models) / (MEMORY - sum(model.size for model in models))


def _packed(cluster: Cluster, target: Fraction) -> Groups | None:
    """Returns models by GPU with every pressure below ``target``, or None where there is no such plan."""
    unit = lcm(target.denominator, *(model.slo * target.denominator for model in cluster.models))
    weights = [int((Fraction(model.rate, model.slo) + target * model.size) * unit) for model in cluster.models]
    order = sorted(range(len(weights)), key=lambda index: -weights[index])
    packing = _Packing([weights[index] for index in order], int(MEMORY * target * unit) - 1)
    groups = packing.packed(list(range(len(order))), cluster.gpus)
    return None if groups is None else [[order[index] for index in group] for group in groups]


class _Packing:
    """Bin completion (Korf 2002): the heaviest model left goes onto the next GPU with every set that fits beside it.

    What a GPU leaves empty may not exceed what all remaining GPUs can spare together, and what could not
    be packed once is not tried again.
    """

    def __init__(self, weights: Sequence[int], capacity: int) -> None:
        self._weights, self._capacity = weights, capacity
        self._hopeless: set[tuple[int, ...]] = set()

    def packed(self, left: list[int], gpus: int) -> Groups | None:
        """Returns the models of each GPU, or None where ``gpus`` are too few for the models left."""
        key = tuple(self._weights[index] for index in left)
        spare = gpus * self._capacity - sum(key)
        if not left or spare < 0 or key in self._hopeless:
            return None if left else []
        room = self._capacity - key[0]
        for group in self._groups(left[:1], left[1:], room, spare) if room >= 0 else ():
            rest = self.packed([index for index in left if index not in group], gpus - 1)
            if rest is not None:
                return [group, *rest]
        self._hopeless.add(key)
        return None

    def _groups(self, group: list[int], others: list[int], room: int, spare: int) -> Iterator[list[int]]:
        """Yields the group with every set of others that fits into ``room`` and leaves at most ``spare`` of it."""
        for position, index in enumerate(others):
            if self._weights[index] <= room:
                left = room - self._weights[index]
                yield from self._groups([*group, index], others[position + 1 :], left, spare)
        if room <= spare:
            yield group
