"""What the sealed cases say of the best of a run."""

import pytest
import tiny

from evolve import catalog
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.journal.rows import Seal
from evolve.problem import ProblemError
from evolve.report import proof
from evolve.standings import gap
from evolve.types import Baseline, EvolveError, Proposal
from evolve.verify import verify

HEADER = Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "mutate", "hash", "now")
BETTER = "def guess(x):\n    return 3 * x + 0.5\n"
CONSTANT = "def guess(x):\n    return 1\n"


@pytest.fixture
def journal(tmp_path):
    with Journal.create(tmp_path / "journal.sqlite", HEADER) as journal:
        yield journal


@pytest.fixture
def verified(tmp_path, journal, sandbox):
    """Runs through a journal of the baselines and other policies, and verifies its best."""

    def verified(*others, changes=(), baselines=(), more=False, verifying=True):
        problem = catalog.load(str(tiny.write(tmp_path, changes=changes)))
        known = [*problem.baselines(), *(Baseline(f"baseline {i}", source) for i, source in enumerate(baselines))]
        problem.baselines = lambda: known  # instead of files in seeds/
        executor = tiny.Inline(problem, sandbox)
        sources = [*(baseline.source for baseline in known), *others]
        for number, source in enumerate(sources):
            journal.propose(number, Proposal(source, "baseline" if number < len(known) else "mutate", "op"))
            task = tiny.Task(source)
            journal.record(number, executor.submit(task).result(), 1.0)
        executor.tasks.clear()
        if not verifying:
            return None, "", executor, problem
        result = verify(problem, journal, executor, "secret")
        said = proof.conclusion(problem, result)
        return (result, said, executor, problem) if more else (result, said, executor.tasks)

    return verified


def test_reference_best_baseline_and_best_found_are_judged_on_the_sealed_cases_alone_on_each(verified, journal):
    result, conclusion, tasks = verified(CONSTANT, BETTER, baselines=["def guess(x):\n    return 2.5 * x\n"])
    assert [standing.name for standing in result.standings] == ["reference", "baseline 0", "#3"]
    assert result.number == 3
    assert result.found.evaluation.score > result.standings[result.best_baseline].evaluation.score > 1
    assert result.best_baseline == 1
    assert result.trains[-1] == result.train.score == journal.evaluation(3).score
    sealed = [task for task in tasks if task.cases == "test"]
    assert len(sealed) == 3
    assert all(task.confirm_above == 0.0 and task.secret == "secret" for task in sealed)
    assert [(duel.better, duel.equal, duel.worse) for duel in result.duels] == [(6, 0, 0), (6, 0, 0)]
    assert "beats every baseline" in conclusion
    assert journal.evaluation(3, "test").score == result.found.evaluation.score


def test_the_share_of_the_gap_closed_is_on_totals_between_reference_and_bound(verified):
    result, _, _ = verified(BETTER)
    assert result.mean_bound == 1
    reference, found = result.standings[0].mean, result.found.mean
    assert found == pytest.approx(1.5)
    assert result.found.gap == pytest.approx((reference - found) / (reference - 1))
    assert result.standings[0].gap == 0


def test_a_problem_without_a_bound_has_no_gap(verified):
    result, _, _ = verified(BETTER, changes=[("return 1\n", "return None\n")])
    assert result.mean_bound is None
    assert [standing.gap for standing in result.standings] == [None, None]


def test_a_verification_says_in_words_on_how_many_cases_it_is_better(verified):
    result, _, _ = verified("def guess(x):\n    return 2.4 * x + 1\n")
    (duel,) = result.duels
    assert duel.better
    assert duel.worse
    assert f"better than the reference on {duel.better} of 6 sealed cases, worse on {duel.worse}" in proof.words(result)


def test_a_best_found_that_fails_or_is_a_baseline_is_not_praised(verified):
    assert proof.words(verified(CONSTANT, baselines=[BETTER])[0]) == []


def test_the_best_found_is_tried_under_every_condition_on_cases_of_the_same_secret(verified, journal):
    better_on_small = "def guess(x):\n    if x > 400:\n        return 2 * x\n    return 3 * x\n"
    _, _, executor, problem = verified(better_on_small, changes=[tiny.CONDITIONS], more=True, verifying=False)
    result = verify(problem, journal, executor, "secret", conditions=True)
    assert [(each.name, each.cases) for each in result.conditions] == [("size=small", 12), ("size=large", 12)]
    tried = [task for task in executor.tasks if task.cases.startswith("test:")]
    assert {(task.secret, task.confirm_above) for task in tried} == {("secret", 0.0)}
    assert len(tried) == 4  # the reference is the best baseline, and is judged once a setting
    said = proof.words(result)
    assert any(line.startswith("worse than the reference under size=large") for line in said)
    assert "ahead of the reference under every setting of size" not in said


def test_conditions_are_no_part_of_a_proof_that_nobody_asked_them_of(verified):
    result, _, tasks = verified(BETTER, changes=[tiny.CONDITIONS])
    assert result.conditions == ()
    assert {task.cases for task in tasks} == {"validation", "test"}


def test_the_smallest_diff_is_judged_beside_the_best_and_counts_as_a_policy(verified, journal):
    _, _, executor, problem = verified(BETTER, more=True, verifying=False)
    smallest = "def guess(x):\n    return 3 * x\n"
    result = verify(problem, journal, executor, "secret", minimised=lambda number: smallest)
    assert result.minimised.standing.evaluation.score > result.found.evaluation.score
    assert result.minimised.whole.better == 6
    assert len([task for task in executor.tasks if task.cases == "test"]) == 3
    assert result.minimised.covered
    again = verify(problem, journal, executor, "secret", minimised=lambda number: smallest)
    assert not again.minimised.covered  # for all that is known it was made after the first one
    assert verify(problem, journal, executor, "secret").minimised is None


def test_nothing_of_the_sealed_cases_can_be_read_before_the_journal_says_that_they_are_known(verified, journal):
    _, _, executor, problem = verified(BETTER, more=True, verifying=False)
    known = []
    record = journal.record
    journal.record = lambda number, *rest: (known.append((rest[-1], journal.seal().turns)), record(number, *rest))
    verify(problem, journal, executor, "secret")
    assert {turns for cases, turns in known if cases == "test"} == {2}


def test_where_more_is_better_the_same_holds(verified):
    changes = [
        ('"error", "minimize"', '"gain", "maximize"'),
        ('{"error": 1 + abs(guess - 3 * x)}', '{"gain": 100 / (1 + abs(guess - 3 * x))}'),
        ("        return 1\n", "        return 100\n"),
    ]
    result, conclusion, _ = verified(BETTER, changes=changes)
    assert result.found.evaluation.score > 1
    assert result.found.mean == pytest.approx(100 / 1.5)
    assert 0 < result.found.gap < 1
    assert result.mean_bound == 100
    assert "beats every baseline" in conclusion


def test_on_a_single_case_nothing_is_claimed(verified):
    result, conclusion, _ = verified(BETTER, changes=[("seeds(6)", "seeds(1)")])
    assert result.cases == 1
    assert result.found.evaluation.score > 1
    assert "not shown to beat reference" in conclusion


def test_when_the_best_found_is_a_baseline_that_is_said(verified):
    result, conclusion, tasks = verified(CONSTANT, baselines=[BETTER])
    assert (result.number, result.baseline) == (1, "baseline 0")
    assert "found nothing better than the baseline 'baseline 0'" in conclusion
    assert len([task for task in tasks if task.cases == "test"]) == 2  # not judged twice
    assert result.standings[-1].evaluation == result.standings[1].evaluation


def test_a_lead_on_too_few_cases_is_not_called_a_victory(verified):
    better_on_few = (
        "def guess(x):\n    if x > 60:\n        return 3 * x\n"
        "    if x > 40:\n        return 2.5 * x + 1\n    return 2 * x + 1\n"
    )
    _, conclusion, _ = verified(better_on_few, changes=[("seeds(6)", "seeds(90)"), ("seed % 97", "seed % 66")])
    assert "differs from reference on" in conclusion
    assert "too few to be sure" in conclusion


def test_with_the_reference_alone_it_is_the_best_baseline(verified):
    result, conclusion, _ = verified()
    assert (result.number, result.baseline, result.best_baseline) == (0, "reference", 0)
    assert "nothing better than the baseline 'reference'" in conclusion


def test_a_best_found_that_fails_on_sealed_cases_has_no_duels_and_the_failure_is_said(verified):
    fails = (  # the problem's test cases are made to be above 1000
        [("[1 + seed % 97 for", "[1 + seed % 97 + 1000 * (split.name == 'test') for")],
        "def guess(x):\n    if x > 1000:\n        return -x\n    return 3 * x\n",
    )
    result, conclusion, _ = verified(fails[1], changes=fails[0])
    assert result.found.evaluation.verdict == "INVALID"
    assert result.duels == ()
    assert "is INVALID on the sealed cases" in conclusion
    assert "below zero" in conclusion


def test_a_baseline_that_fails_on_sealed_cases_has_no_duel_but_is_named(verified):
    fails = "def guess(x):\n    if x > 1000:\n        return -x\n    return 2.9 * x\n"
    changes = [("[1 + seed % 97 for", "[1 + seed % 97 + 1000 * (split.name == 'test') for")]
    result, _, _ = verified(BETTER, changes=changes, baselines=[fails])
    assert [duel.baseline for duel in result.duels] == ["reference"]
    assert result.standings[1].evaluation.verdict == "INVALID"
    assert result.best_baseline == 0


def test_every_use_of_the_sealed_cases_is_counted_before_it_happens(verified, journal):
    result, _, _ = verified(BETTER)
    assert (result.uses, result.uses_after_reveal, result.covered) == (1, 0, True)
    assert journal.seal() == Seal(1, 0, 2)
    assert (result.secret, result.secret_hash) == ("secret", "hash")


def test_a_second_proof_says_that_the_cases_were_known_and_not_that_the_policy_was_made_for_them(verified, journal):
    _, _, executor, problem = verified(BETTER, more=True)
    again = verify(problem, journal, executor, "secret")
    assert (again.uses, again.uses_after_reveal, again.covered) == (2, 1, True)
    said = "used 2 times by now, 1 of them after the secret had been revealed; this policy was found before that"
    assert proof.uses(again) == said
    assert again.proved
    assert "beats every baseline" in proof.conclusion(problem, again)


def test_a_policy_that_was_found_after_the_secret_had_been_revealed_is_not_proved(verified, journal):
    _, _, executor, problem = verified(CONSTANT, more=True)
    found_later = "def guess(x):\n    return 3 * x\n"
    journal.propose(2, Proposal(found_later, "mutate", "op"))
    journal.record(2, executor.submit(tiny.Task(found_later)).result(), 2.0)
    result = verify(problem, journal, executor, "secret")
    assert (result.number, result.uses, result.uses_after_reveal, result.covered) == (2, 2, 1, False)
    conclusion = proof.conclusion(problem, result)
    assert "#2, is ahead of every baseline, but was found after an earlier `evolve verify` had revealed" in conclusion
    assert "no proof" in conclusion
    assert not result.unbeaten
    assert not result.proved
    assert proof.uses(result).endswith("this policy was found after that")


def test_a_proof_that_failed_before_its_end_is_a_use_that_revealed_nothing(verified, journal):
    class Failing(tiny.Inline):
        def submit(self, task):
            if task.cases == "test":
                raise EvolveError("the sandbox fell")
            return super().submit(task)

    _, _, executor, problem = verified(BETTER, more=True, verifying=False)
    executor.__class__ = Failing
    with pytest.raises(EvolveError, match="the sandbox fell"):
        verify(problem, journal, executor, "secret")
    assert journal.seal() == Seal(1, 0, None)


def test_a_run_without_any_score_cannot_be_verified(tmp_path, journal, sandbox):
    problem = catalog.load(str(tiny.write(tmp_path)))
    with pytest.raises(EvolveError, match="no candidate of this run has a score"):
        verify(problem, journal, tiny.Inline(problem, sandbox), "secret")
    assert journal.seal() == Seal(0, 0, None)


def test_a_bound_that_a_policy_beats_is_a_fault_of_the_problem(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path)))
    with pytest.raises(ProblemError, match="`bound` says that no policy reaches better than 50"):
        gap(problem, tiny.evaluation(1.0), [50.0, 50.0])
