"""The turns of a run that are under way: asked for, written, judged, told, each step in their order."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any

from evolve.budget import Budget
from evolve.executors import Executor, Task
from evolve.journal import Journal
from evolve.listener import Listener
from evolve.models import RecordingEnded, Reply, Request, Writers
from evolve.proposers import Draft
from evolve.racing.race import Race
from evolve.search import Search
from evolve.types import NO_USAGE, Candidate, Evaluation, Miss, Proposal

Report = Callable[[Candidate | Miss], None]


@dataclass(slots=True)
class Turn:
    """One attempt at a candidate.

    ``bar`` is the score that a new best had to exceed when it began, ``race`` what its policy is raced against.
    """

    number: int
    bar: float
    made: Proposal | Miss | Draft
    race: Race | None = None
    reply: Future[Reply] | None = None
    judged: Future[Evaluation] | Evaluation | None = None

    @property
    def is_judged(self) -> bool:
        """Whether nothing is left to wait for."""
        return not isinstance(self.judged, Future) or self.judged.done()


class Turns:
    """The turns under way, in order: the later ones are being written, those before them judged."""

    def __init__(
        self,
        search: Search,
        executor: Executor,
        writers: Writers,
        journal: Journal,
        budget: Budget,
        cases: str,
        report: Report,
        listener: Listener,
    ) -> None:
        self._search, self._executor, self._writers, self._journal = search, executor, writers, journal
        self._budget, self._cases, self._report, self._listener = budget, cases, report, listener
        self._writing: deque[Turn] = deque()
        self._judging: deque[Turn] = deque()
        self._unanswered: dict[Future[Reply], int] = {}
        self.end: RecordingEnded | None = None

    def __len__(self) -> int:
        return len(self._writing) + len(self._judging)

    def begin(self, number: int) -> None:
        """Asks what to try, unless the journal knows what came of it; waits while the run is paused."""
        for hint in self._listener.hear(number, self._keep_up):
            self._search.hear(hint)
        known = self._journal.made(number)
        if known is not None:
            self._search.recall(known)
        made = self._search.ask(number) if known is None else known
        turn = Turn(number, self._search.bar, made, self._search.race(number, made))
        by_model = isinstance(made, Draft) or bool(made.model)
        self._budget.begin(number, self._budget.most if by_model else NO_USAGE)
        if isinstance(made, Draft):
            turn.reply = self._sent(number, made.request)
        self._writing.append(turn)
        self._admit()

    def settle(self) -> None:
        """Tells what became of the oldest turn; answers that come in the meantime go to the judges."""
        self._admit()
        while len(self) and (not self._judging or (self._unanswered and not self._judging[0].is_judged)):
            self._wait()
            self._admit()
        if not len(self):  # a recording ended with the oldest turn
            return
        told = self._told(self._judging.popleft())
        self._budget.end(told)
        self._search.tell(told)
        self._report(told)

    def _keep_up(self) -> None:
        """Has what was written judged, and keeps what was judged; nothing is told, for no turn is to know more."""
        self._admit()
        for turn in self._judging:
            if not turn.is_judged:
                break
            self._told(turn)

    def _wait(self) -> None:
        """Waits until a model has answered or the oldest turn is judged."""
        awaited: list[Future[Any]] = list(self._unanswered)
        judged = self._judging[0].judged if self._judging else None
        wait([*awaited, judged] if isinstance(judged, Future) else awaited, return_when=FIRST_COMPLETED)

    def _sent(self, number: int, request: Request) -> Future[Reply]:
        """Asks a model, unless it answered this in an earlier sitting."""
        known = self._journal.ledger.reply(number, request.id)
        if known is not None:
            reply: Future[Reply] = Future()
            reply.set_result(known)
            return reply
        self._budget.lose(self._journal.ledger.replaced(number))
        self._journal.ledger.ask(number, request, self._budget.most)
        reply = self._writers.send(number, request)
        self._unanswered[reply] = number
        return reply

    def _admit(self) -> None:
        """Keeps the answers that have come, and has the next turns judged if they are written."""
        for reply in [reply for reply in self._unanswered if reply.done()]:
            number = self._unanswered.pop(reply, None)
            if number is None:  # its turn was dropped with one before it
                continue
            if not reply.cancelled() and isinstance(end := reply.exception(), RecordingEnded):
                self._drop(number, end)
            else:
                self._journal.ledger.end(number, reply.result())
        while self._writing and self._writing[0].reply not in self._unanswered:
            turn = self._writing.popleft()
            turn.made = made = self._made(turn)
            if isinstance(made, Proposal):
                told = self._journal.evaluation(turn.number)
                task = Task(made.source, turn.bar, self._cases, race=turn.race)
                turn.judged = self._executor.submit(task) if told is None else told
            self._judging.append(turn)

    def _drop(self, number: int, end: RecordingEnded) -> None:
        """Ends the run before a turn: that one and those after it were never told in the recorded run."""
        self.end = end
        for reply, later in list(self._unanswered.items()):
            if later > number:
                del self._unanswered[reply]
        for turn in [turn for turn in self._writing if turn.number >= number]:
            self._writing.remove(turn)
            self._journal.ledger.forget(turn.number)

    def _made(self, turn: Turn) -> Proposal | Miss:
        """Returns what a written turn led to, and keeps it."""
        number, made, answer = turn.number, turn.made, ""
        if isinstance(made, Draft):
            assert turn.reply is not None
            answer = turn.reply.result().text
            made = made.finish(number, turn.reply.result())
        made = self._search.admit(number, made)
        if isinstance(made, Miss) and answer:
            made = replace(made, answer=answer)
        if self._journal.made(number) is None:
            self._journal.propose(number, made)
        return made

    def _told(self, turn: Turn) -> Candidate | Miss:
        if isinstance(turn.made, Miss):
            return turn.made
        assert isinstance(turn.made, Proposal)
        judged = turn.judged
        if isinstance(judged, Future):
            judged = judged.result()
            self._journal.record(turn.number, judged, self._budget.seconds)
        assert judged is not None
        return Candidate(turn.number, turn.made, judged)
