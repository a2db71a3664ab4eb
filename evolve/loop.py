"""The whole method: propose, judge, archive, again.  Start reading here.

``search.ask`` makes a policy out of the best known ones, ``executor`` has it judged in a sandbox,
``journal`` keeps it, ``search.tell`` learns from it.  Candidate ``n`` is asked for when exactly the
candidates up to ``n - lag`` have been told, in order; so a run is the same with one worker and with
many, and one that was killed goes on as if nothing had happened: what the journal holds is told
again, not judged again.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count

from evolve.budget import Budget
from evolve.executors import Executor, Task
from evolve.journal import Journal
from evolve.search import Exhausted, Search
from evolve.types import Candidate, Evaluation, Proposal

LAG = 8
"""Candidates in flight: enough to keep a few workers busy, few enough to learn from each other."""


def run(
    search: Search,
    executor: Executor,
    journal: Journal,
    budget: Budget,
    *,
    warm_up: int,
    lag: int = LAG,
    report: Callable[[Candidate], None] = lambda _: None,
) -> bool:
    """Searches until the budget is spent.  The first ``warm_up`` candidates are told before any more are asked.

    Returns whether the budget is spent; if not, the proposers have nothing new to offer.

    Raises:
        EvolveError: the problem, the sandbox or the journal failed; all told candidates are kept.
    """
    waiting: deque[tuple[int, Proposal, Future[Evaluation] | Evaluation]] = deque()

    def settle() -> None:
        number, proposal, judged = waiting.popleft()
        if isinstance(judged, Future):
            judged = judged.result()
            journal.record(number, judged, budget.seconds)
        candidate = Candidate(number, proposal, judged)
        search.tell(candidate)
        report(candidate)

    def begin(number: int) -> None:
        proposal = journal.proposal(number)
        if proposal is None:
            proposal = search.ask(number)
            journal.propose(number, proposal)
        else:
            search.recall(proposal)
        told = journal.evaluation(number)
        waiting.append((number, proposal, executor.submit(Task(proposal.source, search.bar)) if told is None else told))

    new = True
    for number in count():
        while waiting and (len(waiting) >= lag or number == warm_up):
            settle()
        if not budget.allows(number):
            break
        try:
            begin(number)
        except Exhausted:
            new = False
            break
    while waiting:
        settle()
    return new
