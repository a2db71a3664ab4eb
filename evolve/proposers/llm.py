"""Models as proposers: each question shows a good policy with what is known of it, and asks for a better one."""

import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random

from evolve.archives import Archive
from evolve.models import Request
from evolve.models.spec import ModelSpec
from evolve.proposers import Draft, Way
from evolve.proposers.answers import edited, written
from evolve.proposers.prompts import ANGLES, Prompts, Situation
from evolve.types import Candidate, Miss, Outcome, Proposal, Verdict

_log = logging.getLogger(__name__)

OPERATORS = {
    "any": {"edit": 4.0, "rewrite": 2.0, "combine": 1.5},
    "cheap": {"edit": 6.0, "rewrite": 0.5, "combine": 1.0},
    "strong": {"edit": 2.0, "rewrite": 3.0, "combine": 2.0},
}
"""How often a model of each role is asked for what."""

PLATEAU = 25
"""Candidates without a better one after which strong models are asked ``STRONGER`` times as often."""

STRONGER = 4.0

INSPIRATIONS = 3
_REMEMBERED = 12  # of what was tried, and of what waits for its repair

_FATAL = frozenset({Outcome.KEY_REFUSED, Outcome.NO_SUCH_MODEL})
_OF_THE_CALL = _FATAL | {
    Outcome.REJECTED,
    Outcome.RATE_LIMITED,
    Outcome.UNAVAILABLE,
    Outcome.NO_ANSWER,
    Outcome.NOT_ASKED,
}
_REPAIRABLE = frozenset({Outcome.BROKEN_EDIT, Outcome.NO_POLICY})
MOST_FAILED_CALLS, MOST_USELESS_ANSWERS = 3, 20
"""In a row; then a model is given up for the rest of the sitting."""


class Llm:
    """Proposes what models write: edits, rewrites, combinations, and one repair of what failed.

    Each model is asked as often as its weight says, for operators that suit its role.  A model that the
    provider refuses, that cannot be reached, or that answers nothing new any more is given up.
    """

    name = "llm"

    def __init__(
        self, models: Sequence[ModelSpec], prompts: Prompts, *, answer_tokens: int, temperature: float | None = None
    ) -> None:
        self._models, self._prompts = models, prompts
        self._answer_tokens, self._temperature = answer_tokens, temperature
        self._broken: deque[Candidate | Miss] = deque(maxlen=_REMEMBERED)
        self._tried: deque[str] = deque(maxlen=_REMEMBERED)
        self._repaired = 0  # repairs of an earlier sitting whose causes are still to be told
        self._strikes = _Strikes()

    @property
    def trouble(self) -> str:
        """Why no model is asked any more; empty while one is."""
        given_up = self._strikes.given_up
        return "; ".join(given_up.values()) if all(model.name in given_up for model in self._models) else ""

    def ways(self, idle: int) -> Mapping[Way, float]:
        """Returns each operator by each model that is not given up; on a plateau strong models come more often."""
        return {
            Way(model.name, operator): share * _weight(model, idle) / sum(OPERATORS[model.role].values())
            for model in self._asked()
            for operator, share in OPERATORS[model.role].items()
        }

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Draft | None:
        """Returns what to ask a model; what failed is repaired first, whatever else was to be asked."""
        repair = self._repair(self._broken.popleft(), archive, self._asked(), rng) if self._broken else None
        return repair or self._improvement(parent, archive, rng, way)

    def _asked(self) -> list[ModelSpec]:
        return [model for model in self._models if model.name not in self._strikes.given_up]

    def recall(self, made: Proposal | Miss, /) -> None:
        """Takes off the list what a question of an earlier sitting took off it, maybe before it is there."""
        if made.proposer == self.name and self._broken:
            self._broken.popleft()
        elif made.proposer == self.name and made.operator == "repair":
            self._repaired += 1
        if isinstance(made, Miss):
            self._strikes.forgive(made.number)

    def tell(self, told: Candidate | Miss, /) -> None:
        """Learns what came of a turn: something to repair, a model that fails."""
        made = told.proposal if isinstance(told, Candidate) else told
        if made.proposer != self.name:
            return
        self._strikes.count(told, made.model)
        if not (isinstance(told, Miss) and told.outcome in _OF_THE_CALL):  # of which other providers need not hear
            self._tried.append(_tried(told))
        if made.operator != "repair" and _repairable(told):
            self._note_broken(told)

    def _note_broken(self, told: Candidate | Miss) -> None:
        if self._repaired:
            self._repaired -= 1
        else:
            self._broken.append(told)

    def _improvement(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Draft | None:
        model = next(model for model in self._models if model.name == way.model)
        others, operator = archive.inspirations(parent, INSPIRATIONS, rng), way.operator
        if operator == "combine" and not others:
            operator = "edit"
        parents = (parent.number, others[0].number) if operator == "combine" else (parent.number,)
        return self._draft(model, operator, Situation(parent, others, tuple(self._tried), rng.choice(ANGLES)), parents)

    def _repair(
        self, broken: Candidate | Miss, archive: Archive, models: Sequence[ModelSpec], rng: Random
    ) -> Draft | None:
        """Returns the question for a repair, by the cheaper models where there are some."""
        model = rng.choice([model for model in models if model.role == "cheap"] or list(models))
        if isinstance(broken, Candidate):
            failure = f"{broken.evaluation.verdict}: {broken.evaluation.feedback}"
            return self._draft(model, "repair", Situation(broken, failure=failure), (broken.number,))
        parent = next((member for member in archive if member.number == broken.parents[0]), None)
        if parent is None:  # it is no longer worth building on
            return None
        situation = Situation(parent, failure=f"Your answer could not be used: {broken.message}", answer=broken.answer)
        return self._draft(model, "repair", situation, broken.parents)

    def _draft(self, model: ModelSpec, operator: str, situation: Situation, parents: tuple[int, ...]) -> Draft | None:
        user = self._prompts.user(operator, situation)
        if user is None:
            return None
        request = Request(model.name, self._prompts.system, user, self._answer_tokens, self._temperature)
        read = partial(
            written if operator in ("rewrite", "combine") else edited,
            parent=situation.parent.proposal.source,
            entry_points=(self._prompts.call,),
            limit=self._prompts.most_characters,
        )
        return Draft(request, read, self.name, operator, parents)


class _Strikes:
    """Which models have failed how often in a row, and which are given up, and why."""

    def __init__(self) -> None:
        self.given_up: dict[str, str] = {}
        self._failed: Counter[str] = Counter()
        self._useless: Counter[str] = Counter()
        self._forgiven: set[int] = set()

    def forgive(self, number: int) -> None:
        """Does not count a miss of an earlier sitting: its cause may have been mended since."""
        self._forgiven.add(number)

    def count(self, told: Candidate | Miss, model: str) -> None:
        """Counts what a model did in a turn."""
        if isinstance(told, Candidate):
            self._failed[model] = self._useless[model] = 0
            return
        if told.number in self._forgiven or told.outcome is Outcome.NOT_ASKED:
            return
        if told.outcome in _OF_THE_CALL:
            self._failed[model] += 1
        else:
            self._failed[model] = 0
            self._useless[model] += 1
        self._judge(told, model)

    def _judge(self, miss: Miss, model: str) -> None:
        if model in self.given_up:
            return
        if miss.outcome in _FATAL:
            why = miss.message
        elif self._failed[model] >= MOST_FAILED_CALLS:
            why = f"{MOST_FAILED_CALLS} calls in a row failed, the last with {miss.outcome}: {miss.message}"
        elif self._useless[model] >= MOST_USELESS_ANSWERS:
            why = (
                f"{MOST_USELESS_ANSWERS} answers in a row held nothing new, the last {miss.outcome}: {miss.message}; "
                "another model, or --embedded, may find more"
            )
        else:
            return
        self.given_up[model] = f"the model {model} was given up: {why}"
        _log.warning("%s", self.given_up[model])


def _weight(model: ModelSpec, idle: int) -> float:
    return model.weight * (STRONGER if idle >= PLATEAU and model.role == "strong" else 1.0)


def _repairable(told: Candidate | Miss) -> bool:
    if isinstance(told, Miss):
        return told.outcome in _REPAIRABLE
    return told.evaluation.verdict not in (Verdict.OK, Verdict.OUTRACED)


def _tried(told: Candidate | Miss) -> str:
    """Returns a turn in a line: what was tried and what came of it."""
    if isinstance(told, Miss):
        return f"{told.operator} of {_numbers(told.parents)}: {told.outcome}: {told.message}"
    made, judged = told.proposal, told.evaluation
    came = f"{judged.verdict}: {judged.feedback}" if judged.score is None else f"score {judged.score:.4f}"
    return f"{told.number}, {made.operator} of {_numbers(made.parents)}: {made.rationale or 'no rationale'} -> {came}"


def _numbers(parents: Sequence[int]) -> str:
    return " and ".join(str(parent) for parent in parents)
