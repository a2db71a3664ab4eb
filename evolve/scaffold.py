"""Writes a problem of one's own: a file that runs at once and is meant to be changed."""

import sys
from pathlib import Path

from evolve.types import EvolveError

TEMPLATE = '''\
import random

from evolve import Call, InvalidDecision, Problem


class {class_name}(Problem):
    """Write `evict(cached, now)`: which cached key to drop when the cache is full.

    `cached` maps each key to [last use, uses], in requests; `now` counts requests. A lower `miss_ratio` is better.
    """

    objective, direction = "miss_ratio", "minimize"
    reference = "def evict(cached, now):\\n    return min(cached, key=lambda key: cached[key][0])\\n"

    def cases(self, split):
        return [zipf_keys(1_000, random.Random(seed)) for seed in split.seeds(20)]

    def simulate(self, trace):
        cached, misses = {{}}, 0
        for now, key in enumerate(trace):
            if key not in cached:
                misses += 1
                if len(cached) == 64:
                    victim = yield Call("evict", cached, now, returns=int)
                    if victim not in cached:
                        raise InvalidDecision(f"request {{now}}: dropped {{victim}}, which is not cached")
                    del cached[victim]
            cached[key] = [now, cached.get(key, [0, 0])[1] + 1]
        return {{"miss_ratio": misses / len(trace)}}


def zipf_keys(count, rng):
    keys = rng.sample(range(500), 500)  # popular ones have no telling names
    return rng.choices(keys, [1 / (rank + 1) for rank in range(500)], k=count)
'''


def write(name: str, folder: Path) -> Path:
    """Writes ``NAME.py`` and returns its path.

    Raises:
        EvolveError: the name is no fit name, or the file exists.
    """
    name = name.removesuffix(".py")
    if not name.isidentifier() or not name.isascii():
        raise EvolveError(f"a problem's name is a Python name such as cache_eviction; got {name!r}")
    if name in sys.stdlib_module_names or name == "problem":
        raise EvolveError(f"{name!r} has a meaning of its own in Python or here; give another name")
    path = folder / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(class_name=_class_name(name)))
    except FileExistsError:
        raise EvolveError(f"{path} exists already; give another name") from None
    except OSError as error:
        raise EvolveError(f"cannot write {path}: {error.strerror}") from error
    return path


def _class_name(name: str) -> str:
    joined = "".join(part.capitalize() for part in name.split("_"))
    if joined[:1].isalpha() and joined not in ("Call", "InvalidDecision", "None", "True", "False"):
        return joined
    return f"Problem{joined}"
