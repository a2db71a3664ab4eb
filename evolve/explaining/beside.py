"""Cases beside those that a smaller difference is chosen on: it has to do there too, or it was chosen for luck."""

from dataclasses import dataclass, field

from evolve.executors import Executor, Task
from evolve.explaining.measure import Measure
from evolve.types import Evaluation


@dataclass(frozen=True, slots=True)
class Beside:
    """Judges what would do on the first cases on others as well; a source once."""

    executor: Executor
    measure: Measure
    _known: dict[str, Evaluation] = field(default_factory=dict)

    def enough(self, source: str) -> bool:
        """Says whether a policy keeps the lead there."""
        return self.measure.enough(self.evaluation(source))

    def same(self, source: str, other: str) -> bool:
        """Says whether no case there differs."""
        return self.measure.same(self.evaluation(source), self.evaluation(other))

    def evaluation(self, source: str) -> Evaluation:
        """Returns what a policy reaches there."""
        if source not in self._known:
            self._known[source] = self.executor.submit(Task(source, cases=self.measure.cases.name)).result()
        return self._known[source]
