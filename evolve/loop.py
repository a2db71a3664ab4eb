"""The whole method: propose, judge, archive, again.  Start reading here.

``search.ask`` makes a policy out of the best known ones, or says what to ask a model for it; ``writers``
ask the models; the ``executor`` has policies judged in a sandbox; the ``journal`` keeps everything;
``search.tell`` learns from it.  Turn ``n`` begins when exactly the turns up to ``n - lag`` have been told,
in order (more of them only where the budget cannot bear what is under way).  So a run is the same with
one worker and with many, and one that was killed goes on as if nothing had happened: what the journal
holds is told again, not made again.  (Only money that was under way when it was killed counts as spent.)
"""

from itertools import count

from evolve.budget import Budget
from evolve.executors import Executor
from evolve.journal import Journal
from evolve.listener import Listener
from evolve.models import RecordingEnded, Writers
from evolve.search import Exhausted, Search
from evolve.turns import Report, Turns

LAG = 8
"""Turns under way: enough to keep a few workers busy, few enough to learn from each other."""


def run(
    search: Search,
    executor: Executor,
    writers: Writers,
    journal: Journal,
    budget: Budget,
    *,
    warm_up: int,
    cases: str = "train",
    lag: int = LAG,
    report: Report = lambda _: None,
    listener: Listener | None = None,
) -> Exhausted | RecordingEnded | None:
    """Searches until the budget is spent.  The first ``warm_up`` turns are told before any more begin.

    ``listener`` brings what people say to the run: a hint reaches the next turn, a pause holds it back.

    Returns None then, and otherwise why it ended before: the proposers had nothing new to offer, or the
    recording that is replayed has no more answers.

    Raises:
        EvolveError: the problem, the sandbox or the journal failed; all that was told is kept.
    """
    listener = listener or Listener(journal, budget)
    turns = Turns(search, executor, writers, journal, budget, cases, report, listener)
    end = None
    for number in count():
        while len(turns) and (len(turns) >= lag or number == warm_up or not budget.affords()):
            turns.settle()
        if turns.end is not None or not budget.affords():
            break
        try:
            turns.begin(number)
        except Exhausted as nothing_new:
            end = nothing_new
            break
    while len(turns):
        turns.settle()
    return end or turns.end
