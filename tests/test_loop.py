"""The loop: what each proposal depends on, and that an interruption changes nothing."""

from random import Random

import pytest
import tiny

from evolve import loop
from evolve.archives.elite import Elite
from evolve.budget import Budget, Limit
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.proposers.mutate import Mutate
from evolve.search import Arm, Exhausted, Search
from evolve.types import Baseline, EvolveError, Proposal

HEADER = Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "mutate", "h", "now")
BASELINES = [
    Baseline("reference", tiny.REFERENCE),
    Baseline("steep", "def guess(x):\n    return 4 * x if x < 9 else 3\n"),
]


class Interrupted(BaseException):
    """What a kill is to the loop."""


class Flaky(Journal):
    """A journal that is interrupted at one of its writes, before or after it."""

    writes = 0
    interrupt_at = -1

    def _write(self, statement, *values):
        self.writes += 1
        if self.writes == self.interrupt_at:
            raise Interrupted
        super()._write(statement, *values)
        if self.writes == -self.interrupt_at:
            raise Interrupted


class Spy:
    """A search that notes how many were told at each question."""

    bar = 0.0

    def __init__(self, offers=10**9):
        self.told, self.told_at_ask, self._offers = [], [], offers

    def ask(self, number):
        if number >= self._offers:
            raise Exhausted("nothing new")
        self.told_at_ask.append(len(self.told))
        return Proposal(f"policy {number}", "spy")

    def race(self, number, made):
        return None

    def recall(self, made):
        pass

    def admit(self, number, made):
        return made

    def tell(self, candidate):
        self.told.append(candidate.number)


@pytest.fixture
def journal(tmp_path):
    with Journal.create(tmp_path / "journal.sqlite", HEADER) as journal:
        yield journal


def unlimited(evaluations):
    return Budget(Limit(evaluations), lambda: 0.0)


def searching(seed=3):
    return Search(BASELINES, [Arm(Mutate(), 1.0)], Elite(), seed)


def candidates(journal):
    return tiny.rows(journal.candidate(number) for number in range(journal.count()))


def whole_run(path, evaluations=40, executor=None, lag=loop.LAG):
    with Journal.create(path, HEADER) as journal:
        loop.run(searching(), executor or tiny.Guessing(), None, journal, unlimited(evaluations), warm_up=2, lag=lag)
        return candidates(journal)


@pytest.mark.parametrize("lag", [1, 3, 8])
def test_a_proposal_is_asked_for_when_exactly_those_up_to_its_number_minus_lag_were_told(journal, lag):
    spy = Spy()
    loop.run(spy, tiny.Guessing(Random(1)), None, journal, unlimited(30), warm_up=5, lag=lag)
    after_warm_up = spy.told_at_ask[5:]
    assert after_warm_up == [max(5, number - lag + 1) for number in range(5, 30)]
    assert spy.told == list(range(30))


def test_nothing_is_asked_for_before_the_warm_up_was_told(journal):
    spy = Spy()
    loop.run(spy, tiny.Guessing(Random(2)), None, journal, unlimited(12), warm_up=12, lag=20)
    loop.run(again := Spy(), tiny.Guessing(), None, journal, unlimited(13), warm_up=12, lag=20)
    assert again.told_at_ask == [12]


def test_a_run_is_the_same_in_whatever_order_judgements_end(tmp_path):
    in_order = whole_run(tmp_path / "a.sqlite")
    for seed in range(3):
        assert whole_run(tmp_path / f"{seed}.sqlite", executor=tiny.Guessing(Random(seed))) == in_order


def test_another_lag_is_another_run(tmp_path):
    assert whole_run(tmp_path / "a.sqlite", lag=1) != whole_run(tmp_path / "b.sqlite", lag=8)


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
def test_a_run_interrupted_at_any_write_goes_on_as_if_nothing_had_happened(tmp_path, after):
    evaluations = 14
    expected = whole_run(tmp_path / "whole.sqlite", evaluations)
    for write in range(1, 2 * evaluations + 1):
        path = tmp_path / f"{write}.sqlite"
        Journal.create(path, HEADER).close()
        first, second = tiny.Guessing(Random(write)), tiny.Guessing(Random(-write))
        with Flaky.open(path) as journal:
            journal.interrupt_at = -write if after else write
            with pytest.raises(Interrupted):
                loop.run(searching(), first, None, journal, unlimited(evaluations), warm_up=2)
            told = journal.count()
        with Journal.open(path) as journal:
            loop.run(searching(), second, None, journal, unlimited(evaluations), warm_up=2)
            assert candidates(journal) == expected
        assert len(second.tasks) == evaluations - told  # none that was told is judged again


def test_200_evaluations_mean_200(journal):
    executor = tiny.Guessing(Random(5))
    loop.run(Spy(), executor, None, journal, unlimited(200), warm_up=1)
    assert len(executor.tasks) == journal.count() == 200


def test_the_budget_in_seconds_ends_the_asking_and_what_was_asked_for_is_told(journal):
    now = iter(range(10**6))
    budget = Budget(Limit(seconds=60), lambda: float(next(now)))
    spy = Spy()
    assert loop.run(spy, tiny.Guessing(), None, journal, budget, warm_up=1) is None
    assert 0 < len(spy.told) == len(spy.told_at_ask) <= 60


def test_when_the_proposers_have_nothing_new_all_that_was_asked_for_is_told(journal):
    spy = Spy(offers=11)
    assert loop.run(spy, tiny.Guessing(Random(7)), None, journal, unlimited(100), warm_up=1).args == ("nothing new",)
    assert spy.told == list(range(11)) == list(range(journal.count()))


def test_what_stops_the_judge_stops_the_run_and_told_candidates_are_kept(journal):
    class Failing(tiny.Guessing):
        def submit(self, task):
            future = super().submit(task)
            if len(self.tasks) == 20:
                self._open.clear()
                future = type(future)(self)
                future.set_exception(EvolveError("the sandbox fell"))
            return future

    with pytest.raises(EvolveError, match="the sandbox fell"):
        loop.run(Spy(), Failing(), None, journal, unlimited(100), warm_up=1)
    assert journal.count() == 19
