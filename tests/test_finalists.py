"""Validation chooses among those that lead on train."""

import pytest
import tiny

from evolve.finalists import FINALISTS, choose, finalists, leader
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.types import EvolveError, Proposal

HEADER = Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "mutate", "h", "now")


@pytest.fixture
def journal(tmp_path):
    with Journal.create(tmp_path / "journal.sqlite", HEADER) as journal:
        yield journal


def fill(journal, *scores, baselines=1, parent=None):
    """Each candidate descends from a baseline, the next one for the next, or from ``parent``."""
    for number, score in enumerate(scores):
        parents = () if number < baselines else (number % baselines if parent is None else parent,)
        proposer = "mutate" if parents else "baseline"
        journal.propose(number, Proposal(f"policy {number}", proposer, parents=parents))
        journal.record(number, tiny.evaluation(score), 1.0)


class Validation(tiny.Guessing):
    """Gives the scores it was told to."""

    def __init__(self, scores):
        super().__init__()
        self._scores = scores

    def settle(self):
        for task, future in self._open:
            future.set_result(tiny.evaluation(self._scores[int(task.source.split()[1])]))
        self._open.clear()


def test_finalists_lead_each_lineage_or_led_it_when_the_run_was_half_as_long_and_the_best_baseline_is_one(journal):
    fill(journal, 1.0, 0.9, 0.8, 0.7, *(2 + n / 10 for n in range(16)), None, baselines=4)
    assert finalists(journal) == [*range(19, 11, -1), 9, 8, 7, 6, 0]
    assert len(finalists(journal)) == FINALISTS + 1


def test_finalists_do_not_behave_alike(journal):
    fill(journal, 1.0, 1.5, 1.5, 1.5, 1.4, 1.4)
    assert finalists(journal) == [1, 4, 0]


def test_one_lineage_does_not_take_every_place_nor_its_end(journal):
    fill(journal, 1.0, 0.9, *(2 + n / 10 for n in range(10)), 1.1, baselines=2, parent=1)
    journal.propose(13, Proposal("policy 13", "mutate", parents=(0,)))
    journal.record(13, tiny.evaluation(1.2), 1.0)
    assert finalists(journal) == [*range(11, 1, -1), 13, 12, 0]


def test_a_baseline_that_leads_is_a_finalist_once(journal):
    fill(journal, 1.0, 3.0, 2.0, baselines=2)
    assert finalists(journal) == [1, 2, 0]


def test_the_best_on_validation_wins_alone_on_each_case(journal):
    fill(journal, 1.0, 1.5, 1.4, 1.3)
    executor = Validation([1.0, 1.1, 1.2, None])
    assert choose(journal, executor) == leader(journal) == 2
    assert all(task.confirm_above == 0.0 and task.cases == "validation" for task in executor.tasks)


def test_of_equals_the_earliest_wins(journal):
    fill(journal, 1.0, 1.5, 1.4)
    assert choose(journal, Validation([1.0, 1.2, 1.2])) == 1
    assert choose(journal, Validation([])) == 1


def test_a_search_that_found_nothing_better_than_a_baseline_says_so(journal):
    fill(journal, 1.0, 1.5, 1.4)
    assert choose(journal, Validation([1.3, 1.2, None])) == 0


def test_what_the_journal_holds_is_not_judged_again(journal):
    fill(journal, 1.0, 1.5)
    journal.record(0, tiny.evaluation(1.0), 1.0, "validation")
    executor = Validation([None, 1.1])
    choose(journal, executor)
    assert [task.source for task in executor.tasks] == ["policy 1"]
    choose(journal, executor)
    assert len(executor.tasks) == 1


def test_before_validation_the_best_on_train_leads(journal):
    fill(journal, 1.0, 1.5, 1.4)
    assert leader(journal) == 1


def test_when_every_finalist_fails_on_validation_the_best_on_train_stays(journal):
    fill(journal, 1.0, 1.5, 1.4)
    assert choose(journal, Validation([None, None, None])) == 1


def test_a_run_without_any_score_has_no_best(journal):
    fill(journal, None, None)
    with pytest.raises(EvolveError, match="no candidate of this run has a score"):
        choose(journal, Validation([]))
