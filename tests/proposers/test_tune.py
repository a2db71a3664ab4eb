"""Constants tuned by Optuna: ranges, what is left alone, resumption, and whether it helps."""

import logging
import math
import re
import subprocess
import sys
import warnings
from random import Random

import pytest
import tiny
from policies import MEMORY, POLICIES, REFERENCE, Few, baseline, failed, judged

from evolve import normal
from evolve.proposers.tune import Tune, around, dials, extended
from evolve.types import Proposal

TOY = "def choose(x):\n    margin = 2.0  # hours\n    return x * 3 + margin\n"


def toy_score(source):
    """Is 1 at margin 5.5 and factor 7, and falls off around them."""
    margin, factor = (float(found) for found in re.findall(r"(?:margin =|x \*) (\S+)", source))
    return 1 / (1 + abs(math.log(max(margin, 1e-9) / 5.5)) + abs(factor - 7) / 7)


def search(seed, evaluations=40):
    """Returns the tuner and the best score after some evaluations of the toy."""
    rng, tune, archive = Random(seed), Tune(), Few(baseline(0, TOY, toy_score(TOY)), parents=5)
    tune.tell(archive.best)
    for number in range(1, evaluations + 1):
        proposal = tiny.asked(tune, archive, rng)
        if proposal is not None:
            candidate = judged(number, proposal, toy_score(proposal.source))
            archive.add(candidate)
            tune.tell(candidate)
    return tune, archive


def by_chance(seed, evaluations=40):
    """Returns the best of values drawn from the ranges that the tuner has at the start."""
    rng, best = Random(seed), toy_score(TOY)
    margin, factor = around(2.0), around(3)
    for _ in range(evaluations):
        one = math.exp(rng.uniform(math.log(margin.low), math.log(margin.high)))
        two = rng.randint(int(factor.low), int(factor.high))
        best = max(best, toy_score(TOY.replace("2.0", f"{one:.3g}").replace("* 3", f"* {two}")))
    return best


def values(source):
    return dials(source).values


def test_forty_proposals_come_near_the_optimum_and_beat_chance():
    found = [search(seed)[1].best.score for seed in range(10)]
    chance = [by_chance(seed) for seed in range(10)]
    print(sorted(round(score, 3) for score in found), sorted(round(score, 3) for score in chance))
    assert sum(score > 0.85 for score in found) >= 7
    assert sum(found) > sum(chance)


@pytest.mark.parametrize("source", POLICIES)
def test_a_proposal_changes_constants_and_nothing_else(source):
    tune, archive = Tune(), Few(baseline(0, source))
    tune.tell(archive.best)
    for seed in range(40):
        proposal = tiny.asked(tune, archive, Random(seed))
        assert dials(proposal.source).skeleton == dials(source).skeleton
        assert normal.key(proposal.source) != normal.key(source)
        assert re.findall("#.*", proposal.source) == re.findall("#.*", source)
        assert (proposal.proposer, proposal.operator, proposal.parents) == ("tune", "near", (0,))
        assert re.match(r"line \d+: `[-.\de]+` becomes `[-.\de]+`", proposal.rationale)


def test_integers_stay_integers_and_other_numbers_are_short():
    _, archive = search(3)
    for candidate in archive:
        margin, factor = values(candidate.proposal.source)
        assert isinstance(factor, int)
        assert float(f"{margin:.3g}") == margin


def test_a_fresh_tuner_told_the_same_candidates_proposes_the_same():
    tune, archive = search(5, evaluations=25)
    resumed = Tune()
    for candidate in archive:
        resumed.tell(candidate)
    for seed in range(10):
        assert tiny.asked(tune, archive, Random(seed)) == tiny.asked(resumed, archive, Random(seed))


def test_candidates_of_other_proposers_count_as_trials():
    known = [TOY.replace("* 3", f"* {factor}") for factor in range(8)]
    tune, archive = Tune(), Few(baseline(0, TOY, toy_score(TOY)))
    for number, source in enumerate(known):
        tune.tell(judged(number, Proposal(source, "llm"), toy_score(source)))
    keys = set(map(normal.key, known))
    for seed in range(20):
        proposal = tiny.asked(tune, archive, Random(seed))
        assert proposal is not None
        assert normal.key(proposal.source) not in keys


def test_indices_counts_digits_exponents_and_identities_are_not_tuned():
    source = (
        "def choose(xs, n=4):\n"
        "    if n == 3:\n"
        "        return round(xs[0] ** 2, 1)\n"
        "    return sum(xs[i] for i in range(5)) * 1.5 if True else xs[1:2] - 7\n"
    )
    assert values(source) == (1.5, 7)


def test_signs_belong_to_their_numbers_and_constants_of_modules_and_classes_are_tuned():
    assert values(
        "LIMIT = -3\n\n\nclass Policy:\n    share = 0.5\n\n    def choose(self, x):\n        return x - -2\n"
    ) == (
        -3,
        0.5,
        -2,
    )
    assert 3 in values(MEMORY)
    assert 2 in values(REFERENCE)


@pytest.mark.parametrize(
    ("value", "whole", "log"),
    [(3, True, False), (600, True, True), (0, True, False), (-4, True, False), (0.2, False, True), (0.0, False, False)],
)
def test_ranges_hold_the_present_value_and_are_logarithmic_where_they_span_decades(value, whole, log):
    limits = around(value)
    assert limits.low < value < limits.high or value in (limits.low, limits.high)
    assert (limits.whole, limits.log) == (whole, log)
    assert limits.holds(value)
    assert value != 0 or limits.low == -limits.high
    limits.distribution()


@pytest.mark.parametrize("source", ["def choose(x):\n    return x\n", "def choose(:", "x = 1 +", "-" * 50_000 + "1"])
def test_nothing_to_tune_gives_none_and_no_error(source):
    tune, archive = Tune(), Few(baseline(0, source))
    tune.tell(archive.best)
    assert tiny.asked(tune, archive, Random(0)) is None


def test_an_empty_archive_gives_none():
    assert tiny.asked(Tune(), Few(), Random(0)) is None


def test_failed_candidates_are_no_trials():
    tune = Tune()
    tune.tell(failed(0, TOY))
    assert tiny.asked(tune, Few(baseline(1, TOY)), Random(0)) is not None


def test_optuna_neither_logs_nor_warns_and_keeps_its_level(capfd):
    import optuna

    level = optuna.logging.get_verbosity()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search(1, evaluations=20)
    assert not caught
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == level
    assert logging.getLogger("optuna").level == level


def test_optuna_is_imported_only_when_it_is_asked():
    code = "import sys; import evolve.proposers.tune; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_axes_shapes_and_steps_of_counters_are_no_dials():
    source = (
        "import numpy as np\n\n\ndef rebalance(load):\n    kept = np.zeros((4, 7))\n    total = load.sum(2) * 1.5\n"
        "    order = np.argsort(-total, axis=1)\n    count = np.tile(order + 9, (3, 1)).reshape(5, 8)\n"
        "    count += 1\n    return np.maximum(count, 6)\n"
    )
    assert values(source) == (1.5, 9, 6)


def test_constants_that_break_a_policy_are_turned_rarely():
    source = "FATAL = 3.0\nUSEFUL = 2.0\n\n\ndef choose(x):\n    return x * USEFUL + FATAL\n"
    tune, archive = Tune(), Few(baseline(0, source))
    tune.tell(archive.best)
    tune.tell(failed(1, source.replace("3.0", "4.0")))
    changed = [values(tiny.asked(tune, archive, Random(seed)).source) for seed in range(200)]
    assert sum(fatal != 3.0 for fatal, _ in changed) < 0.5 * sum(useful != 2.0 for _, useful in changed)


def test_extension_goes_on_in_the_direction_that_helped():
    trials = [((2.0, 5), 1.0), ((4.0, 7), 2.0)]
    for seed in range(20):
        rate, count = extended((4.0, 7), trials, Random(seed))
        assert rate > 4.0
        assert count > 7
    assert extended((4.0, 7), trials[1:], Random(1)) is None
