"""The problem on a table of a scripted bench: its times are a formula's and say nothing about a GPU."""

import json
import math
import os
import random
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from scripted_bench import A100_LIKE, DEVICE, SMALL, ScriptedBench, formula

from evaluators.gemm_tiles import replay
from evaluators.gemm_tiles.problem import GemmTiles, shown
from evaluators.gemm_tiles.replay import Case, plan, shape_of
from evaluators.gemm_tiles.space import KEYS, Tiles, legal, why_illegal
from evaluators.gemm_tiles.words import account
from evaluators.gpu import store
from evaluators.gpu.bench import GpuError, Status, Timing
from evaluators.gpu.live import Live
from evaluators.gpu.sweep import sweep
from evaluators.gpu.table import Row, TableError
from evolve import catalog
from evolve.cases import named_cases, split_cases
from evolve.conformance import audit
from evolve.judge import Judge
from evolve.judge.decision import check
from evolve.problem import InvalidDecision, ProblemError, Split, Unready
from evolve.report.check import describe
from evolve.standings import standings
from evolve.types import Verdict
from workloads.llm_layers import PRODUCTS, Product

SEEDS = Path(__file__).parents[2] / "seeds" / "gemm_tiles"
EVERY = [product for products in PRODUCTS.values() for product in products]
SMALLEST = replace(SMALL, multiprocessors=16)
DECODE = Product("tiny", "out", 1, 16, 4096, 4096, "bf16")
PREFILL = Product("tiny", "out", 1, 2048, 4096, 4096, "fp16")


def policy(name):
    names = {}
    exec((SEEDS / f"{name}.py").read_text(), names)
    return names["choose"]


BASELINES = {file.stem: policy(file.stem) for file in sorted(SEEDS.glob("*.py"))}


def why(product, device=DEVICE, **changes):
    """Returns why a configuration is illegal; by default one that is legal on every product above."""
    fine = {"block_m": 16, "block_n": 128, "block_k": 64, "warps": 4, "stages": 4, "split_k": 1, "group_m": 1}
    if product.m > 16:
        fine.update(block_m=128, warps=8)
    return why_illegal(Tiles(**{**fine, **changes}), product.m, product.n, product.k, device)


def case_of(product, device=DEVICE, failing=None):
    """Returns a case whose times are the formula's."""
    tiles = [tiles.configuration for tiles in legal(product.m, product.n, product.k, device)]
    times = {each: Timing(Status.OK, formula(shape_of(product), each, device), 0.01, 10) for each in tiles}
    times.update({each.configuration: timing for each, timing in (failing or {}).items()})
    best = min(timing.microseconds for timing in times.values() if timing.status is Status.OK)
    return Case(product, Row(device, times, best, 2 * best))


def play(problem, case, choose):
    """Returns the metrics of a policy that runs in this process; its decision is checked as the judge does."""
    simulation = problem.simulate(case)
    call = next(simulation)
    with pytest.raises(StopIteration) as end:
        simulation.send(check(choose(*call.arguments), call.returns))
    return end.value.value


# the space


def test_every_shape_has_at_most_400_legal_configurations_on_a_hopper():
    for multiprocessors in (114, 132, 148):
        hopper = replace(DEVICE, multiprocessors=multiprocessors)
        counts = [len(legal(product.m, product.n, product.k, hopper)) for product in EVERY]
        assert max(counts) <= 400
        assert min(counts) >= 50


@pytest.mark.parametrize("device", [A100_LIKE, SMALL, SMALLEST], ids=["163 KiB", "99 KiB", "99 KiB, 16"])
def test_every_shape_has_legal_configurations_on_smaller_gpus(device):
    assert min(len(legal(product.m, product.n, product.k, device)) for product in EVERY) >= 20


def test_what_is_known_to_be_good_is_legal():
    assert why(PREFILL, block_m=128, block_n=256, warps=8, stages=3, group_m=8) == ""
    assert why(PREFILL, block_m=128, block_n=256, warps=8, stages=4, group_m=8) == ""
    assert why(PREFILL, block_m=256, block_n=128, warps=8, stages=3, group_m=8) == ""
    assert why(PREFILL, A100_LIKE, block_m=128, block_n=256, warps=8, stages=3, group_m=8) == ""
    for split_k in (1, 2, 4, 8):
        assert why(DECODE, block_m=16, block_n=64, block_k=128, split_k=split_k) == ""
    wide = replace(DECODE, m=128)
    assert why(wide, block_m=128, block_n=128, warps=8, stages=3, split_k=4) == ""


def test_legal_configurations_are_those_that_no_rule_forbids():
    for product in (DECODE, PREFILL, EVERY[8]):
        listed = set(legal(product.m, product.n, product.k, DEVICE))
        assert len(listed) == len(legal(product.m, product.n, product.k, DEVICE))
        for tiles in listed:
            assert why_illegal(tiles, product.m, product.n, product.k, DEVICE) == ""
            changed = replace(tiles, block_n=3 * tiles.block_n)
            assert changed not in listed
            assert why_illegal(changed, product.m, product.n, product.k, DEVICE)


@pytest.mark.parametrize(
    ("product", "changes", "reason"),
    [
        (DECODE, {"block_k": 48}, "block_k 48 is not a power of two; one of 32, 64, 128"),
        (DECODE, {"block_n": 0}, "block_n 0 is not a power of two; one of 32, 64, 128, 256"),
        (DECODE, {"block_n": -64}, "block_n -64 is not a power of two; one of 32, 64, 128, 256"),
        (DECODE, {"block_n": 2**62}, f"block_n {2**62} is not offered; one of 32, 64, 128, 256"),
        (DECODE, {"block_k": 256}, "block_k 256 is not offered; one of 32, 64, 128"),
        (DECODE, {"warps": 2}, "warps 2 is not offered; one of 4, 8"),
        (DECODE, {"stages": 5}, "stages 5 is not offered; one of 2, 3, 4"),
        (DECODE, {"group_m": 4}, "group_m 4 is not offered; one of 1, 8"),
        (DECODE, {"block_m": 32}, "block_m 32 does not suit m = 16: from 16 to 16"),
        (PREFILL, {"block_m": 32}, "block_m 32 does not suit m = 2,048: from 64 to 256"),
        (PREFILL, {"block_m": 256, "block_n": 256},
         "a tile of 256 x 256 on 8 warps has 256 accumulators a thread: from 32 to 128"),
        (PREFILL, {"block_m": 64, "block_n": 64},
         "a tile of 64 x 64 on 8 warps has 16 accumulators a thread: from 32 to 128"),
        (DECODE, {"block_n": 32}, "a tile of 16 x 32 on 4 warps has 4 accumulators a thread: from 8 to 128"),
        (PREFILL, {"block_n": 256, "block_k": 128, "stages": 3}, "needs 294,912 bytes of shared memory of 232,448"),
        (DECODE, {"block_k": 32, "stages": 2}, "has 18,432 bytes of operands in its stages: at least 32,768"),
        (PREFILL, {"split_k": 2}, "split_k 2 with m = 2,048: k is split only up to m = 256"),
        (replace(DECODE, n=20480), {"split_k": 4},
         "split_k 4 makes 640 programs: k is split only up to 528, 4 a multiprocessor"),
        (replace(DECODE, k=1024), {"split_k": 8, "block_k": 64},
         "split_k 8 leaves 2 steps of block_k 64 to a program: at least 4"),
        (DECODE, {"group_m": 8}, "group_m 8 with one row of tiles: there is nothing to group"),
        (replace(DECODE, m=128), {"block_m": 64, "warps": 4, "split_k": 2, "group_m": 8},
         "group_m 8 with split_k 2: where k is split group_m is 1"),
    ],
)  # fmt: skip
def test_an_illegal_configuration_is_refused_with_the_rule(product, changes, reason):
    assert why(product) == ""
    assert why(product, **changes) == reason


def test_the_prompt_says_every_rule_that_the_space_has():
    text = " ".join((GemmTiles.__doc__ or "").split())
    for part in (
        "block_m is 16, 32, 64, 128 or 256; block_n 32, 64, 128 or 256; block_k 32, 64 or 128; warps 4 or 8; "
        "stages 2, 3 or 4; split_k 1, 2, 4 or 8; group_m 1 or 8",
        "are at most 128, and at least 32, or 8 where block_m is 16 or 32",
        "at least 32,768 and at most shared_kib * 1024",
        "m is at most 256; programs, ceil(m / block_m) * ceil(n / block_n) * split_k, are at most 4 times the "
        "multiprocessors; and ceil(k / block_k) // split_k is at least 4",
        "there is more than one row of tiles (m > block_m), and split_k is 1",
    ):
        assert part in text


# the baselines


@pytest.mark.parametrize("device", [DEVICE, A100_LIKE, SMALL, SMALLEST], ids=["227 KiB", "163 KiB", "99 KiB", "16"])
@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_legal_on_every_shape_and_gpu(name, device):
    for product in EVERY:
        chosen = BASELINES[name](product.m, product.n, product.k, product.dtype, shown(device))
        assert why_illegal(Tiles(**chosen), product.m, product.n, product.k, device) == "", product.label


def test_the_reference_is_one_configuration_wherever_it_is_legal():
    chosen = {
        product: Tiles(**BASELINES["reference"](product.m, product.n, product.k, product.dtype, shown(DEVICE)))
        for product in EVERY
    }
    fixed = Tiles(128, 128, 32, 4, 4, 1, 8)
    assert {chosen[product] for product in EVERY if product.m > 128} == {fixed}
    for product, tiles in chosen.items():
        assert tiles == replace(fixed, block_m=tiles.block_m, group_m=tiles.group_m)
        assert why_illegal(fixed, product.m, product.n, product.k, DEVICE) or tiles == fixed


def test_every_baseline_cites_its_source():
    for baseline in catalog.load("gemm_tiles").baselines():
        assert any(year in baseline.source.partition('"""')[2].partition('"""')[0] for year in ("2009", "2019", "2023"))


# one product


def test_the_policy_is_asked_once_with_plain_values():
    call = next(GemmTiles().simulate(case_of(PREFILL)))
    assert (call.name, call.arguments[:4], call.returns) == ("choose", (2048, 4096, 4096, "fp16"), dict[str, int])
    assert call.arguments[4] == {
        "name": "scripted device of the tests",
        "multiprocessors": 132,
        "shared_kib": 227,
        "l2_mib": 50,
        "memory_gib": 80,
        "copy_gbps": 3000.0,
        "matmul_tflops": 700.0,
    }


def test_a_legal_choice_has_its_recorded_time_and_its_share_of_the_best_and_of_the_vendors():
    case = case_of(PREFILL)
    tiles = Tiles(128, 128, 64, 8, 3, 1, 8)
    time = formula(shape_of(PREFILL), tiles.configuration)
    metrics = play(GemmTiles(), case, lambda *_: dict(zip(KEYS, tiles.configuration, strict=True)))
    assert metrics == {
        "microseconds": time,
        **dict(zip(KEYS, tiles.configuration, strict=True)),
        "of_best": case.recorded.best / time,
        "of_vendor": case.recorded.vendor / time,
    }
    assert GemmTiles().bound(case) == case.recorded.best <= time


def test_the_bound_is_reached_by_the_best_configuration_and_beaten_by_none():
    case = case_of(DECODE)
    times = [
        play(GemmTiles(), case, lambda *_, tiles=tiles: dict(zip(KEYS, tiles.configuration, strict=True)))[
            "microseconds"
        ]
        for tiles in legal(DECODE.m, DECODE.n, DECODE.k, DEVICE)
    ]
    assert min(times) == GemmTiles().bound(case)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"block_k": 48}, "block_k 48 is not a power of two; one of 32, 64, 128"),
        ({"split_k": 2}, "split_k 2 with m = 2,048"),
        ({"block_m": None}, "lacks block_m; expected block_m, block_n, block_k, warps, stages, split_k, group_m"),
        ({"num_warps": 4}, "has 8 keys; expected only block_m"),
    ],
)
def test_an_illegal_choice_is_refused_with_the_reason(changes, complaint):
    choice = {**dict(zip(KEYS, (128, 128, 64, 8, 3, 1, 8), strict=True)), **changes}
    with pytest.raises(InvalidDecision, match=complaint):
        play(
            GemmTiles(), case_of(PREFILL), lambda *_: {key: value for key, value in choice.items() if value is not None}
        )


@pytest.mark.parametrize("decision", [None, [128] * 7, {"block_m": 128.0}, {"block_m": True}, {0: 1}, {}, {"x": 2**70}])
def test_what_is_no_configuration_at_all_is_refused(decision):
    with pytest.raises(InvalidDecision):
        play(GemmTiles(), case_of(PREFILL), lambda *_: decision)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.UNLAUNCHABLE, "cannot be launched on this GPU: out of registers"),
        (Status.WRONG, "gives a wrong result: out of registers"),
        (Status.TIMED_OUT, "did not come back in time: out of registers"),
        (Status.LOST, "took the process that runs kernels with it: out of registers"),
    ],
)
def test_a_legal_choice_that_failed_when_it_was_recorded_is_invalid_with_the_reason(status, said):
    tiles = Tiles(128, 128, 64, 8, 3, 1, 8)
    case = case_of(PREFILL, failing={tiles: Timing(status, 0.001, message="out of registers")})
    with pytest.raises(
        InvalidDecision, match=f"tiles of 128 x 128 x 64, 8 warps, 3 stages, split_k 1, group_m 8 {said}"
    ):
        play(GemmTiles(), case, lambda *_: dict(zip(KEYS, tiles.configuration, strict=True)))


def test_feedback_says_how_far_it_is_and_what_limits_it_and_never_what_is_best():
    case, problem = case_of(DECODE), GemmTiles()
    best = min(case.recorded.timings, key=lambda tiles: case.recorded.timings[tiles].microseconds)
    metrics = play(problem, case, BASELINES["reference"])
    line = problem.feedback(case, metrics)
    assert line.startswith("tiles of 16 x 128 x 32, 4 warps, 4 stages, split_k 1, group_m 1: ")
    assert f"{1 / metrics['of_best']:.2f} times the best recorded" in line
    assert "memory is the limit" in line
    assert "32 programs on 132 multiprocessors, the others idle" in line
    assert " x ".join(map(str, best[:3])) not in line
    assert len(line) < 400
    assert "\n" not in line


def test_the_account_of_a_choice_computed_by_hand():
    # 2 (2048 x 4096 + 4096 x 4096 + 2048 x 4096) bytes and 2 x 2048 x 4096 x 4096 operations in 200 us
    said = account(PREFILL, Tiles(128, 256, 64, 8, 3, 1, 8), 200.0, DEVICE)
    assert said == (
        "arithmetic is the limit: 336 GB/s, 11% of a copy, and 343.6 TFLOPS, 49% of a large product; "
        "256 programs on 132 multiprocessors, of the last wave 94% is used"
    )
    # 3 of 16 rows: 13 of 16 parts of every tile lie outside
    low = replace(DECODE, m=3)
    assert account(low, Tiles(16, 64, 128, 4, 4, 8, 1), 20.0, DEVICE).endswith(
        "512 programs on 132 multiprocessors, 81% of its tiles lies outside C"
    )


# the recorded table


WRONG = PRODUCTS["train"][5], Tiles(64, 64, 128, 4, 2, 1, 1)
"""On this product this configuration is the fastest of the table below, for its result is wrong."""


def choosing(product, tiles):
    """Returns the source of a policy that chooses a configuration on one product, and elsewhere like the reference."""
    return (
        (SEEDS / "reference.py").read_text()
        + "\n\nfixed = choose\n\n\ndef choose(m, n, k, dtype, gpu):\n"
        + f"    chosen = {dict(zip(KEYS, tiles.configuration, strict=True))}\n"
        + f"    return chosen if (m, n) == {product.m, product.n} else fixed(m, n, k, dtype, gpu)\n"
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A file with the times of a scripted bench on all sixty products."""
    file = tmp_path_factory.mktemp("tables") / "gemm_tiles-scripted.npz"
    product, tiles = WRONG
    wrong = Timing(Status.WRONG, 0.01, message="differs from the reference by 0.9")
    bench = ScriptedBench(failing={(shape_of(product), tiles.configuration): wrong})
    sweep(plan(DEVICE), bench, file, lambda _: None)
    return file


@pytest.fixture
def problem(recorded, monkeypatch):
    monkeypatch.setenv(store.VARIABLE, str(recorded))
    return catalog.load("gemm_tiles")


@pytest.fixture
def no_table(monkeypatch, tmp_path):
    """No table anywhere, as after an installation."""
    monkeypatch.delenv(store.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(store.workloads, "__path__", [str(tmp_path / "package")])
    return tmp_path


def test_splits_replay_the_recorded_layers_and_the_test_cases_do_not_follow_the_secret(problem):
    for name, products in PRODUCTS.items():
        cases = problem.cases(Split(name, "secret" if name == "test" else ""))
        assert [case.product for case in cases] == list(products)
        assert all(case.recorded.timings for case in cases)
    one, other = (problem.cases(Split("test", secret)) for secret in ("one", "other"))
    assert one == other
    assert problem.held_out


def test_the_named_sets_are_a_quick_one_of_train_and_the_held_out_layers_live(problem):
    sets = problem.case_sets()
    assert sets["quick"] == problem.cases(Split("train"))[:12]
    assert [case.product for case in sets["live"]] == list(PRODUCTS["train"])
    assert [case.product for case in sets["live-held-out"]] == list(PRODUCTS["test"])
    assert all(case.recorded is None for name in ("live", "live-held-out") for case in sets[name])
    assert problem.reserved == ("live-held-out",)


def test_scores_say_that_they_are_a_replay_and_of_what(problem):
    digest = store.load(Path(os.environ[store.VARIABLE]), "gemm_tiles").digest
    said = f"replay of times recorded on scripted device of the tests, driver 1.0, table {digest[:8]}"
    assert re.fullmatch(said + r" \(95% of timings made again were within \d\.\d%\)", problem.basis("train"))
    assert problem.basis("train") == problem.basis("test") == problem.basis("quick")


def test_scores_say_when_the_kernel_is_no_longer_the_one_that_was_recorded(problem, monkeypatch):
    monkeypatch.setattr(sys.modules[type(problem).__module__], "kernel_digest", lambda: "another")
    assert problem.basis("train").endswith(", of another version of the kernel")


def test_what_comments_and_docstrings_of_the_kernel_say_makes_no_other_version(tmp_path, monkeypatch):
    code = Path(replay.__file__).with_name("kernel.py").read_text(encoding="utf-8")
    monkeypatch.setattr(replay, "__file__", str(tmp_path / "replay.py"))

    def digest(text):
        (tmp_path / "kernel.py").write_text(text, encoding="utf-8")
        return replay.kernel_digest()

    again = code.replace('"""The matrix product', '"""A matrix product').replace("# Which tile", "# What tile")
    assert again != code
    assert digest(again) == digest(code) != digest(code.replace("REDUCE_WARPS = 4", "REDUCE_WARPS = 8"))


def test_without_a_table_it_says_how_to_make_one(no_table):
    problem = catalog.load("gemm_tiles")
    for refused in (lambda: problem.cases(Split("train")), lambda: problem.basis("train")):
        with pytest.raises(
            Unready, match=r"no table of them has been recorded here: run `evolve gpu record gemm_tiles`"
        ):
            refused()
    assert list(problem.case_sets()) == ["live", "live-held-out"]


def test_a_table_of_other_rules_or_of_fewer_products_does_not_score(no_table, monkeypatch):
    whole = plan(DEVICE)
    (first, tiles), *others = whole.legal.items()
    for number, legal_ones in enumerate((dict(others), {first: tiles[1:], **dict(others)})):
        file = no_table / f"gemm_tiles-{number}.npz"
        sweep(replace(whole, legal=legal_ones), ScriptedBench(), file, len)
        monkeypatch.setenv(store.VARIABLE, str(file))
        with pytest.raises(Unready, match="covers 59 of the 60 products of gemm_tiles, and scores need all"):
            catalog.load("gemm_tiles").cases(Split("train"))


def test_a_broken_table_is_one_line_and_does_not_keep_live_from_working(no_table, monkeypatch):
    (no_table / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    monkeypatch.setenv(store.VARIABLE, str(no_table / "broken.npz"))
    problem = catalog.load("gemm_tiles")
    with pytest.raises(TableError, match="holds no whole table"):
        problem.cases(Split("train"))
    assert list(problem.case_sets()) == ["live", "live-held-out"]


def test_a_table_that_was_recorded_again_is_read_again(recorded, monkeypatch, tmp_path):
    file = tmp_path / "gemm_tiles-x.npz"
    file.write_bytes(recorded.read_bytes())
    monkeypatch.setenv(store.VARIABLE, str(file))
    known = replay.table()
    assert replay.table() is known
    os.utime(file, ns=(1, 1))
    assert replay.table() is not known


def test_every_baseline_is_judged_and_told_how_it_stands_against_the_vendors_library(problem, sandbox):
    cases = split_cases(problem, "train")
    judge = Judge(cases, sandbox)
    evaluations = {each.name: judge.evaluate(each.source, confirm_above=0.0) for each in problem.baselines()}
    assert {evaluation.verdict for evaluation in evaluations.values()} == {Verdict.OK}
    assert evaluations["reference"].score == pytest.approx(1.0)
    for row in standings(problem, cases, list(evaluations), list(evaluations.values())):
        shares = [result.metrics["of_vendor"] for result in row.evaluation.cases]
        assert row.summary == {"speed / cuBLAS": pytest.approx(math.prod(shares) ** (1 / 20))}
        assert row.bound.mean < row.mean


def test_a_result_that_is_wrong_and_fast_is_invalid_with_the_reason(problem, sandbox):
    evaluation = Judge(split_cases(problem, "train"), sandbox).evaluate(choosing(*WRONG))
    assert evaluation.verdict is Verdict.INVALID
    assert evaluation.feedback == (
        "Mistral-Nemo-Base-2407 gate_up, prefill, 1024 x 28672 x 5120 bf16: tiles of 64 x 64 x 128, 4 warps, "
        "2 stages, split_k 1, group_m 1 gives a wrong result: differs from the reference by 0.9"
    )


def test_the_problem_passes_its_audit_on_a_recorded_table(problem):
    found = audit(problem, random.Random(0), time.monotonic)
    assert found.passed, describe(found)
    said = {finding.check: finding.found for finding in found.findings}
    assert "asks once a case" in said["look-ahead"]
    assert "no case in two splits" in said["splits"]


def test_quick_cases_are_judged(problem, sandbox):
    evaluation = Judge(named_cases(problem, "quick"), sandbox).evaluate(problem.baselines()[0].source)
    assert (evaluation.verdict, len(evaluation.cases)) == (Verdict.OK, 12)


def test_a_replay_is_fast(problem):
    """A generous bound; `make bench` has the figure."""
    (case, *_), start = problem.cases(Split("train")), time.perf_counter()
    tiles = BASELINES["reference"](case.product.m, case.product.n, case.product.k, case.product.dtype, shown(DEVICE))
    for _ in range(1000):
        simulation = problem.simulate(case)
        next(simulation)
        with pytest.raises(StopIteration):
            simulation.send(tiles)
    assert time.perf_counter() - start < 2


# live


@pytest.fixture
def bench(monkeypatch):
    """The bench that `open_bench` returns, without noise, and how often it was opened."""
    found = SimpleNamespace(opened=0, bench=ScriptedBench(noise=0.0))

    def open_bench(workload):
        assert workload == "evaluators.gemm_tiles.kernel"
        found.opened += 1
        return found.bench

    monkeypatch.setitem(sys.modules, "evaluators.gpu.owner", SimpleNamespace(open_bench=open_bench))
    return found


def test_live_cases_are_listed_without_a_gpu_and_judged_on_it_without_a_table(no_table, bench, sandbox):
    problem = catalog.load("gemm_tiles")
    cases = named_cases(problem, "live")
    assert bench.opened == 0
    judge = Judge(cases, sandbox)
    evaluation = judge.evaluate(problem.baselines()[0].source, confirm_above=0.0)
    assert bench.opened == 1
    assert (evaluation.verdict, evaluation.score, evaluation.confirmed) == (Verdict.OK, pytest.approx(1.0), True)
    chosen = evaluation.cases[0].metrics
    product = PRODUCTS["train"][0]
    assert chosen["microseconds"] == formula(shape_of(product), tuple(int(chosen[key]) for key in KEYS))
    assert "of_best" not in chosen
    assert cases.bounds is None
    assert "times cuBLAS's" in evaluation.feedback
    assert problem.basis("live") == "measured live on scripted device of the tests, driver 1.0"


def test_live_times_are_never_twice_the_same_and_that_is_no_fault_of_the_policy(no_table, bench, sandbox):
    bench.bench = ScriptedBench(noise=0.02)
    problem = catalog.load("gemm_tiles")
    evaluation = Judge(named_cases(problem, "live"), sandbox).evaluate(problem.baselines()[0].source, confirm_above=0.0)
    assert (evaluation.verdict, evaluation.confirmed) == (Verdict.OK, True)
    assert evaluation.score != 1.0


def test_a_wrong_result_is_invalid_on_live_cases_too(no_table, bench, sandbox):
    product = PRODUCTS["train"][3]
    tiles = legal(product.m, product.n, product.k, DEVICE)[5]
    failing = {(shape_of(product), tiles.configuration): Timing(Status.WRONG, message="NaN in the result")}
    bench.bench = ScriptedBench(failing=failing)
    problem = catalog.load("gemm_tiles")
    evaluation = Judge(named_cases(problem, "live"), sandbox).evaluate(choosing(product, tiles))
    assert evaluation.verdict is Verdict.INVALID
    assert "gives a wrong result: NaN in the result" in evaluation.feedback


def test_without_a_gpu_live_cases_end_in_the_line_that_says_why(no_table, monkeypatch, sandbox):
    def open_bench(_):
        raise GpuError("there is no NVIDIA driver; does `nvidia-smi` work?")

    monkeypatch.setitem(sys.modules, "evaluators.gpu.owner", SimpleNamespace(open_bench=open_bench))
    problem = catalog.load("gemm_tiles")
    with pytest.raises(GpuError, match="no NVIDIA driver"):
        problem.basis("live")
    with pytest.raises(ProblemError, match=r"^there is no NVIDIA driver; does `nvidia-smi` work\?$"):
        Judge(named_cases(problem, "live"), sandbox).reference()


def test_a_gpu_that_is_lost_while_it_judges_ends_the_command_and_is_no_verdict(no_table, bench, sandbox):
    bench.bench = ScriptedBench(lost_after=30)
    problem = catalog.load("gemm_tiles")
    judge = Judge(named_cases(problem, "live"), sandbox)
    judge.reference()
    with pytest.raises(Unready, match=r"^the GPU has fallen off the bus$"):
        judge.evaluate(problem.baselines()[0].source)


def test_a_vendors_library_that_fails_is_an_error_of_the_gpu(bench):
    bench.bench.outside = lambda shape: Timing(Status.TIMED_OUT, message="after 5 s")
    with pytest.raises(GpuError, match=r"the vendor's library failed on .1, 2, 3, 0.: TIMED_OUT, after 5 s"):
        Live("evaluators.gemm_tiles.kernel").vendor((1, 2, 3, 0))


# recording


def test_what_is_recorded_is_found_and_replayed(no_table, bench):
    problem, told = catalog.load("gemm_tiles"), []
    file = problem.record(None, told.append)
    assert file == no_table / "data" / "evolve" / "gpu_tables" / "gemm_tiles-scripted_device_of_the_tests.npz"
    assert bench.bench.closed
    assert told[0] == f"{sum(map(len, plan(DEVICE).legal.values())):,} configurations on 60 shapes"
    assert len(problem.cases(Split("train"))) == 20
    assert "quick" in problem.case_sets()


def test_a_gpu_that_is_lost_while_it_records_is_given_back_and_what_was_recorded_is_kept(no_table, bench):
    bench.bench = ScriptedBench(lost_after=7)
    with pytest.raises(GpuError, match=r"7 timings are kept in .*mine\.npz\.part; the same command goes on"):
        catalog.load("gemm_tiles").record(no_table / "mine.npz", len)
    assert bench.bench.closed
    bench.bench = ScriptedBench()
    told = []
    assert catalog.load("gemm_tiles").record(no_table / "mine.npz", told.append) == no_table / "mine.npz"
    assert told[0].endswith("; going on from 7 timings")


# from end to end


def evolve(recorded, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "evolve", *map(str, arguments), "--json"],
        env={**os.environ, store.VARIABLE: str(recorded)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_search_on_a_recorded_table_is_proved_on_the_held_out_layers(recorded, tmp_path):
    run = tmp_path / "run"
    evolve(recorded, "run", "gemm_tiles", "--evaluations", 12, "--out", run)
    verified = evolve(recorded, "verify", run)
    assert verified["cases"] == 20
    assert "replay of times recorded on scripted device of the tests" in json.dumps(verified)
    verdicts = {row["name"]: row["evaluation"]["verdict"] for row in verified["standings"]}
    assert verdicts["reference"] == "OK"
    (row,) = evolve(recorded, "score", "gemm_tiles", run / "best.py", "--cases", "quick")
    assert row["evaluation"]["verdict"] == "OK"
    assert row["summary"]["speed / cuBLAS"] > 0


def test_a_command_without_a_table_ends_in_one_line(tmp_path):
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    environment.pop(store.VARIABLE, None)
    done = subprocess.run(
        [sys.executable, "-m", "evolve", "score", "gemm_tiles", "--cases", str(tmp_path / "none")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
