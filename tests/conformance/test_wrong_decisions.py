"""What a problem forgets to refuse is found, and what it rightly accepts is not held against it."""

import pytest
from conformance import problems
from conformance.problems import CAPACITY, CHECKED, NO_BOUND, ONLY_KNOWN_JOBS, PACK, PLAN, QUEUE, SMITH, UNCHECKED

from evolve.conformance.decisions import check_wrong_decisions
from evolve.conformance.finding import Status

SEEDS = (("smith", SMITH),)


def found(subject, status):
    return [(finding.found, finding.todo) for finding in check_wrong_decisions(subject) if finding.status is status]


def test_an_honest_plan_problem_refuses_every_wrong_plan(subject):
    (counts,) = check_wrong_decisions(subject(PLAN, seeds=SEEDS))
    assert counts.status is Status.OK
    assert counts.found.endswith("accepted, and none of these beats the bound")
    assert " 0 by the rules" not in counts.found


def test_an_honest_online_problem_has_nothing_to_fix(subject):
    assert found(subject(QUEUE), Status.FIX) == []


@pytest.mark.soak
def test_an_honest_problem_that_asks_for_several_plans_has_nothing_to_fix(subject):
    assert found(subject(PLAN, ("rounds = 1", "rounds = 3"), NO_BOUND), Status.FIX) == []


def test_a_scheduler_that_does_not_notice_missing_jobs_beats_its_bound(subject):
    fixes = found(subject(PLAN, (CHECKED, ONLY_KNOWN_JOBS), seeds=SEEDS), Status.FIX)
    missing = [todo for said, todo in fixes if said.startswith("beats the bound: one element missing, at call 1")]
    assert missing == [
        "raise InvalidDecision in `simulate` when elements are missing; if that is legal, `bound` is none"
    ]


def test_without_a_bound_it_is_better_than_every_baseline(subject):
    fixes = found(subject(PLAN, (CHECKED, ONLY_KNOWN_JOBS), NO_BOUND, seeds=SEEDS), Status.FIX)
    assert any(
        said.startswith("a wrong decision is accepted and better than every baseline: one element missing")
        for said, _ in fixes
    )
    todos = {todo for _, todo in fixes}
    assert "raise InvalidDecision in `simulate` when elements are missing" in todos
    assert "raise InvalidDecision in `simulate` when an element stands in place of another" in todos


def test_a_cheat_that_pays_only_when_repeated_at_every_call_is_found(subject):
    several = ("rounds = 1", "rounds = 3")
    fixes = found(subject(PLAN, (CHECKED, ONLY_KNOWN_JOBS), NO_BOUND, several), Status.FIX)
    assert any("element missing at every call from 1 on" in said for said, _ in fixes)


def test_a_plan_that_may_be_incomplete_is_no_cheat(subject):
    """Where baselines themselves leave jobs out, how many are left out is theirs to decide."""
    lazy = "def order(jobs):\n    return [job for job in range(len(jobs)) if jobs[job][1] > 30]\n"
    fixes = found(subject(PLAN, (CHECKED, ONLY_KNOWN_JOBS), NO_BOUND, seeds=(("lazy", lazy),)), Status.FIX)
    assert not any(said.startswith("a wrong decision is accepted") for said, _ in fixes)


def test_a_capacity_that_is_never_checked_is_found_without_a_bound(subject):
    ((said, todo),) = found(subject(PACK, (CAPACITY, "")), Status.FIX)
    assert said.startswith("accepted and far better than every baseline: its first element in place of all, at call 1")
    assert " times as good as the best baseline" in said
    assert "let a baseline decide like that" in todo


def test_an_honest_problem_with_a_capacity_has_nothing_to_fix_and_nothing_that_tempts(subject):
    (counts,) = check_wrong_decisions(subject(PACK))
    assert counts.status is Status.OK
    assert counts.found.endswith(
        "without a bound, what is too good can only be told by comparing it with the baselines"
    )


def test_what_is_a_little_too_good_is_for_a_person_to_look_at(subject):
    rent = ('{"bins": len(set(bins))}', '{"bins": 60 + len(set(bins))}')
    bad = subject(PACK, (CAPACITY, ""), rent)
    assert found(bad, Status.FIX) == []
    assert [said for said, _ in found(bad, Status.LOOK) if said.startswith("accepted and better than every baseline: ")]


def test_parts_that_are_put_together_are_found(subject):
    groups = (
        ("returns=list[int])", "returns=list[list[int]])\n        bins = numbered(sizes, bins)"),
        (
            "            return bins\n",
            "            return [[i for i in range(len(bins)) if bins[i] == b] for b in {*bins}]\n",
        ),
    )
    numbered = "def numbered(sizes, bins):\n    where = {i: at for at, held in enumerate(bins) for i in held}\n"
    numbered += "    return [where.get(i, -1) for i in range(len(sizes))]\n\n\nclass Pack("
    fixes = found(subject(PACK, (CAPACITY, ""), ("class Pack(", numbered), *groups), Status.FIX)
    assert any("all its parts put into one" in said for said, _ in fixes)


def test_an_objective_that_does_not_follow_from_the_decisions_is_to_be_mended(subject):
    fixes = found(subject(QUEUE, ("delay / len(case)", "7.0")), Status.FIX)
    assert [said for said, _ in fixes if "other decisions that were accepted changed 'delay'" in said]


def test_what_is_accepted_without_gain_is_for_a_person_to_look_at(subject):
    punished = (
        "delay += delayed(jobs, plan)",
        "delay += delayed(jobs, plan) + 1e9 * (sorted(plan) != list(range(len(jobs))))",
    )
    bad = subject(PLAN, (CHECKED, ONLY_KNOWN_JOBS), punished)
    assert found(bad, Status.FIX) == []
    looks = found(bad, Status.LOOK)
    assert any("one element missing" in said and "no baseline decides like that" in said for said, _ in looks)


def test_an_unknown_id_that_is_quietly_taken_for_another_is_seen(subject):
    bad = subject(QUEUE, (UNCHECKED, "            job = job if job in waiting else min(waiting)\n"))
    assert found(bad, Status.FIX) == []
    said = [said for said, _ in found(bad, Status.LOOK) if "no baseline decides like that" in said]
    assert [said.partition(": ")[2][:26] for said in said] == ["-1 in place of one number,"]


@pytest.mark.soak
def test_an_unknown_id_that_the_docstring_speaks_of_is_legal(subject):
    silent = (UNCHECKED, "            job = job if job in waiting else min(waiting)\n")
    documented = ("Return an id.", "Return an id, or -1 for the first, 2**62 for any and -2**63 for none.")
    looks = found(subject(QUEUE, silent, documented), Status.LOOK)
    assert not any("no baseline decides like that" in said for said, _ in looks)


def test_a_bound_that_is_none_is_beaten_by_another_legal_decision(subject):
    first_come = (
        "        play = self.simulate(case)\n        call = next(play)\n        try:\n            while True:\n"
        "                call = play.send(min(call.arguments[0]))\n"
        "        except StopIteration as end:\n            return end.value['delay']\n"
    )
    bound = ("    def twin(", f"    def bound(self, case):\n{first_come}\n    def twin(")
    ((said, todo),) = found(subject(QUEUE, bound), Status.FIX)
    assert said.startswith("beats the bound: ")
    assert todo.startswith("if that is legal, `bound` is none")


def test_unknown_ids_that_crash_a_simulator_are_a_bug_of_it(subject):
    (said, todo), *_ = found(subject(QUEUE, (UNCHECKED, "")), Status.FIX)
    assert said.startswith("the simulator fails with KeyError (problem.py, line ")
    assert "raise InvalidDecision" in todo
    fixes = found(subject(PLAN, (CHECKED, "")), Status.FIX)
    assert any("fails with IndexError" in said for said, _ in fixes)


def test_values_of_another_type_reach_a_simulator_that_takes_anything(subject):
    fixes = found(subject(PLAN, (", returns=list[int]", "")), Status.FIX)
    assert any("fails with TypeError" in said for said, _ in fixes)


def test_a_simulator_that_a_decision_can_make_hang_is_found_and_left(subject):
    bad = subject(QUEUE, (UNCHECKED, "            while job not in waiting:\n                pass\n"))
    (said, todo), *more = found(bad, Status.FIX)
    assert said.startswith("the simulator did not come back within 0.4 s when decided wrongly (")
    assert "so that every loop ends" in todo
    assert more == []


def test_a_simulator_that_returns_no_number_for_a_wrong_decision_is_found(subject):
    nothing = (
        '                raise InvalidDecision("every job must run once")\n',
        "                return {'delay': float('nan')}\n",
    )
    fixes = found(subject(PLAN, nothing), Status.FIX)
    assert any("returns a 'delay' that is not a finite number" in said for said, _ in fixes)


def test_a_slow_simulator_is_tried_for_so_long_only(subject):
    slow = subject(PLAN)
    times = iter([0.0, 0.0, 1.0, 25.0])
    object.__setattr__(slow, "clock", lambda: next(times))
    (counts,) = check_wrong_decisions(slow)
    assert "time was up" in counts.found


def test_the_honest_file_is_what_it_says(tmp_path):
    assert problems.write(tmp_path, PLAN).read_text(encoding="utf-8") == PLAN
