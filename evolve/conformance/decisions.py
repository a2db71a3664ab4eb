"""Checks that wrong decisions are refused: they must not crash or hang a simulator, and must not pay.

A legal play is recorded, and played again with one decision replaced by a wrong one, or with every
decision changed in the same way.  What is wrong is refused by its type, refused by the simulator with
InvalidDecision, or accepted.  What is accepted must not beat the bound; and where a wrong decision is one that
no baseline would take, such as a plan with an element missing, it should not be accepted at all.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from evolve.conformance.finding import Finding
from evolve.conformance.habit import Habit, habit
from evolve.conformance.play import End, Enough, Play, Recording, Step, play, record, seen
from evolve.conformance.subject import Subject
from evolve.conformance.tally import Tally, Trial
from evolve.conformance.way import Kind, Unfit, Way
from evolve.conformance.wrong import foreign, loose, ways
from evolve.judge.decision import check
from evolve.problem import Call, InvalidDecision

CASES = 4
ALLOWANCE_SECONDS = 20.0
"""After so long no more is tried: a slow simulator is checked less, not for hours."""

PROBES = 5
"""Decisions of a play that are looked at to see whether all of them can be wrong in some way."""

PATIENCE_CALLS = 20
"""A simulation that asks so many times as often as in a legal play counts as endless."""


def check_wrong_decisions(subject: Subject) -> list[Finding]:
    """Tries wrong decisions on several cases and says what came of them."""
    attack = _Attack(subject)
    attack.run()
    return attack.tally.findings()


class _Attack:
    """Wrong decisions at some calls of some cases, then at every call."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._until = subject.clock() + ALLOWANCE_SECONDS
        self._recordings = [
            found
            for index in subject.sample(CASES)
            for name in subject.sound
            if (found := record(subject, index, name)).play.end is End.FINISHED and found.steps
        ]
        self._bases = [found for found in self._recordings if found.policy in (subject.sound[0], "reference")]
        self._habits = _habits(self._recordings)
        self.tally = Tally(subject)

    def run(self) -> None:
        """Tries all ways, until a simulator hangs or time is up."""
        for base in self._bases:
            self._one_by_one(base)
        for base in self._bases:
            if len(base.steps) > 1:
                for name in dict.fromkeys(step.name for step in base.steps):
                    self._throughout(base, name)

    @property
    def _over(self) -> bool:
        self.tally.cut_short = self.tally.cut_short or self._subject.clock() > self._until
        return self.tally.cut_short or self.tally.hung

    def _one_by_one(self, base: Recording) -> None:
        """Replaces one decision of a play: on the first call of each function, on one in the middle, on the last."""
        for number in _moments(base):
            step = base.steps[number]
            for way in self._ways(base, number):
                if self._over:
                    return
                try:
                    wrong = way.of(step.decision, step.arguments(), self._subject.random)
                except Unfit:
                    continue
                if way.kind is Kind.TYPE and not loose(step.returns) and _typed(wrong, step.returns):
                    continue
                trial = Trial(way, self._habits[step.name], base, number)
                self._subject.tell(self.tally.words(trial))
                self.tally.add(trial, *self._tried(base, number, wrong, step.returns))

    def _ways(self, base: Recording, number: int) -> Iterator[Way]:
        step = base.steps[number]
        yield from ways(step.returns)
        for other in self._recordings:
            if other.case != base.case and number < len(other.steps) and other.steps[number].name == step.name:
                decision = other.steps[number].decision
                yield Way(Kind.OTHER, "the decision of another case", lambda *_, decision=decision: decision)
                return

    def _tried(self, base: Recording, number: int, wrong: Any, returns: Any) -> tuple[Play, bool]:
        """Returns what came of a wrong decision, and whether its type should have been refused and was not."""
        try:
            check(wrong, returns)
        except InvalidDecision as broken:
            return Play(End.MISTYPED, number, said=str(broken)), False
        if foreign(wrong, returns):
            return Play(End.LEFT, number), True
        return self._replaced(base, number, wrong), False

    def _replaced(self, base: Recording, number: int, wrong: Any) -> Play:
        """Plays with one decision replaced; a policy is started only if the simulation goes on after it."""

        def decide(now: int, call: Call) -> Any:
            if now > number:
                raise Enough
            return copy.deepcopy(wrong) if now == number else base.replay(now, call)

        ended = self._play(base, decide)
        if ended.end is not End.LEFT:
            return ended

        def decide_on(now: int, call: Call) -> Any:
            decision = answer(now, call)  # asked also where it is overruled: it may remember
            return copy.deepcopy(wrong) if now == number else decision

        with self._subject.answers(base.policy) as answer:
            return self._play(base, decide_on)

    def _throughout(self, base: Recording, name: str) -> None:
        """Changes every decision of one function in the same way, from the first call on and from a middle one on."""
        steps = [step for step in base.steps if step.name == name]
        for way in ways(steps[0].returns):
            for start in (0, len(steps) // 2):
                if self._over:
                    return
                if self._fits(way, steps[start:]):
                    trial = Trial(way, self._habits[name], base, base.number(steps[start]), throughout=True)
                    self._subject.tell(self.tally.words(trial))
                    self.tally.add(trial, self._changed(trial, name))

    def _changed(self, trial: Trial, name: str) -> Play:
        def decide(number: int, call: Call) -> Any:
            decision = answer(number, call)
            if number < trial.number or call.name != name:
                return decision
            try:
                return trial.way.of(decision, seen(call), self._subject.random)
            except Unfit:
                return decision

        with self._subject.answers(trial.base.policy) as answer:
            return self._play(trial.base, decide)

    def _fits(self, way: Way, steps: Sequence[Step]) -> bool:
        """Says whether some decision can be wrong in this way and still be of the type asked for."""
        for step in steps[:: max(1, len(steps) // PROBES)]:
            try:
                check(way.of(step.decision, step.arguments(), self._subject.random), step.returns)
            except (Unfit, InvalidDecision):
                continue
            return True
        return False

    def _play(self, base: Recording, decide: Any) -> Play:
        most = PATIENCE_CALLS * len(base.steps) + 1_000
        return play(self._subject.problem, self._subject.cases.cases[base.case], decide, most)


def _typed(decision: Any, returns: Any) -> bool:
    """Says whether a decision that was to be of another type is of the right one after all, as 0 is an int."""
    try:
        check(decision, returns)
    except InvalidDecision:
        return False
    return not foreign(decision, returns)


def _moments(base: Recording) -> list[int]:
    """Returns the numbers of the first, a middle and the last call of each function."""
    numbers: dict[str, list[int]] = {}
    for number, step in enumerate(base.steps):
        numbers.setdefault(step.name, []).append(number)
    return sorted({at for found in numbers.values() for at in (found[0], found[len(found) // 2], found[-1])})


def _habits(recordings: Sequence[Recording]) -> dict[str, Habit]:
    steps = [step for recording in recordings for step in recording.steps]
    return {name: habit([step for step in steps if step.name == name]) for name in {step.name for step in steps}}
