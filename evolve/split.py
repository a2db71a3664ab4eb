"""The splits of a problem's cases: train, which a search sees; validation, which chooses; and test, which is sealed."""

import hashlib
from dataclasses import dataclass

from evolve.types import EvolveError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """A source of seeds for cases.  Splits never share a seed; ``test`` draws from a run's secret."""

    name: str
    secret: str = ""

    def __post_init__(self) -> None:
        if self.name not in SPLITS:
            raise EvolveError(f"no split {self.name!r}; there are: {', '.join(SPLITS)}")
        if (self.name == "test") != bool(self.secret):
            raise EvolveError("the test split, and only it, is drawn from a run's secret")

    def seeds(self, count: int) -> list[int]:
        """Returns ``count`` different integers below 2**62 that no other split can return."""
        return [self._seed(index) for index in range(count)]

    def _seed(self, index: int) -> int:
        digest = hashlib.sha256(f"{self.name}\0{self.secret}\0{index}".encode()).digest()
        return (int.from_bytes(digest[:7], "big") << 2) + SPLITS.index(self.name)
