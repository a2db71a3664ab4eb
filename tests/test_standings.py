"""How policies stand on a set of cases, and what a problem says of all cases together."""

import pytest
import tiny

from evolve.cases import CaseSet
from evolve.problem import Problem, ProblemError
from evolve.standings import Bound, standings
from evolve.types import CaseResult, Evaluation, Verdict


class Errors(Problem):
    """Write nothing."""

    name, objective = "errors", "error"

    def bound(self, case):
        return float(case)

    def summary(self, metrics):
        return {"inverse": len(metrics) / sum(case["error"] for case in metrics)}


def stand(problem, *errors, cases=(1, 2)):
    """Returns the standing of a policy with these errors; the reference has 4 on every case."""
    results = tuple(CaseResult(str(i), 4 / error, {"error": error, "other": 9}) for i, error in enumerate(errors))
    evaluation = Evaluation(Verdict.OK, 1.0, results) if errors else tiny.evaluation(None)
    return standings(problem, CaseSet(problem, "x", cases), ["mine"], [evaluation])[0]


def test_a_summary_is_of_all_cases_and_of_their_bounds():
    standing = stand(Errors(), 2.0, 4.0)
    assert standing.summary == {"inverse": 2 / 6}
    assert standing.bound == Bound(1.5, {"inverse": 2 / 3})
    assert (standing.mean, standing.gap) == (3.0, pytest.approx(2 / 5))


def test_a_problem_need_say_nothing_and_know_no_bound():
    class Silent(Errors):
        """Write nothing."""

        def bound(self, case):
            return None

        def summary(self, metrics):
            return {}

    standing = stand(Silent(), 2.0, 4.0)
    assert (standing.summary, standing.bound) == ({}, None)


def test_a_policy_without_a_score_has_no_summary():
    assert stand(Errors()).summary == {}


def test_a_summary_that_uses_more_than_the_objective_is_the_problems_fault():
    class Curious(Errors):
        """Write nothing."""

        def summary(self, metrics):
            return {"others": sum(case["other"] for case in metrics)}

    with pytest.raises(ProblemError, match=r"errors: `summary` failed: KeyError: 'other' \(test_standings.py, line"):
        stand(Curious(), 2.0, 4.0)


@pytest.mark.parametrize("said", [None, 3.0, {"figure": "high"}])
def test_a_summary_that_is_no_mapping_to_numbers_is_the_problems_fault(said):
    class Vague(Errors):
        """Write nothing."""

        def summary(self, metrics):
            return said

    with pytest.raises(ProblemError, match="errors: `summary` failed"):
        stand(Vague(), 2.0, 4.0)
