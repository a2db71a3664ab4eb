import itertools
import math
import random
from fractions import Fraction
from pathlib import Path

import pytest

from evaluators.prism.optimum import optimum
from evaluators.prism.problem import DENSITIES, Prism
from evaluators.prism.relaxation import relaxation
from evaluators.prism.simulator import Case, placed
from evolve import catalog
from evolve.cases import named_cases, split_cases
from evolve.judge import Judge
from evolve.judge.decision import check
from evolve.problem import InvalidDecision, Split
from evolve.standings import standings
from evolve.types import Verdict
from workloads.model_placements import MEMORY, Cluster, Model

SEEDS = Path(__file__).parents[2] / "seeds" / "prism"
PRISM = Prism()
GOLDEN = 0.897757808194  # the mean pressure of the reference on train
QUICK = ("reference", "greedy_resulting", "longest_processing_time", "round_robin")


def policy(name):
    names = {}
    exec((SEEDS / f"{name}.py").read_text(), names)
    return names["place"]


BASELINES = {file.stem: policy(file.stem) for file in sorted(SEEDS.glob("*.py"))}


def play(case, place):
    """Returns the metrics of a policy that runs in this process; its decision is checked as the judge does."""
    simulation = PRISM.simulate(case)
    call = next(simulation)
    with pytest.raises(StopIteration) as end:
        simulation.send(check(place(*call.arguments), call.returns))
    return end.value.value


def cluster(gpus, *models):
    return Cluster(gpus, tuple(Model(*model) for model in models))


def case(gpus, *models):
    return Case("tiny", cluster(gpus, *models))


def drawn(rng, gpus, models, sizes=(1, 40), rates=(1, 30), slos=(1, 10)):
    return cluster(gpus, *((rng.randint(*sizes), rng.randint(*rates), rng.randint(*slos)) for _ in range(models)))


def pressure(cluster, plan):
    """Returns the largest pressure of a plan recomputed as a fraction, or None where it is illegal."""
    loads, sizes = [Fraction(0)] * cluster.gpus, [0] * cluster.gpus
    for model, gpu in zip(cluster.models, plan, strict=True):
        loads[gpu] += Fraction(model.rate, model.slo)
        sizes[gpu] += model.size
    return None if max(sizes) >= 80 else max(load / (80 - size) for load, size in zip(loads, sizes, strict=True))


def best_of_all(cluster):
    """Returns the least largest pressure of every plan there is; None where none is legal."""
    plans = itertools.product(range(cluster.gpus), repeat=len(cluster.models))
    return min((p for plan in plans if (p := pressure(cluster, plan)) is not None), default=None)


TINY = case(2, (20, 6, 2), (30, 8, 4), (40, 5, 5), (10, 2, 4))  # loads 3, 2, 1, 0.5


# the simulator


def test_the_policy_is_asked_once_with_plain_values():
    call = next(PRISM.simulate(TINY))
    gpus, models = call.arguments
    assert (call.name, call.returns, gpus) == ("place", list[int], [80, 80])
    assert models[:2] == [{"size": 20, "rate": 6, "slo": 2}, {"size": 30, "rate": 8, "slo": 4}]


def test_a_plan_computed_by_hand():
    # GPU 0: loads 3 and 1 beside 20 and 40 GB: 4 / 20; GPU 1: loads 2 and 0.5 beside 30 and 10 GB: 2.5 / 40
    assert play(TINY, lambda gpus, models: [0, 1, 0, 1]) == {
        "pressure": 0.2,
        "mean_pressure": pytest.approx((0.2 + 0.0625) / 2),
        "least_pressure": 0.0625,
        "fullest_load": 4.0,
        "fullest_gb": 60,
        "fullest_models": 2,
        "near_fullest": 0.5,
    }


def test_an_empty_gpu_has_no_pressure_and_all_models_may_share_one():
    result = play(case(3, (20, 1, 1), (59, 1, 1)), lambda gpus, models: [2, 2])
    assert (result["pressure"], result["least_pressure"], result["fullest_models"]) == (2.0, 0.0, 2)


def test_of_equally_pressed_gpus_the_first_counts_as_the_fullest():
    result = play(case(2, (40, 2, 1), (60, 1, 1)), lambda gpus, models: [0, 1])
    assert (result["fullest_gb"], result["near_fullest"]) == (40, 1.0)


def test_the_pressure_does_not_depend_on_the_order_of_models():
    rng = random.Random(4)
    models = [(1, rng.randint(1, 30), rng.choice((3, 7, 9))) for _ in range(30)]
    results = []
    for _ in range(10):
        rng.shuffle(models)
        results.append(play(case(1, *models), lambda gpus, models: [0] * 30))
    assert all(result == results[0] for result in results)


def test_twice_the_requests_are_twice_the_pressure():
    rng = random.Random(5)
    one = drawn(rng, 4, 8, sizes=(1, 35))
    two = Cluster(4, tuple(Model(model.size, 2 * model.rate, model.slo) for model in one.models))
    for plan in ([0, 1, 2, 3, 3, 2, 1, 0], [0, 0, 1, 1, 2, 2, 3, 3]):
        results = [play(Case("tiny", each), lambda gpus, models, plan=plan: plan) for each in (one, two)]
        assert 2 * results[0]["pressure"] == results[1]["pressure"]
    assert 2 * optimum(one) == pytest.approx(optimum(two))
    assert 2 * relaxation(one) == pytest.approx(relaxation(two), rel=1e-6)


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        ([0, 0, 0, 0], r"GPU 0: its models take 100 GB; they must stay below 80 GB"),
        ([1, 0, 0, 0], r"GPU 0: its models take 80 GB; they must stay below 80 GB"),
        ([0, 1, 0], r"expected a GPU for each of the 4 models; got 3"),
        ([0, 1, 0, 1, 0], r"expected a GPU for each of the 4 models; got 5"),
        ([], r"expected a GPU for each of the 4 models; got 0"),
        ([0, 1, 2, 1], r"model 2: GPUs are 0 to 1; got 2"),
        ([0, -1, 0, 1], r"model 1: GPUs are 0 to 1; got -1"),
    ],
)
def test_an_illegal_plan_is_refused_with_the_reason(plan, complaint):
    with pytest.raises(InvalidDecision, match=complaint):
        play(TINY, lambda gpus, models: plan)


@pytest.mark.parametrize(
    "decision",
    [None, 0, "0101", [0, 1, 0, True], [0, 1, 0, 1.0], [0, 1, 0, None], [[0, 2], [1, 3]], {0: 0}, [0, 1, 0, 2**70]],
)
def test_what_is_no_plan_at_all_is_refused(decision):
    with pytest.raises(InvalidDecision):
        play(TINY, lambda gpus, models: decision)


@pytest.mark.parametrize(
    "impossible", [(0, (1, 1, 1)), (1,), (1, (80, 1, 1)), (1, (0, 1, 1)), (1, (1, 0, 1)), (1, (1, 1, 0))]
)
def test_an_impossible_case_is_refused(impossible):
    with pytest.raises(ValueError, match="tiny: "):
        case(*impossible)


# the bounds


def test_the_optimum_is_the_best_of_all_plans():
    rng = random.Random(6)
    for gpus, models in [(1, 3), (2, 5), (2, 8), (3, 6), (3, 7), (4, 5)] * 4:
        instance = drawn(rng, gpus, models)
        best = best_of_all(instance)
        if best is None:
            with pytest.raises(ValueError, match="do not fit"):
                optimum(instance)
        else:
            assert optimum(instance) == float(best)


def test_the_optimum_of_a_case_computed_by_hand():
    # loads 3 and 2 beside 50 GB: 5 / 30; the others beside 50 GB: 1.5 / 30; the same pairs crossed: 0.2 and 0.3
    assert optimum(TINY.cluster) == 5 / 30 == float(best_of_all(TINY.cluster))


def test_the_relaxation_is_below_the_optimum_and_not_far():
    rng = random.Random(7)
    shapes = [(2, 5), (3, 9), (4, 8), (4, 14), (6, 12), (5, 16), (8, 16)]
    shares = []
    for gpus, models in shapes * 25:
        most = max(2, 80 * gpus // models)
        instance = drawn(rng, gpus, models, sizes=(1, most), rates=(1, rng.choice((3, 30, 300))))
        try:
            shares.append(relaxation(instance) / optimum(instance))
        except ValueError:  # it does not fit
            continue
    assert len(shares) > 120
    assert max(shares) <= 1
    assert sum(shares) / len(shares) > 0.9


def test_the_relaxation_finds_what_two_large_models_to_a_gpu_need():
    # 3 models that cannot share a GPU below 20 / 40, on 2 GPUs; the mean alone would allow 30 / 100
    instance = cluster(2, (20, 10, 1), (20, 10, 1), (20, 10, 1))
    assert relaxation(instance) == pytest.approx(0.5, rel=1e-6)
    assert optimum(instance) == 0.5


def test_more_gpus_never_raise_a_bound():
    rng = random.Random(8)
    for _ in range(10):
        models = drawn(rng, 1, 9, sizes=(1, 25)).models
        for bound in (optimum, relaxation):
            bounds = [bound(Cluster(gpus, models)) for gpus in range(4, 10)]
            assert bounds == sorted(bounds, reverse=True)


def test_a_busier_or_larger_model_never_lowers_a_bound():
    rng = random.Random(9)
    for _ in range(10):
        first, *rest = drawn(rng, 4, 9, sizes=(1, 25)).models
        for worse in (Model(first.size + 5, first.rate, first.slo), Model(first.size, first.rate + 5, first.slo)):
            for bound in (optimum, relaxation):
                assert bound(Cluster(4, (worse, *rest))) >= bound(Cluster(4, (first, *rest)))


# the public instances

PUBLIC = PRISM.case_sets()["public"]


def published(pressures):
    return PRISM.summary([{"pressure": pressure} for pressure in pressures])["published score"]


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("reference", 21.8916),
        ("round_robin", 17.1713),
        ("greedy_resulting", 22.3385),
        ("longest_processing_time", 24.8634),
        ("local_search", 25.8152),
        ("annealing", 25.7917),
        ("multifit", 26.2332),
    ],
)
def test_baselines_on_the_public_instances(name, score):
    assert published(play(case, BASELINES[name])["pressure"] for case in PUBLIC) == pytest.approx(score, abs=5e-5)


def test_no_legal_plan_has_more_than_26_2560_on_the_public_instances_so_the_published_scores_are_of_illegal_ones():
    most = published(PRISM.bound(case) for case in PUBLIC)
    assert most == pytest.approx(26.2560, abs=5e-5)
    assert most < 26.37 < 30.52


def test_no_baseline_and_no_random_plan_is_below_the_optimum_of_a_public_instance():
    rng = random.Random(10)
    for case in PUBLIC:
        best = PRISM.bound(case) * (1 - 1e-12)
        assert all(play(case, place)["pressure"] >= best for place in BASELINES.values())
        assert all(descended(case.cluster, rng) >= best for _ in range(3))


def descended(cluster, rng):
    """Returns the pressure of a random plan after a plain descent over moves and swaps."""
    plan = BASELINES["round_robin"]([MEMORY] * cluster.gpus, [vars_of(model) for model in cluster.models])
    reached = float(pressure(cluster, plan))
    for _ in range(300):
        changed = plan.copy()
        one, other = rng.randrange(len(plan)), rng.randrange(len(plan))
        if rng.random() < 0.5:
            changed[one] = rng.randrange(cluster.gpus)
        else:
            changed[one], changed[other] = changed[other], changed[one]
        if max(gpu.size for gpu in placed(cluster, changed)) < MEMORY:
            after = max(gpu.pressure for gpu in placed(cluster, changed))
            if after <= reached:
                plan, reached = changed, after
    return reached


def vars_of(model):
    return {"size": model.size, "rate": model.rate, "slo": model.slo}


def test_the_optimum_of_the_smallest_public_instances_is_that_of_every_plan():
    """Every partition of ten models among five equal GPUs, by plain recursion."""
    smallest = [case.cluster for case in PUBLIC if case.cluster.gpus == 5][:3]
    assert len(smallest) == 3
    for instance in smallest:
        assert optimum(instance) == pytest.approx(plain_optimum(instance), rel=1e-12)


def plain_optimum(cluster):
    """Returns the least largest pressure by trying each model on each GPU and one empty GPU, in floats."""
    best = math.inf
    load, size = [0.0] * cluster.gpus, [0] * cluster.gpus

    def put(index, used):
        nonlocal best
        if index == len(cluster.models):
            best = min(best, max(x / (80 - y) for x, y in zip(load, size, strict=True)))
            return
        model = cluster.models[index]
        for gpu in range(min(used + 1, cluster.gpus)):
            if size[gpu] + model.size < 80:
                load[gpu] += model.rate / model.slo
                size[gpu] += model.size
                put(index + 1, max(used, gpu + 1))
                load[gpu] -= model.rate / model.slo
                size[gpu] -= model.size

    put(0, 0)
    return best


def test_the_summary_is_the_published_score_and_needs_nothing_but_the_pressure():
    assert PRISM.summary([{"pressure": 0.04}, {"pressure": 0.06}]) == {"published score": pytest.approx(21.0)}


def test_policies_are_scored_with_the_published_figures_of_the_reference_and_of_the_bound(sandbox):
    problem = catalog.load("prism")
    cases = named_cases(problem, "public")
    evaluation = Judge(cases, sandbox).evaluate(problem.baselines()[0].source)
    (standing,) = standings(problem, cases, ["reference"], [evaluation])
    assert standing.summary["published score"] == pytest.approx(21.8916, abs=5e-5)
    assert standing.bound.summary["published score"] == pytest.approx(26.2560, abs=5e-5)


# cases, splits and baselines


def every_split(secret="secret"):
    return {
        name: PRISM.cases(Split(name, secret if name == "test" else "")) for name in ("train", "validation", "test")
    }


def test_splits_and_named_sets_share_no_cluster():
    splits = every_split()
    assert {name: len(cases) for name, cases in splits.items()} == {"train": 24, "validation": 96, "test": 240}
    everything = [case.cluster for cases in [*splits.values(), *PRISM.case_sets().values()] for case in cases]
    assert len(set(everything)) == len(everything) == 24 + 96 + 240 + 12 + 50
    assert len({case.label for cases in splits.values() for case in cases}) == 360


def tightness(case):
    return sum(model.size for model in case.cluster.models) / (80 * case.cluster.gpus)


def test_every_split_has_the_same_mix_of_densities_sizes_and_scarcity():
    for cases in every_split().values():
        gpus = [case.cluster.gpus for case in cases]
        assert [gpus.count(count) * 24 // len(gpus) for count in (50, 100, 200)] == [21, 2, 1]
        for setting, density in enumerate(DENSITIES):
            own = [case for index, case in enumerate(cases) if index % 6 == setting]
            assert all(len(case.cluster.models) == round(case.cluster.gpus * density) for case in own)
            loosest, tightest = min(map(tightness, own)), max(map(tightness, own))
            assert loosest < 0.6 * density / (density + 1.5)
            assert tightest > 0.85 * density / (density + 1.5)


def test_another_secret_gives_other_sealed_cases_and_the_same_one_the_same():
    one, other = (PRISM.cases(Split("test", secret)) for secret in ("one", "other"))
    assert not {case.cluster for case in one} & {case.cluster for case in other}
    assert one == PRISM.cases(Split("test", "one"))


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_legal_on_every_split_and_never_beat_the_bound(name):
    for cases in every_split().values():
        for case in cases[:: 4 if name in QUICK else 8]:
            assert play(case, BASELINES[name])["pressure"] >= PRISM.bound(case) * (1 - 1e-12)


@pytest.mark.soak
@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_legal_under_many_secrets(name):
    for secret in range(9):
        for case in PRISM.cases(Split("test", f"secret {secret}")):
            assert play(case, BASELINES[name])["pressure"] >= PRISM.bound(case) * (1 - 1e-12)


def test_a_search_has_room_between_the_best_baseline_and_the_bound_and_the_greedy_far_above():
    cases = PRISM.cases(Split("train"))
    logs = {
        name: sum(math.log(play(case, BASELINES[name])["pressure"] / PRISM.bound(case)) for case in cases) / 24
        for name in ("reference", "multifit", "local_search", "annealing")
    }
    assert logs["reference"] > math.log(1.4)
    assert min(logs.values()) > math.log(1.02)


@pytest.mark.soak  # it measures CPU, and a busy machine computes slowly
def test_baselines_stay_far_from_the_limits_in_the_sandbox(sandbox):
    problem = catalog.load("prism")
    judge = Judge(split_cases(problem, "train"), sandbox)
    for baseline in problem.baselines():
        evaluation = judge.evaluate(baseline.source, confirm_above=0.0)
        assert evaluation.verdict is Verdict.OK, (baseline.name, evaluation.feedback)
        assert evaluation.confirmed


def test_the_reference_has_its_golden_pressure_on_train():
    pressures = [play(case, BASELINES["reference"])["pressure"] for case in PRISM.cases(Split("train"))]
    assert math.fsum(pressures) / 24 == pytest.approx(GOLDEN, rel=1e-9)


def test_feedback_says_what_presses_the_fullest_gpu_and_shows_no_plan():
    for case in [TINY, *PRISM.cases(Split("train"))[:6], PUBLIC[0]]:
        for place in BASELINES.values():
            line = PRISM.feedback(case, play(case, place))
            assert "\n" not in line
            assert len(line) < 300
    assert PRISM.feedback(TINY, play(TINY, lambda gpus, models: [0, 1, 0, 1])) == (
        "pressure 0.2, 20.0% above the bound; the fullest GPU has 2 models, load 4 (mean 3.25), 60 of 80 GB (mean 50): "
        "too busy and too full; 50% of GPUs within 5% of it, the least at 0.0625"
    )


def test_feedback_tells_a_gpu_that_is_too_busy_from_one_that_is_too_full():
    busy = PRISM.feedback(case(2, (10, 9, 1), (10, 1, 1)), play(case(2, (10, 9, 1), (10, 1, 1)), lambda g, m: [0, 1]))
    full = PRISM.feedback(case(2, (70, 3, 1), (10, 3, 1)), play(case(2, (70, 3, 1), (10, 3, 1)), lambda g, m: [0, 1]))
    both = PRISM.feedback(case(2, (70, 9, 1), (10, 3, 1)), play(case(2, (70, 9, 1), (10, 3, 1)), lambda g, m: [0, 1]))
    assert "too busy;" in busy
    assert "too full;" in full
    assert "too busy and too full;" in both
