"""The matrix product's kernel: right in Triton's interpreter, and compiled without a GPU for several of them."""

import importlib.util
import json
import os
import runpy
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import pytest

from evaluators.gpu.compilers import Compilers
from evaluators.gpu.link import Link

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or importlib.util.find_spec("triton") is None,
    reason="needs PyTorch and Triton: pip install torch triton",
)
ROOT = Path(__file__).parents[2]
MODULE = "evaluators.gemm_tiles.kernel"
PATIENCE = {"starting": 120.0, "asking": 60.0, "compiling": 120.0}
LAYER = (512, 4096, 4096, 0)


def the_kernel():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch has to say of other packages here is not our business
        return importlib.import_module(MODULE)


@pytest.fixture(scope="module")
def interpreted():
    script = Path(__file__).with_name("interpreted.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_ragged_sizes_splits_groups_and_both_dtypes_agree_with_float64(interpreted):
    assert len(interpreted["errors"]) == 120
    limits = {0: 4e-3, 1: 5e-4}  # bfloat16 rounds to 8 bits, float16 to 11
    wrong = [(shape, how, error) for shape, how, error in interpreted["errors"] if not error <= limits[shape[3]]]
    assert wrong == []


def test_the_harness_tells_the_kernel_from_planted_ones(interpreted):
    said = {name: (status, message) for name, status, message in interpreted["judged"]}
    assert said["right"] == ("OK", "")
    assert said["too large"][0] == "WRONG" and "differs from the result in float64 by 0.49 of" in said["too large"][1]
    assert said["not a number"][0] == "WRONG" and "1 of 714 numbers" in said["not a number"][1]
    assert said["onto what is there"][0] == "WRONG" and "714 of 714 numbers" in said["onto what is there"][1]


@pytest.mark.parametrize("m", [1, 15, 16, 17, 31, 64, 100, 127, 128, 129, 256, 512, 4096])
def test_the_anchor_is_what_the_reference_chooses(m):
    reference = ROOT / "seeds" / "gemm_tiles" / "reference.py"
    choose = runpy.run_path(str(reference))["choose"]
    kernel = the_kernel()
    from evaluators.gemm_tiles.space import KEYS

    for dtype, name in enumerate(("bf16", "fp16")):
        chosen = choose(m, 4096, 4096, name, {})
        assert kernel.anchor((m, 4096, 4096, dtype)) == tuple(chosen[key] for key in KEYS)


@pytest.fixture
def compilers(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    opened = []

    def a_pool(capability):
        opened.append(
            Compilers(
                partial(Link, MODULE.replace("gemm_tiles.kernel", "gpu.compiler"), f"{MODULE}@{capability}", PATIENCE),
                1,
            )
        )
        return opened[-1]

    yield a_pool
    for pool in opened:
        pool.close()


def machine_code(folder: Path) -> dict[str, list[str]]:
    """Returns the assembler text of each kernel in a cache, by the kernel's name."""
    texts: dict[str, list[str]] = {}
    for file in folder.rglob("*.ptx"):
        assert file.with_suffix(".cubin").stat().st_size > 0
        texts.setdefault(file.stem, []).append(file.read_text())
    return texts


def test_it_compiles_for_hopper_without_a_gpu_and_uses_its_matrix_units(compilers, tmp_path):
    assert compilers("9.0").compile(LAYER, (128, 256, 64, 8, 3, 1, 8)) == ""
    (text,) = machine_code(tmp_path)["multiply"]
    assert ".target sm_90a" in text and "wgmma.mma_async" in text
    assert "cp.async.cg.shared.global" in text and "st.global.v4" in text and "ld.global" not in text


def test_it_compiles_for_ampere_too_and_a_split_has_two_kernels(compilers, tmp_path):
    assert compilers("8.0").compile((16, 4096, 4096, 1), (16, 64, 128, 4, 3, 4, 1)) == ""
    texts = machine_code(tmp_path)
    assert sorted(texts) == ["add_up", "multiply"]
    assert "mma.sync" in texts["multiply"][0] and "ld.global.v4" in texts["add_up"][0]


@pytest.mark.parametrize("shape", [(1, 1, 1, 0), (7, 1, 33, 1), (3, 77, 1, 0), (1 << 20, 1 << 16, 64, 0)])
def test_odd_and_huge_sizes_compile(compilers, shape):
    assert compilers("9.0").compile(shape, (16, 32, 32, 4, 2, 2, 1)) == ""


def test_what_cannot_be_compiled_has_a_reason_and_takes_nothing_with_it(compilers):
    pool = compilers("9.0")
    assert "power of 2" in pool.compile(LAYER, (48, 64, 32, 4, 3, 1, 8))
    assert "power of 2" in pool.compile(LAYER, (64, 64, 32, 3, 3, 1, 8))
    assert pool.compile(LAYER, (64, 64, 32, 4, 3, 1, 8)) == ""


def test_variants_are_what_triton_compiles_apart(compilers, tmp_path):
    kernel = the_kernel()
    plan = (16, 32, 32, 4, 2, 1, 1)
    shapes = [(1, 64, 64, 0), (16, 64, 64, 0), (999, 64, 64, 0), (5, 80, 96, 0)]  # one
    shapes += [(5, 50, 64, 0), (5, 64, 50, 0), (5, 64, 64, 1), (5, 64, 48, 0), (5, 1, 64, 0)]  # one each
    pool = compilers("9.0")
    for shape in shapes:
        assert pool.compile(shape, plan) == ""
    variants = {kernel.variant(shape, plan) for shape in shapes}
    assert len(variants) == 6
    assert len(machine_code(tmp_path)["multiply"]) == 6


def test_what_one_process_compiled_another_finds(compilers, tmp_path):
    for _ in range(2):
        assert compilers("9.0").compile(LAYER, (64, 64, 32, 4, 2, 1, 8)) == ""
    assert len(machine_code(tmp_path)["multiply"]) == 1


AS_LAUNCHED = """
import torch
from evaluators.gemm_tiles import kernel
from evaluators.gpu import compiler

compiler.target("9.0")
shape, plan = (16, 128, 512, 1), (16, 64, 64, 4, 3, 2, 1)
for function in (kernel.multiply, kernel.add_up):
    run = function.run
    function.run = lambda *arguments, run=run, warmup, **options: run(*arguments, warmup=True, **options)
operands = kernel.inputs(shape, torch.Generator().manual_seed(0))
space = torch.empty(kernel.workspace(shape, plan))
kernel.launch(operands, kernel.output(shape, "cpu"), space, plan)
"""


def test_a_launch_finds_what_was_compiled_ahead(compilers, tmp_path):
    assert compilers("9.0").compile((16, 128, 512, 1), (16, 64, 64, 4, 3, 2, 1)) == ""
    before = sorted(tmp_path.rglob("*"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", AS_LAUNCHED], env=environment, check=True, timeout=120)
    assert len(machine_code(tmp_path)) == 2
    assert sorted(tmp_path.rglob("*")) == before
