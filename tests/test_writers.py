"""Who writes: what a run with models is likely to cost, and what is refused before anything is asked."""

import pytest
import tiny

from evolve import catalog
from evolve.budget import Budget, Limit
from evolve.cases import split_cases
from evolve.models.spec import ModelSpec, Price
from evolve.proposers.deaf import Deaf
from evolve.proposers.llm import Llm
from evolve.proposers.mutate import Mutate
from evolve.proposers.tune import Tune
from evolve.search import Arm
from evolve.strategies import Strategy
from evolve.strategies.peers import BestOfN
from evolve.types import NO_USAGE, EvolveError, Miss, Outcome, Usage
from evolve.writers import Writing, estimate

DEAR = ModelSpec("dear", price=Price(3.0, 15.0))


@pytest.fixture
def cases(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path)))
    return problem, split_cases(problem, "train")


def writing(*models, **settings):
    return Writing(models or (DEAR,), **{"embedded": 0.0, **settings})


def test_the_most_a_question_can_cost_is_that_of_the_dearest_model():
    cheap = ModelSpec("cheap", price=Price(0.1, 0.2))
    assert writing(cheap, DEAR).most == Usage(12_000, 0, 16_000, pytest.approx(0.276))
    assert writing(DEAR, ModelSpec("x", base_url="http://h/v1")).most.dollars is None
    assert Writing().most == NO_USAGE


@pytest.mark.parametrize("dollars", [0.3, 0.5, 1.0, 5.0])
def test_the_estimate_is_what_the_budget_lets_through_at_the_typical_cost(cases, dollars):
    settings = writing()
    expected = estimate(settings, *cases, Limit(dollars=dollars))
    each = Usage(1000, 0, 1500, expected.dollars / expected.proposals)
    budget = Budget(Limit(dollars=dollars), lambda: 0.0, most=settings.most)
    asked = told = 0
    while True:
        if budget.affords():
            budget.begin(asked, settings.most)
            asked += 1
        elif told < asked:
            budget.end(Miss(told, Outcome.EMPTY, "", "llm", usage=each))
            told += 1
        else:
            break
    assert abs(asked - expected.proposals) <= 1


def test_a_budget_too_small_to_learn_from_is_called_small(cases):
    assert estimate(writing(), *cases, Limit(dollars=0.6)).few
    assert not estimate(writing(), *cases, Limit(dollars=2)).few
    assert estimate(Writing(), *cases, Limit(15)).few
    assert not estimate(Writing(), *cases, Limit(seconds=1)).few


@pytest.mark.parametrize(
    ("settings", "limit", "message"),
    [
        (writing(ModelSpec("x", base_url="http://h/v1")), Limit(dollars=1), "price of x is not known.*--price IN/OUT"),
        (writing(), Limit(dollars=0.2), r"can cost up to \$0.276 .*more than --dollars 0.2"),
        (writing(), Limit(tokens=20_000), "can use up to 28000 tokens, more than --tokens 20000"),
        (Writing(), Limit(dollars=1), "bound what models use; give --model"),
        (Writing(), Limit(tokens=1), "bound what models use; give --model"),
        (writing(ModelSpec("x", price=Price(0, 0))), Limit(dollars=1), "cost nothing, so --dollars would never end"),
    ],
)
def test_a_budget_that_cannot_be_kept_or_never_ends_is_refused(cases, settings, limit, message):
    with pytest.raises(EvolveError, match=message):
        estimate(settings, *cases, limit)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"embedded": 0.5}, "no model was named"),
        ({"models": (DEAR,), "embedded": 1.0}, "no model would be asked"),
        ({"models": (DEAR, DEAR), "embedded": 0.0}, "dear is named twice"),
        ({"models": (DEAR,), "embedded": 1.5}, "between 0 and 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(EvolveError, match=message):
        Writing(**settings)


def test_the_proposers_begin_with_the_shares_that_they_are_told(cases):
    class Two(Strategy):
        def arms(self):
            return [Arm(Mutate(), 3.0), Arm(Tune(), 1.0)]

    arms = writing(embedded=0.25).arms(*cases, Two())
    assert {arm.proposer.name: arm.weight for arm in arms} == {"mutate": 0.1875, "tune": 0.0625, "llm": 0.75}
    assert [arm.proposer.name for arm in Writing().arms(*cases, Two())] == ["mutate", "tune"]
    assert [arm.proposer.name for arm in writing().arms(*cases)] == ["llm"]


def test_a_run_is_the_same_run_wherever_its_model_is_reached_and_whatever_it_costs():
    here = ModelSpec("m", base_url="http://h:1/v1", price=Price(1, 2), key="A")
    assert writing(here).describe() == writing(ModelSpec("m", base_url="http://other/v1")).describe()
    assert writing(here).describe() != writing(ModelSpec("n")).describe()
    assert writing(here, answer_tokens=99).describe() != writing(here).describe()


def test_enough_turns_are_under_way_to_keep_all_calls_busy_and_a_person_gets_one_at_a_time():
    assert writing(concurrency=16).lag >= 2 * 16
    assert writing(concurrency=16, embedded=0.5).lag >= 4 * 16
    assert writing(ModelSpec("manual"), concurrency=1).lag == 1
    assert Writing().lag == 8


def test_a_strategy_says_what_the_proposer_that_asks_models_hears(cases):
    for strategy, kind in ((Strategy(), Llm), (BestOfN(), Deaf)):
        *_, asking = writing(embedded=0.5).arms(*cases, strategy)
        assert isinstance(asking.proposer, kind)
