"""Turns that models write: order, duplicates, answers kept at once, and that interruptions cost no answer."""

import contextlib
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random

import pytest
import tiny

from evolve import loop
from evolve.archives.elite import Elite
from evolve.budget import Budget, Limit
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.models import RecordingEnded, Reply, Request
from evolve.proposers import Draft, Way
from evolve.proposers.answers import Answer, Unusable
from evolve.proposers.mutate import Mutate
from evolve.search import Arm, Search
from evolve.types import NO_USAGE, Baseline, EvolveError, Miss, Outcome, Proposal, Usage

HEADER = Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "llm", "h", "now")
BASELINES = [Baseline("reference", tiny.REFERENCE), Baseline("steep", "def guess(x):\n    return 4 * x\n")]
COST = Usage(900, 300, 100, 0.01)
MOST = Usage(1000, 0, 500, 0.03)


class Interrupted(BaseException):
    """What a kill is to the loop."""


class Asking:
    """Asks a model to vary the best policy; what it was told decides what it asks."""

    name, trouble = "llm", ""

    def __init__(self):
        self.told, self.recalled = [], []

    def ways(self, idle):
        return {Way("m", "edit"): 1.0}

    def propose(self, parent, archive, rng, way):
        user = f"parent {parent.number}, told {len(self.told)}, {rng.randrange(10**6)}"
        return Draft(Request("m", "system", user, 500), read, "llm", "edit", (parent.number,))

    def recall(self, made):
        self.recalled.append(made)

    def tell(self, told):
        self.told.append(told)


def read(text):
    if "policy" not in text:
        raise Unusable(Outcome.NO_POLICY, "prose")
    return Answer(f"def guess(x):\n    return {text.removeprefix('policy ')}\n", "because")


def written(request):
    """Returns the same reply for the same question; some are prose, some fail, some repeat each other."""
    number = int(request.id, 16)
    if number % 7 == 0:
        return Reply("", Usage(), Outcome.UNAVAILABLE, "503")
    if number % 7 == 1:
        return Reply("no idea", COST)
    return Reply(f"policy {number % 150}", COST)


class Writers:
    """Answers a few milliseconds later, in another order than it was asked; dies after so many questions."""

    def __init__(self, disorder=1, die_after=None):
        self._disorder, self._die_after = Random(disorder), die_after
        self._pool = ThreadPoolExecutor(4)
        self.asked = []

    def send(self, number, request):
        if len(self.asked) == self._die_after:
            raise Interrupted
        self.asked.append(number)
        return self._pool.submit(self._answer, request, self._disorder.random() * 0.003)

    def _answer(self, request, seconds):
        time.sleep(seconds)
        return written(request)


def run(journal, writers, evaluations=30, search=None, executor=None, report=lambda _: None, **limits):
    budget = Budget(Limit(evaluations, **limits), lambda: 0.0, most=MOST, lost=journal.ledger.lost())
    executor = executor or tiny.Guessing(Random(9))
    end = loop.run(search or searching(), executor, writers, journal, budget, warm_up=2, lag=6, report=report)
    assert end is None
    return budget


def searching(*more, seed=3):
    return Search(BASELINES, [Arm(proposer, 1.0) for proposer in (Asking(), *more)], Elite(), seed)


@pytest.fixture
def journal(tmp_path):
    with Journal.create(tmp_path / "journal.sqlite", HEADER) as journal:
        yield journal


def turns(journal):
    return [(journal.made(number), journal.evaluation(number)) for number in range(journal.turns())]


def whole_run(path, disorder=0, more=(), **options):
    with Journal.create(path, HEADER) as journal:
        run(journal, Writers(disorder), search=searching(*more), **options)
        return turns(journal)


@pytest.mark.parametrize("more", [(), (Mutate,)], ids=["models alone", "mixed"])
def test_a_run_is_the_same_in_whatever_order_answers_and_judgements_come(tmp_path, more):
    first = whole_run(tmp_path / "first.sqlite", more=[proposer() for proposer in more])
    assert {type(made) for made, _ in first} == {Proposal, Miss}
    for disorder in (1, 2, 3):
        again = whole_run(
            tmp_path / f"{disorder}.sqlite",
            disorder,
            more=[proposer() for proposer in more],
            executor=tiny.Guessing(Random(disorder)),
        )
        assert again == first


def test_every_turn_without_a_policy_is_kept_with_its_outcome_and_what_it_cost_and_has_no_score(journal):
    budget = run(journal, Writers())
    missed = [made for made, _ in turns(journal) if isinstance(made, Miss)]
    assert {miss.outcome for miss in missed} == {Outcome.NO_POLICY, Outcome.UNAVAILABLE, Outcome.NOT_NEW}
    assert all(judged is None for made, judged in turns(journal) if isinstance(made, Miss))
    assert journal.outcomes() == dict(Counter(str(miss.outcome) for miss in missed).most_common())
    assert next(miss.answer for miss in missed if miss.outcome is Outcome.NO_POLICY) == "no idea"
    assert journal.ledger.used() == budget.usage
    paid = [made for made, _ in turns(journal) if made.usage.tokens]
    assert budget.usage.dollars == pytest.approx(0.01 * len(paid))


def test_turns_without_a_policy_are_no_evaluations_and_200_mean_200(journal):
    executor = tiny.Guessing(Random(4))
    run(journal, Writers(), 50, executor=executor)
    assert len(executor.tasks) == journal.count() == 50
    assert journal.turns() == 50 + sum(journal.outcomes().values())


def test_a_policy_that_came_before_is_not_judged_again_whichever_answer_arrived_first(journal):
    executor = tiny.Guessing(Random(4))
    run(journal, Writers(), 40, executor=executor)
    sources = [task.source for task in executor.tasks]
    assert len(set(sources)) == len(sources)
    repeated = [made for made, _ in turns(journal) if isinstance(made, Miss) and made.outcome is Outcome.NOT_NEW]
    for miss in repeated:
        number = int(miss.message.partition("#")[2].partition(",")[0])
        assert number < miss.number
        assert "guess" in journal.made(number).source


def test_dollars_are_never_passed_whatever_is_under_way(journal):
    spent = []
    budget = run(journal, Writers(), None, dollars=0.5, report=lambda _: spent.append(journal.ledger.used().dollars))
    assert max(spent) <= 0.5 + 1e-9
    assert 0.46 < budget.usage.dollars <= 0.5 + 1e-9


def test_no_question_is_asked_that_the_rest_of_the_budget_may_not_pay_for(journal):
    writers = Writers()
    run(journal, writers, None, dollars=0.029)
    assert writers.asked == []


@pytest.mark.parametrize("questions", range(1, 24))
def test_a_run_killed_at_any_question_asks_nothing_again_that_was_answered_and_ends_alike(tmp_path, questions):
    expected = whole_run(tmp_path / "whole.sqlite", evaluations=16)
    path = tmp_path / "killed.sqlite"
    Journal.create(path, HEADER).close()
    with Journal.open(path) as journal:
        with contextlib.suppress(Interrupted):
            run(journal, Writers(questions, die_after=questions), 16)
        answered = {n for n in range(200) if journal.ledger.answer(n) or isinstance(journal.made(n), Miss)}
    with Journal.open(path) as journal:
        journal.check()
        second = Writers(0)
        run(journal, second, 16)
        assert turns(journal) == expected
        assert not answered & set(second.asked)


def test_a_call_whose_answer_was_never_seen_counts_with_the_most_it_can_have_cost(journal):
    with pytest.raises(Interrupted):
        run(journal, Unheard())
    assert journal.ledger.questions() == 4  # the fourth was written down before it was to be sent
    assert journal.ledger.lost() == Usage(4000, 0, 2000, pytest.approx(0.12))
    assert (journal.ledger.unheard(), journal.ledger.paid()) == (4, (NO_USAGE, 0.0))
    budget = run(journal, Writers(), None, dollars=0.2)
    assert budget.usage.dollars <= 0.2 + 1e-9
    assert budget.usage.dollars == pytest.approx(journal.ledger.used().dollars)


class Unheard(Writers):
    """Is asked three times and then dies with the answers."""

    def send(self, number, request):
        if len(self.asked) == 3:
            raise Interrupted
        self.asked.append(number)
        return Future()


def test_what_must_stop_the_run_stops_it_and_is_no_verdict(journal):
    class Torn(Writers):
        def send(self, number, request):
            reply = super().send(number, request)
            if number == 9:
                reply = Future()
                reply.set_exception(EvolveError("the cassette ends here"))
            return reply

    with pytest.raises(EvolveError, match="the cassette ends here"):
        run(journal, Torn())
    assert journal.made(9) is None
    assert journal.turns() <= 9


def test_a_resumed_proposer_hears_of_every_turn_that_it_would_have_been_asked_for(journal):
    run(journal, Writers(), 12)
    asking = Asking()
    search = Search(BASELINES, [Arm(asking, 1.0)], Elite(), 3)
    run(journal, Writers(), 12, search=search)
    assert asking.recalled == [journal.made(number) for number in range(journal.turns())]
    assert [told.number for told in asking.told] == list(range(journal.turns()))


def test_a_recording_that_ends_ends_the_run_with_what_was_recorded_before(tmp_path):
    whole = whole_run(tmp_path / "whole.sqlite", evaluations=30)
    missing = next(number for number in range(12, 99) if whole[number][0].model)

    class Ending(Writers):
        def send(self, number, request):
            if number != missing:
                return super().send(number, request)  # later turns were answered before the run was stopped
            self.asked.append(number)
            reply = Future()
            reply.set_exception(RecordingEnded("the recording ends here"))
            return reply

    for disorder in range(4):
        with Journal.create(tmp_path / f"{disorder}.sqlite", HEADER) as journal:
            budget = Budget(Limit(30), lambda: 0.0, most=MOST)
            end = loop.run(searching(), tiny.Guessing(Random(1)), Ending(disorder), journal, budget, warm_up=2, lag=6)
            assert str(end) == "the recording ends here"
            assert turns(journal) == whole[:missing]
            assert journal.ledger.lost() == NO_USAGE


def test_a_recording_that_ends_for_several_turns_at_once_ends_the_run_before_the_first(journal):
    class Ending(Writers):
        def __init__(self):
            super().__init__()
            self._open = []

        def send(self, number, request):
            if number < 12:
                return super().send(number, request)
            self._open.append(Future())
            if len(self._open) == 3:
                for reply in reversed(self._open):
                    reply.set_exception(RecordingEnded("the recording ends here"))
            return self._open[-1]

    budget = Budget(Limit(30), lambda: 0.0, most=MOST)
    end = loop.run(searching(), tiny.Guessing(Random(1)), Ending(), journal, budget, warm_up=2, lag=6)
    assert str(end) == "the recording ends here"
    assert journal.turns() == 12
    assert journal.ledger.lost() == NO_USAGE


def test_answers_to_a_turn_that_was_asked_anew_count_in_this_sitting_and_in_the_next(journal):
    paid = Usage(700, 0, 70, 0.2)
    journal.ledger.ask(2, Request("gone", "system", "what a given-up model was asked", 500), MOST)
    journal.ledger.end(2, Reply("policy 5", paid))
    budget = run(journal, Writers(), 10)
    assert budget.usage.dollars == pytest.approx(journal.ledger.used().dollars)
    assert journal.made(2).model == "m"
    assert journal.ledger.lost() == paid
    assert journal.ledger.prompt(2)[1] != "what a given-up model was asked"
    again = run(journal, Writers(), 10)
    assert again.usage.dollars == pytest.approx(journal.ledger.used().dollars)
