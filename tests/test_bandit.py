"""Who is asked: by weight while nothing is known, then those that bring more for what they cost."""

from collections import Counter, deque
from itertools import pairwise
from random import Random

import pytest

from evolve.bandit import DOUBT, FLOOR, MEMORY, Bandit, Fixed, Lever, Yield
from evolve.proposers import ONLY, Way
from evolve.types import Usage

GOOD, BAD, NEW = (Lever(name, ONLY) for name in ("good", "bad", "new"))
EVEN = {GOOD: 1.0, BAD: 1.0}


def shares(chooser, weights, draws=4000):
    chosen = Counter(chooser.choose(weights, Random(seed)) for seed in range(draws))
    return {lever: chosen[lever] / draws for lever in weights}


def told(chooser, *yields, turns=100):
    """Tells a chooser what its levers led to, in turn; each is a lever and its reward."""
    for number in range(turns):
        for lever, reward in yields:
            chooser.tell(lever, Yield(reward if number % 10 == 0 else 0.0, 1.0))
    return chooser


@pytest.mark.parametrize("chooser", [Fixed(), Bandit()])
def test_while_nothing_is_known_the_weights_decide(chooser):
    found = shares(chooser, {GOOD: 3.0, BAD: 1.0})
    assert found == pytest.approx({GOOD: 0.75, BAD: 0.25}, abs=0.03)


def test_what_brings_more_is_asked_more_often():
    found = shares(told(Bandit(), (GOOD, 1.0), (BAD, 0.2)), EVEN)
    assert found[GOOD] > 0.8


def test_what_never_brought_anything_keeps_its_share_of_the_floor():
    found = shares(told(Bandit(), (GOOD, 1.0), (BAD, 0.0), turns=2000), {GOOD: 1.0, BAD: 3.0})
    assert 0.75 * FLOOR - 0.02 < found[BAD] < 0.75 * FLOOR + 0.1


def test_levers_that_bring_the_same_are_asked_by_weight_however_rare_rewards_are():
    for reward in (1.0, 0.01, 0.0):
        found = told(Bandit(), (GOOD, reward), (BAD, reward)).rates(EVEN)
        assert found == pytest.approx({GOOD: 1.0, BAD: 1.0})


def test_a_lever_that_comes_late_begins_as_one_of_many():
    bandit = told(Bandit(), (GOOD, 1.0), (BAD, 0.2))
    rates = bandit.rates({**EVEN, NEW: 1.0})
    assert rates[BAD] < rates[NEW] == 1.0 < rates[GOOD]
    assert set(shares(bandit, {NEW: 1.0, BAD: 1.0})) == {NEW, BAD}  # the good one may be gone meanwhile


def test_half_an_evaluation_for_the_same_reward_is_twice_as_good():
    bandit = Bandit()
    for _ in range(3000):
        bandit.tell(GOOD, Yield(0.5, 0.5))
        bandit.tell(BAD, Yield(0.5, 1.0))
    rates = bandit.rates(EVEN)
    assert rates[GOOD] / rates[BAD] == pytest.approx(2, rel=0.05)


def model(name):
    return Lever("llm", Way(name, "edit"))


def asked(dollars_of_large):
    bandit = Bandit()
    for _ in range(3000):
        bandit.tell(model("small"), Yield(0.5, 1.0, Usage(1000, 0, 0, 0.01)))
        bandit.tell(model("large"), Yield(0.5, 1.0, Usage(3000, 0, 0, dollars_of_large)))
    rates = bandit.rates({model("small"): 1.0, model("large"): 1.0})
    return rates[model("small")] / rates[model("large")]


def test_the_average_question_costs_an_evaluation_and_others_by_their_dollars():
    assert asked(0.09) == pytest.approx((1.1 + 0.9 * 1.8) / (1.1 + 0.9 * 0.2), rel=0.05)


def test_where_a_price_is_not_known_tokens_decide():
    assert asked(None) == pytest.approx((1.1 + 0.9 * 1.5) / (1.1 + 0.9 * 0.5), rel=0.05)


def test_models_that_cost_nothing_are_told_apart_by_what_they_bring():
    bandit = Bandit()
    for _ in range(50):
        bandit.tell(model("small"), Yield(0.0, 1.0, Usage(1000)))
        bandit.tell(model("large"), Yield(0.5, 1.0, Usage(3000)))
    rates = bandit.rates({model("small"): 1.0, model("large"): 1.0})
    assert rates[model("large")] > 1 > rates[model("small")]


def test_an_answer_that_held_nothing_costs_its_question_alone():
    bandit = Bandit()
    for _ in range(3000):
        bandit.tell(model("useless"), Yield(0.0, 0.0, Usage(1000)))
        bandit.tell(GOOD, Yield(0.5, 1.0))
    assert bandit.rates({model("useless"): 1.0})[model("useless")] < 0.05


def test_a_free_model_that_is_of_no_use_is_found_out_beside_one_that_is_paid():
    bandit = Bandit()
    for _ in range(3000):
        bandit.tell(model("free"), Yield(0.0, 0.0, Usage(1000)))
        bandit.tell(model("paid"), Yield(0.5, 1.0, Usage(1000, 0, 0, 0.01)))
    assert bandit.rates({model("free"): 1.0})[model("free")] < 0.25


def test_what_was_good_long_ago_is_forgotten():
    bandit = told(Bandit(), (GOOD, 1.0), (BAD, 0.2))
    before = bandit.rates(EVEN)
    told(bandit, (GOOD, 0.0), (BAD, 0.2), turns=400)
    after = bandit.rates(EVEN)
    assert before[GOOD] > before[BAD]
    assert after[GOOD] < after[BAD]


def test_fifty_thousand_turns_change_neither_cost_nor_proportions():
    bandit = Bandit()
    found = []
    for number in range(60_000):
        bandit.tell((GOOD, BAD)[number % 2], Yield(0.1 * (number % 2 == 0), 1.0))
        if number % 6000 == 5999:
            found.append(bandit.rates(EVEN)[BAD])
    assert all(one == pytest.approx(other, rel=0.01) for one, other in pairwise(found))
    assert found[0] == pytest.approx(DOUBT / (DOUBT + 0.05 / (1 - MEMORY) / 2), rel=0.1)


def test_the_same_told_and_drawn_is_the_same_choice():
    one, other = (told(Bandit(), (GOOD, 1.0), (BAD, 0.2)) for _ in range(2))
    assert [one.choose(EVEN, Random(n)) for n in range(50)] == [other.choose(EVEN, Random(n)) for n in range(50)]


def gain(chooser, seed, turns=300, lag=8):
    """Returns the new bests to be expected of levers that lead to one in up to 8% of turns, and ever more rarely."""
    rng, chances = Random(seed), {Lever(str(n), ONLY): chance for n, chance in enumerate((0.002, 0.01, 0.04, 0.08))}
    under_way, found = deque(), 0.0
    for turn in range(turns):
        if len(under_way) == lag:
            chooser.tell(*under_way.popleft())
        lever = chooser.choose(dict.fromkeys(chances, 1.0), rng)
        chance = chances[lever] * 0.25 ** (turn / turns)
        found += chance
        under_way.append((lever, Yield(float(rng.random() < chance), 1.0)))
    return found


def test_it_finds_more_than_fixed_weights_though_rewards_are_rare_late_and_ever_rarer():
    found = [sum(gain(kind(), seed) for seed in range(30)) for kind in (Bandit, Fixed)]
    assert found[0] > 1.25 * found[1]


def test_what_models_cost_is_remembered_however_many_turns_there_were():
    cheap, dear = Lever("llm", Way("small", "edit")), Lever("llm", Way("large", "edit"))
    bandit = Bandit()
    rates = []
    for number in range(60_000):  # many times more than the memory of it reaches
        for lever, dollars in ((cheap, 0.01), (dear, 0.1)):
            bandit.tell(lever, Yield(float(number % 10 == 0), 1.0, Usage(100, 0, 100, dollars)))
        if number in (5_005, 59_995):
            rates.append(bandit.rates({cheap: 1.0, dear: 1.0}))
    assert rates[0] == pytest.approx(rates[1])
    assert rates[0][cheap] > 1.2 * rates[0][dear]
