"""Models as proposers: each question shows a good policy with what is known of it, and asks for a better one."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from random import Random

from evolve.archives import Archive
from evolve.models import Request
from evolve.models.spec import ModelSpec
from evolve.proposers import Draft, Way, notes
from evolve.proposers.answers import edited, written
from evolve.proposers.notes import Attempts
from evolve.proposers.prompts import ANGLES, Prompts, Situation
from evolve.proposers.strikes import OF_THE_CALL, Strikes
from evolve.types import Candidate, Miss, Outcome, Proposal, Verdict

OPERATORS = {
    "any": {"edit": 4.0, "rewrite": 2.0, "combine": 1.5, "simplify": 0.5},
    "cheap": {"edit": 6.0, "rewrite": 0.5, "combine": 1.0, "simplify": 0.5},
    "strong": {"edit": 2.0, "rewrite": 3.0, "combine": 2.0, "simplify": 0.25},
}
"""How often a model of each role is asked for what."""

PLATEAU = 25
"""Candidates without a better one after which strong models are asked ``STRONGER`` times as often."""

STRONGER = 4.0
NEW_DIRECTION = {"any": 4.0, "cheap": 0.5, "strong": 8.0}
"""How often a model of each role is asked for one on a plateau, beside the other operators."""

NOTES_EVERY = 50
"""Turns between two questions for notes of what was tried; nor are there two before a better policy was found."""

INSPIRATIONS = 3
HINTS = 5
"""The last ones that a person gave are shown in every question."""

_REMEMBERED = 12  # of what was tried, and of what waits for its repair
_TOLD_FOR_NOTES = 40  # of what was tried

_WHOLE = frozenset({"rewrite", "combine", "new_direction"})
"""Operators that are answered with a whole policy."""

_REPAIRABLE = frozenset({Outcome.BROKEN_EDIT, Outcome.NO_POLICY})


class Llm:
    """Proposes what models write: edits, rewrites, combinations, simpler policies, and one repair of what failed.

    On a plateau also policies that go in a new direction, and all questions show notes of what was tried: counts
    and, where there is a cheap model, what it makes of them in a turn of its own.
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
        self._tried: deque[str] = deque(maxlen=_TOLD_FOR_NOTES)
        self._attempts = Attempts()
        self._hints: deque[str] = deque(maxlen=HINTS)
        self._notes = ""  # a model's
        self._noting = False  # a model was asked for notes, and what came of it is still to be told
        self._noted: tuple[int, Sequence[int]] | None = None  # the turn of the last such question, and of which best
        self._repaired = 0  # repairs of an earlier sitting whose causes are still to be told
        self._strikes = Strikes()

    @property
    def trouble(self) -> str:
        """Why no model is asked any more; empty while one is."""
        given_up = self._strikes.given_up
        return "; ".join(given_up.values()) if all(model.name in given_up for model in self._models) else ""

    def ways(self, idle: int) -> Mapping[Way, float]:
        """Returns each operator by each model that is not given up; on a plateau strong models come more often."""
        return {
            Way(model.name, operator): share * _weight(model, idle) / sum(shares.values())
            for model in self._asked()
            for shares in (_shares(model, idle),)
            for operator, share in shares.items()
        }

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Draft | None:
        """Returns what to ask a model: a repair of what failed, or notes, before what was to be asked."""
        draft = self._question(parent, archive, rng, way)
        if draft is not None and self._broken:
            self._broken.popleft()  # by a question alone, for it is what is recalled
        return draft

    def _question(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Draft | None:
        repair = self._repair(self._broken[0], archive, self._asked(), rng) if self._broken else None
        if repair is not None:
            return repair
        plateau = archive.idle(parent) >= PLATEAU
        question = self._question_for_notes(archive, rng) if plateau and self._wants_notes() else None
        return question or self._improvement(parent, archive, rng, way, plateau)

    def _asked(self) -> list[ModelSpec]:
        return [model for model in self._models if model.name not in self._strikes.given_up]

    def hear(self, hint: str, /) -> None:
        """Shows a hint in every question from now on, until there are ``HINTS`` later ones."""
        self._hints.append(hint)

    def recall(self, made: Proposal | Miss, /) -> None:
        """Takes off the list what a question of an earlier sitting took off it, maybe before it is there."""
        if made.proposer != self.name:
            return
        if self._broken:
            self._broken.popleft()
        elif made.operator == "repair":
            self._repaired += 1
        if isinstance(made, Miss):
            self._noting |= made.operator == "notes"
            self._strikes.forgive(made.number)

    def tell(self, told: Candidate | Miss, /) -> None:
        """Learns what came of a turn: something to repair, notes, a model that fails."""
        self._attempts.tell(told)
        made = told.proposal if isinstance(told, Candidate) else told
        if made.proposer != self.name:
            return
        self._strikes.count(told, made.model)
        if isinstance(told, Miss) and told.operator == "notes":
            self._note(told)
            return
        if not (isinstance(told, Miss) and told.outcome in OF_THE_CALL):  # of which other providers need not hear
            self._tried.append(_tried(told))
        if made.operator != "repair" and _repairable(told):
            self._note_broken(told)

    def _note(self, told: Miss) -> None:
        """Keeps a model's notes; where there are none, the question is not asked again either."""
        self._noting = False
        self._noted = told.number, told.parents
        if told.outcome is Outcome.NOTED:
            self._notes = notes.kept(told.answer)

    def _wants_notes(self) -> bool:
        """Says whether notes are due: none are under way, some time has passed, and there is a new best since."""
        if self._noting or self._noted is None:
            return not self._noting
        turn, of = self._noted
        return self._attempts.turns - turn >= NOTES_EVERY and self._attempts.best not in of

    def _question_for_notes(self, archive: Archive, rng: Random) -> Draft | None:
        """Returns what to ask a cheap model; None where there is none."""
        cheap = [model for model in self._asked() if model.role == "cheap"]
        best = archive.best
        if not cheap or best is None:
            return None
        others = archive.inspirations(best, INSPIRATIONS, rng)
        situation = Situation(best, others, tuple(self._tried), notes=self._attempts.summary())
        draft = self._draft(rng.choice(cheap), "notes", situation, (best.number,))
        self._noting = draft is not None
        return draft

    def _note_broken(self, told: Candidate | Miss) -> None:
        if self._repaired:
            self._repaired -= 1
        else:
            self._broken.append(told)

    def _improvement(self, parent: Candidate, archive: Archive, rng: Random, way: Way, plateau: bool) -> Draft | None:
        model = next(model for model in self._models if model.name == way.model)
        others, operator = archive.inspirations(parent, INSPIRATIONS, rng), way.operator
        if operator == "combine" and not others:
            operator = "edit"
        parents = (parent.number, others[0].number) if operator == "combine" else (parent.number,)
        known = f"{self._attempts.summary()}\n\n{self._notes}".strip() if plateau else ""
        situation = Situation(parent, others, self._lately(), rng.choice(ANGLES), notes=known)
        return self._draft(model, operator, situation, parents)

    def _lately(self) -> Sequence[str]:
        return tuple(self._tried)[-_REMEMBERED:]

    def _repair(
        self, broken: Candidate | Miss, archive: Archive, models: Sequence[ModelSpec], rng: Random
    ) -> Draft | None:
        """Returns the question for a repair, by the cheaper models where there are some."""
        model = rng.choice([model for model in models if model.role == "cheap"] or list(models))
        if isinstance(broken, Candidate):
            failure = f"{broken.evaluation.verdict}: {broken.evaluation.feedback}"
            return self._draft(model, "repair", Situation(broken, failure=failure), (broken.number,))
        parent = archive.find(broken.parents[0])
        if parent is None:  # it is no longer worth building on
            return None
        situation = Situation(parent, failure=f"Your answer could not be used: {broken.message}", answer=broken.answer)
        return self._draft(model, "repair", situation, broken.parents)

    def _draft(self, model: ModelSpec, operator: str, situation: Situation, parents: tuple[int, ...]) -> Draft | None:
        user = self._prompts.user(operator, replace(situation, hints=tuple(self._hints)))
        if user is None:
            return None
        request = Request(model.name, self._prompts.system, user, self._answer_tokens, self._temperature)
        if operator == "notes":
            return Draft(request, notes.noted, self.name, operator, parents)
        read = partial(
            written if operator in _WHOLE else edited,
            parent=situation.parent.proposal.source,
            entry_points=(self._prompts.call,),
            limit=self._prompts.most_characters,
        )
        return Draft(request, read, self.name, operator, parents)


def _shares(model: ModelSpec, idle: int) -> Mapping[str, float]:
    shares = OPERATORS[model.role]
    return shares | {"new_direction": NEW_DIRECTION[model.role]} if idle >= PLATEAU else shares


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
