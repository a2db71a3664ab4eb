"""What is asked for: baselines first, nothing twice, the same for the same seed and history."""

import os
import subprocess
import sys
from collections import Counter, deque
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import pytest
import tiny

from evolve import catalog
from evolve.archives.elite import Elite
from evolve.bandit import Lever, Yield
from evolve.cases import cases_of
from evolve.proposers import ONLY, Way
from evolve.proposers.mutate import Mutate
from evolve.racing.race import raced
from evolve.search import ATTEMPTS, TAKEN, Arm, Exhausted, Search
from evolve.statistics import geometric_mean
from evolve.strategies import HELPFUL
from evolve.strategies.ablations import WITH, Varied, mechanisms
from evolve.types import Baseline, Candidate, CaseResult, Evaluation, Miss, Outcome, Proposal, Usage, Verdict

BASELINES = [Baseline("reference", tiny.REFERENCE, "the one"), Baseline("zero", "def guess(x):\n    return 0\n")]


class Scripted:
    """Proposes what it was given."""

    trouble = ""

    def __init__(self, name, sources):
        self.name, self._sources, self.told = name, iter(sources), []

    def ways(self, idle):
        return {ONLY: 1.0}

    def propose(self, parent, archive, rng, way):
        source = next(self._sources)
        return None if source is None else Proposal(source, self.name)

    def hear(self, hint):
        pass

    def recall(self, made):
        pass

    def tell(self, told):
        self.told.append(told.number)


class Scribe(Scripted):
    """Keeps all that it was told."""

    def __init__(self):
        super().__init__("llm", constants())

    def tell(self, told):
        self.told.append(told)


def constants():
    return (f"def guess(x):\n    return {n}\n" for n in count(1))


def search(*proposers, seed=0):
    return Search(BASELINES, [Arm(proposer, 1.0) for proposer in proposers], Elite(), seed)


def play(searching, first, last):
    asked = []
    for number in range(first, last):
        proposal = searching.ask(number)
        asked.append(proposal)
        searching.tell(Candidate(number, proposal, tiny.made_up(proposal.source)))
    return asked


def test_baselines_are_asked_for_first_and_under_their_names():
    asked = play(search(Scripted("s", constants())), 0, 3)
    assert [proposal.proposer for proposal in asked] == ["baseline", "baseline", "s"]
    assert [(p.operator, p.rationale) for p in asked[:2]] == [("reference", "the one"), ("zero", "")]


def test_every_proposer_is_told_of_every_candidate():
    one, two = Scripted("one", constants()), Scripted("two", ("def f():\n    pass\n" for _ in count()))
    play(search(one, two), 0, 4)
    assert one.told == two.told == [0, 1, 2, 3]


def test_no_policy_is_asked_for_twice_not_even_in_another_layout():
    again = "def guess( value ):  # the same\n\n    return 5\n"
    asked = play(search(Scripted("s", ["def guess(x):\n    return 5\n", again, None, "def guess(x): return 6"])), 0, 4)
    assert [proposal.source[-2:] for proposal in asked[2:]] == ["5\n", " 6"]


def test_a_recalled_proposal_counts_as_asked_for():
    searching = search(Scripted("s", ["def guess(x):\n    return 5\n", "def guess(x):\n    return 6\n"]))
    play(searching, 0, 2)
    searching.recall(Proposal("def guess(y):\n    return 5\n", "s"))
    assert searching.ask(2).source.endswith("6\n")


def test_a_policy_that_came_again_is_as_little_asked_for_after_an_interruption():
    five, six = "def guess(x):\n    return 5\n", "def guess(x):\n    return 6\n"
    by_model = Proposal("def guess(value):\n    return 5\n", "llm", model="m")
    first, resumed = (search(Scripted("s", [*sources, six])) for sources in ([five, five], [five]))
    for searching in (first, resumed):
        play(searching, 0, 2)
    assert first.ask(3).source == five
    first.admit(2, by_model)
    again = first.admit(3, Proposal(five, "s"))
    assert again.outcome is Outcome.NOT_NEW
    resumed.recall(by_model)
    resumed.admit(2, by_model)
    resumed.recall(again)
    resumed.admit(3, again)
    assert first.ask(4) == resumed.ask(4)


def test_what_an_archive_raises_is_no_empty_archive():
    class Broken(Elite):
        def parent(self, rng):
            raise KeyError("mine")

    searching = Search(BASELINES, [Arm(Scripted("s", constants()), 1.0)], Broken(), 0)
    play(searching, 0, 2)
    with pytest.raises(KeyError, match="mine"):
        searching.ask(2)


def test_text_that_no_file_can_hold_is_not_asked_for():
    searching = search(Scripted("s", ["def guess(x):\n    return '\udc80'\n", "def guess(x):\n    return 6\n"]))
    play(searching, 0, 2)
    assert searching.ask(2).source.endswith("6\n")


def test_a_policy_that_does_not_parse_is_asked_for_once():
    searching = search(Scripted("s", ["def (", "def (", "def guess(x):\n    return 6\n"]))
    play(searching, 0, 2)
    assert [searching.ask(2).source, searching.ask(3).source[:9]] == ["def (", "def guess"]


@pytest.mark.parametrize("nothing", [None, tiny.REFERENCE], ids=["nothing", "nothing new"])
def test_proposers_without_anything_new_are_said_to_be_exhausted(nothing):
    searching = search(Scripted("s", [nothing] * ATTEMPTS))
    play(searching, 0, 2)
    with pytest.raises(Exhausted, match="anything new"):
        searching.ask(2)


def test_an_arm_is_asked_as_often_as_its_weight_says():
    sources = constants()
    heavy, light = Scripted("heavy", sources), Scripted("light", sources)
    searching = Search(BASELINES, [Arm(heavy, 3.0), Arm(light, 1.0)], Elite(), 0)
    play(searching, 0, 2)
    asked = [searching.ask(number).proposer for number in range(2, 402)]
    assert 0.68 < asked.count("heavy") / 400 < 0.82


def test_the_bar_is_the_best_score_told():
    searching = search(Scripted("s", constants()))
    assert searching.bar == 0.0
    for number, score in enumerate([1.0, None, 1.3, 1.2]):
        searching.tell(tiny.judged(number, score, source=f"{number}"))
    assert searching.bar == 1.3


def test_a_proposal_depends_on_seed_number_and_what_was_told_and_on_nothing_else():
    one, other = search(Mutate()), search(Mutate())
    asked = play(one, 0, 20)
    for number, proposal in enumerate(asked):  # told without being asked, as after an interruption
        other.recall(proposal)
        other.tell(Candidate(number, proposal, tiny.made_up(proposal.source)))
    assert one.ask(20) == other.ask(20)
    assert play(search(Mutate(), seed=1), 0, 20) != asked


# All parts of the default together

LAG, TURNS, CASES = 8, 200, 24
CUTS = (1, 2, 3, 9, 17, 60, 131, 180)


ALL = Varied(WITH + "+".join(name for name in mechanisms() if name not in HELPFUL))


@pytest.fixture
def made(tmp_path):
    """Returns searches that have every mechanism."""
    problem = catalog.load(str(tiny.write(tmp_path, changes=[("split.seeds(6)", f"split.seeds({CASES})")])))
    cases = cases_of(problem, "train")

    def made():
        racing = ALL.racing()
        racing.begin(cases, 5)
        return Search(BASELINES, ALL.arms(), ALL.archive(described), 5, ALL.chooser(), racing)

    return made


def described(metrics):
    return {"error": metrics["error"] / 20}


def judged(source, race):
    """Returns results that are a policy's own, alike among those that begin alike; some crash, some lose their race."""
    rng, family = Random(source), Random(source[:60])
    if rng.random() < 0.1:
        return Evaluation(Verdict.CRASHED, feedback="ZeroDivisionError", simulations=1)
    base = family.gauss(1.0, 0.05)
    ratios = [round(base + (rng.random() < 0.5) * rng.gauss(0, 0.05), 3) for _ in range(CASES)]
    results = tuple(CaseResult(f"case {n}", ratio, {"error": 10 / ratio}) for n, ratio in enumerate(ratios))
    whole = Evaluation(Verdict.OK, geometric_mean(ratios), results, "fair", 0.1, CASES, simulations=CASES)
    return (race and raced(race, whole, source)) or whole


def gone(searching, turns, known=()):
    """Returns what was asked, what it was raced against and what came of it; what is known is recalled."""
    found, under_way = [], deque()
    for number in range(turns):
        while len(under_way) >= LAG or (under_way and number == len(BASELINES)):
            searching.tell(under_way.popleft())
        proposal = known[number][0] if number < len(known) else searching.ask(number)
        if number < len(known):
            searching.recall(proposal)
        race = searching.race(number, proposal)
        assert searching.admit(number, proposal) == proposal
        evaluation = judged(proposal.source, race)
        under_way.append(Candidate(number, proposal, evaluation))
        found.append((proposal, race, evaluation))
    return found


def test_a_search_that_is_resumed_at_any_turn_goes_on_as_if_it_had_not_been_stopped(made):
    whole = gone(made(), TURNS)
    assert len(Counter(proposal.proposer for proposal, _, _ in whole)) >= 4
    assert Counter(evaluation.verdict for _, _, evaluation in whole)[Verdict.OUTRACED] > 5
    for cut in CUTS:
        assert gone(made(), min(cut + 40, TURNS), whole[:cut]) == whole[: cut + 40]


def test_what_is_asked_for_does_not_depend_on_the_order_of_sets():
    script = (
        "import test_search as t\n"
        "searching = t.Search(t.BASELINES, t.ALL.arms(), t.ALL.archive(t.described), 5, t.ALL.chooser())\n"
        "print([proposal.source for proposal, _, _ in t.gone(searching, 120)])"
    )
    command = [sys.executable, "-c", script]
    here = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    told = {
        subprocess.run(command, env=here | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


# What came of it


class Pupil:
    """A chooser that remembers what it was told."""

    def __init__(self):
        self.told = []

    def choose(self, weights, rng):
        return next(iter(weights))

    def tell(self, lever, yielded):
        self.told.append((lever, yielded))


def learning(*proposers):
    pupil = Pupil()
    return Search(BASELINES, [Arm(proposer, 1.0) for proposer in proposers], Elite(4), 0, pupil), pupil


def scored(number, score, simulations=2, **details):
    found = tiny.judged(number, score, f"def guess(x):\n    return {number}\n", **details)
    return replace(found, evaluation=replace(found.evaluation, simulations=simulations))


def test_a_new_best_is_worth_1_and_others_what_they_beat_of_the_archive():
    searching, pupil = learning(Scripted("mutate", constants()))
    for number, score in enumerate([1.0, 1.4, 1.2, 1.3, None, 0.5, 1.35]):
        searching.tell(scored(number, score))
    rewards = [yielded.reward for _, yielded in pupil.told]
    assert rewards == pytest.approx([1, 1, TAKEN / 3, TAKEN / 2, 0, 0, TAKEN / 2])


def test_turns_of_nobody_who_can_be_chosen_teach_nothing():
    searching, pupil = learning(Scripted("mutate", constants()))
    searching.tell(scored(0, 1.0, proposer="baseline"))
    assert pupil.told == []


def test_an_evaluation_costs_half_for_its_place_and_half_for_its_cases():
    searching, pupil = learning(Scripted("mutate", constants()))
    for number, simulations in enumerate((2, 1, 4)):  # of two cases; the last was judged twice
        searching.tell(scored(number, 1.0, simulations))
    assert [yielded.evaluations for _, yielded in pupil.told] == [1.0, 0.75, 1.0]


def test_what_a_model_did_is_told_of_its_way_and_a_turn_without_a_policy_costs_tokens_alone():
    searching, pupil = learning(Scripted("llm", constants()))
    used = Usage(10, 0, 5, 0.01)
    searching.tell(Miss(5, Outcome.NO_POLICY, "prose", "llm", "edit", model="m", usage=used))
    assert pupil.told == [(Lever("llm", Way("m", "edit")), Yield(0.0, 0.0, used))]


@pytest.mark.parametrize(("score", "came"), [(1.25, "whose score is 1.2500"), (None, "which is CRASHED")])
def test_a_policy_that_comes_again_is_answered_with_what_came_of_it(score, came):
    scribe = Scribe()
    searching, _ = learning(scribe)
    policy = Proposal("def guess(x):\n    return 5 * x\n", "llm", "edit", (0,), model="m")
    again = replace(policy, source="def guess(value):  # mine\n    return 5*value\n")
    assert searching.admit(7, policy) == policy
    miss = searching.admit(9, again)
    assert (miss.outcome, miss.message) == (
        Outcome.NOT_NEW,
        "the same policy as #7, apart from layout, comments and names",
    )
    searching.tell(Candidate(7, policy, tiny.evaluation(score)))
    searching.tell(miss)
    assert scribe.told[-1].message == f"{miss.message}, {came}"


@pytest.mark.parametrize(
    "message", ["the same policy as #7, apart", "the same policy as #70, apart from layout, comments and names"]
)
def test_a_message_that_names_no_candidate_is_told_as_it_is(message):
    scribe = Scribe()
    searching, _ = learning(scribe)
    searching.tell(scored(7, 1.2))
    searching.tell(Miss(9, Outcome.NOT_NEW, message, "llm", "edit", model="m"))
    assert scribe.told[-1].message == message


def test_what_is_changed_and_changed_back_is_not_asked_for_again():
    one, other = "def guess(x):\n    return 5\n", "def guess(x):\n    return 6\n"
    last = "def guess(x):\n    return 7\n"
    asked = play(search(Scripted("s", [one, other, one, other, last])), 0, 5)
    assert [proposal.source for proposal in asked[2:]] == [one, other, last]
