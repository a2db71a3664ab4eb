import dataclasses
import hashlib

import numpy as np
import pytest

from workloads.model_placements import HOTTEST, MEMORY, Mix, Model, draw_cluster, draw_mix, public_clusters

MILD = Mix(density=4.0, tightness=0.4, size_spread=0.5, rate_spread=1.0, correlation=0.0)


def drawn(seed=1, gpus=50, **changes):
    return draw_cluster(gpus, dataclasses.replace(MILD, **changes), np.random.default_rng(seed))


def mixed(count=60):
    """Returns clusters of every density and scarcity that problems draw, with their mixes."""
    for seed in range(count):
        random = np.random.default_rng(seed)
        mix = draw_mix((3.0, 3.5, 4.0, 5.0, 8.0)[seed % 5], seed / (count - 1), random)
        yield mix, draw_cluster(50, mix, random)


def column(cluster, name):
    return np.array([getattr(model, name) for model in cluster.models])


def test_the_public_instances_are_drawn_as_the_published_evaluator_draws_them():
    np.random.seed(42)  # as the published evaluator does
    for cluster in public_clusters():
        assert cluster.gpus == np.random.randint(5, 10)
        assert len(cluster.models) == 2 * cluster.gpus
        for model in cluster.models:
            draws = np.random.randint(10, 30), np.random.randint(1, 10), np.random.randint(5, 10)
            assert (model.size, model.rate, model.slo) == draws


def test_the_public_instances_have_their_golden_values():
    clusters = public_clusters()
    numbers = [[c.gpus, *(getattr(m, name) for m in c.models for name in ("size", "rate", "slo"))] for c in clusters]
    assert len(clusters) == 50
    assert clusters[0].models[:2] == (Model(24, 8, 9), Model(16, 3, 7))
    assert hashlib.sha256(repr(numbers).encode()).hexdigest()[:16] == "c8029d1987b6696b"


def test_a_drawn_cluster_has_its_golden_values():
    models = drawn().models
    assert [len(models), sum(m.size for m in models), sum(m.rate for m in models), sum(m.slo for m in models)] == [
        200,
        1600,
        2661,
        1625,
    ]


def test_the_seed_determines_the_cluster():
    assert drawn(3) == drawn(3) != drawn(4)


def test_wherever_the_other_models_are_each_fits_on_some_gpu():
    for mix, cluster in mixed():
        size = column(cluster, "size")
        assert size.max() <= mix.largest
        assert size.sum() <= cluster.gpus * (MEMORY - mix.largest)


@pytest.mark.parametrize("seed", range(20))
def test_nobody_gets_stuck_who_fills_one_gpu_after_the_other(seed):
    _, cluster = list(mixed(20))[seed]
    free = [MEMORY] * cluster.gpus
    for index in np.random.default_rng(seed).permutation(len(cluster.models)):
        size = cluster.models[index].size
        free[next(gpu for gpu in range(cluster.gpus) if free[gpu] > size)] -= size


def test_sizes_take_the_share_of_memory_asked_for():
    for mix, cluster in mixed():
        share = column(cluster, "size").sum() / (MEMORY * cluster.gpus)
        assert mix.tightness - 0.02 < share <= mix.tightness
        assert len(cluster.models) == round(50 * mix.density)


def test_no_model_is_so_busy_that_it_decides_the_result_alone():
    for _, cluster in mixed():
        load, size = column(cluster, "rate") / column(cluster, "slo"), column(cluster, "size")
        mean = load.sum() / (MEMORY * cluster.gpus - size.sum())
        alone = load / (MEMORY - size)
        assert (alone[column(cluster, "rate") > 1] <= HOTTEST * mean * (1 + 1e-12)).all()


def test_a_few_models_get_most_requests_where_the_spread_is_large():
    def top_tenth(spread):
        rate = np.sort(column(drawn(gpus=200, rate_spread=spread), "rate"))
        return rate[-len(rate) // 10 :].sum() / rate.sum()

    assert top_tenth(0.4) < 0.25
    assert top_tenth(1.4) > 0.45


def test_busy_models_are_large_or_small_as_asked():
    for correlation in (-0.6, 0.6):
        cluster = drawn(gpus=200, correlation=correlation)
        measured = np.corrcoef(np.log(column(cluster, "size")), np.log(column(cluster, "rate")))[0, 1]
        assert abs(measured - correlation) < 0.15


def test_memory_is_tighter_where_it_is_scarcer():
    shares = [draw_mix(4.0, scarcity, np.random.default_rng(0)).tightness for scarcity in (0, 0.3, 0.7, 1)]
    assert shares == sorted(shares)
    assert shares[0] < 0.35
    assert shares[-1] > 0.7


@pytest.mark.parametrize("scarcity", [-0.1, 1.1])
def test_scarcity_is_a_share(scarcity):
    with pytest.raises(ValueError, match="between 0 and 1; got"):
        draw_mix(4.0, scarcity, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"tightness": 0.0}, "expected 0 < tightness < 1 <= density"),
        ({"density": 0.5}, "expected 0 < tightness < 1 <= density"),
        ({"correlation": 1.5}, r"a correlation within \[-1, 1\]"),
        ({"tightness": 0.81}, "4 models to a GPU leave no room to move at tightness 0.81"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        dataclasses.replace(MILD, **changes)
