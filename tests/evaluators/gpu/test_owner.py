"""A bench whose GPU is a script: what becomes of configurations that hang, crash or say nonsense."""

import importlib.util
import math
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from evaluators.gpu import compilers, owner
from evaluators.gpu.bench import GpuError, Status
from evaluators.gpu.link import Link, environment
from evaluators.gpu.owner import DEATHS, Owner, open_bench
from evolve import catalog
from evolve.sandbox import kernel

HERE = Path(__file__).parent
TIMES, HANGS, EXITS, LOSES, GARBLES, FAILS, NONSENSE, MEETS, LIES = range(9)
BREAKS_VENDOR = (13,)
REFUSED, KILLS_COMPILER, HANGS_COMPILER = (TIMES, 1), (TIMES, 2), (TIMES, 3)
PATIENCE = {"starting": 30.0, "queueing": 30.0, "setting up": 1.0, "running": 1.0}
COMPILE_PATIENCE = {"starting": 30.0, "asking": 30.0, "compiling": 1.0}


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def a_bench(workload) -> Owner:
    return Owner(
        str(workload),
        server="scripted_gpu",
        compiler="scripted_compiler",
        patience=PATIENCE,
        compile_patience=COMPILE_PATIENCE,
    )


@pytest.fixture
def bench(tmp_path):
    with a_bench(tmp_path) as opened:
        yield opened


def ended(pid: int, within_ms: int = 1000) -> bool:
    try:
        watched = kernel.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        return bool(poll.poll(within_ms))
    finally:
        os.close(watched)


def test_a_bench_says_what_it_times_on_and_times(bench):
    assert (bench.device.name, bench.device.capability) == ("scripted", "9.0")
    timing = bench.time((12, 3), (TIMES,))
    assert (timing.status, timing.microseconds, timing.spread, timing.repeats) == (Status.OK, 12.0, 0.01, 5)
    assert bench.outside((12, 3)).microseconds == 7.0


def test_the_process_is_free_of_what_a_worker_of_the_judge_is_bound_to(tmp_path):
    cores, (soft, hard) = os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_DATA)
    os.sched_setaffinity(0, {min(cores)})
    resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, hard))
    try:
        with a_bench(tmp_path) as bench:
            assert os.sched_getaffinity(bench.pid) >= cores
            assert resource.prlimit(bench.pid, resource.RLIMIT_DATA) == (hard, hard)
    finally:
        os.sched_setaffinity(0, cores)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def test_a_configuration_that_hangs_is_timed_out_and_the_next_finds_a_fresh_process(bench):
    before = bench.pid
    timing = bench.time((1,), (HANGS,))
    assert (timing.status, timing.message) == (Status.TIMED_OUT, "did not come back from running within 1 s")
    assert math.isnan(timing.microseconds)
    assert ended(before)
    assert bench.time((1,), (TIMES,)).status is Status.OK
    assert bench.pid != before


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (EXITS, "the process ended (status 7: CUDA error: the last words)"),
        (LOSES, "an illegal memory access was encountered"),
        (GARBLES, "what is not msgpack"),
        (NONSENSE, "at most 65,536 were expected"),
        (LIES, "it sent 'timing' where a timing was expected"),
    ],
)
def test_a_process_that_dies_or_says_nonsense_is_lost_and_replaced(bench, what, said):
    before = bench.pid
    timing = bench.time((1,), (what,))
    assert timing.status is Status.LOST
    assert said in timing.message
    assert ended(before)
    assert bench.time((1,), (TIMES,)).status is Status.OK


def test_several_deaths_in_a_row_are_the_configurations_fault_where_the_gpu_still_works(bench):
    for number in range(2 * DEATHS):
        assert bench.time((1,), (EXITS, 0, number)).status is Status.LOST
    assert bench.time((1,), (TIMES,)).status is Status.OK


def test_several_deaths_in_a_row_are_the_gpus_fault_where_even_the_vendors_library_fails(bench):
    for number in range(DEATHS - 1):
        assert bench.time(BREAKS_VENDOR, (EXITS, 0, number)).status is Status.LOST
    with pytest.raises(
        GpuError, match=f"{DEATHS} processes in a row ended .*failed, too: .*the last words.*nvidia-smi"
    ):
        bench.time(BREAKS_VENDOR, (EXITS, 0, DEATHS))


def test_what_took_a_process_with_it_is_not_run_again(bench):
    first = bench.time((1,), (EXITS,))
    assert bench.time((1,), (TIMES,)).status is Status.OK
    before = bench.pid
    assert bench.time((1,), (EXITS,)) is first
    assert bench.pid == before


def test_who_is_interrupted_leaves_no_answer_behind_for_the_next(bench, monkeypatch):
    assert bench.time((1,), (TIMES,)).microseconds == 1.0
    asked = Link.answer

    def interrupted(link, phase):
        if phase == "queueing":
            raise KeyboardInterrupt
        return asked(link, phase)

    with monkeypatch.context() as patch:
        patch.setattr(Link, "answer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.time((100,), (TIMES,))
    assert [bench.time((number,), (TIMES,)).microseconds for number in (2, 3, 4)] == [2.0, 3.0, 4.0]


def test_a_gpu_that_fails_is_no_verdict_on_a_configuration(bench):
    before = bench.pid
    with pytest.raises(GpuError, match="the scripted GPU is full"):
        bench.time((1,), (FAILS,))
    assert bench.pid == before
    with pytest.raises(GpuError, match=r"setting up within 1 s"):
        bench.time((0,), (TIMES,))
    assert bench.time((1,), (TIMES,)).status is Status.OK


def test_no_gpu_is_one_line_when_a_bench_is_opened(tmp_path):
    with pytest.raises(GpuError, match=r"^there is no GPU$"):
        a_bench(tmp_path / "no-gpu")
    with pytest.raises(GpuError, match=r"^the process that was to own the GPU did not start: .*libcuda.so\)$"):
        a_bench(tmp_path / "dies")


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed here")
def test_without_pytorch_a_bench_says_how_to_get_it():
    with pytest.raises(
        GpuError, match=r"^timing on a GPU needs .* PyTorch is not installed; .*pip install torch triton"
    ):
        open_bench("evaluators.gemm_tiles.kernel")


def test_a_bench_that_was_closed_says_so_and_its_process_is_gone(tmp_path):
    bench = a_bench(tmp_path)
    pid = bench.pid
    bench.close()
    bench.close()
    assert ended(pid)
    for ask in (lambda: bench.time((1,), (TIMES,)), lambda: bench.outside((1,)), lambda: bench.prepare([])):
        with pytest.raises(GpuError, match="was closed"):
            ask()


OPENS = """
import sys, threading
sys.path[:0] = {paths!r}
from test_owner import PATIENCE, a_bench
PATIENCE["running"] = 60.0
def use():
    global bench
    bench = a_bench({folder!r})
    print(bench.pid, flush=True)
if {in_a_thread}:
    thread = threading.Thread(target=use); thread.start(); thread.join()
else:
    use()
try:
    bench.time((1,), (1,)) if {at_work} else sys.stdin.read()
finally:
    print("the parent went on", flush=True)
"""


@pytest.mark.parametrize(("in_a_thread", "at_work"), [(False, False), (False, True), (True, False), (True, True)])
def test_the_process_ends_within_a_second_when_its_parent_is_killed(tmp_path, in_a_thread, at_work):
    paths = [str(HERE), str(HERE.parents[1]), str(HERE.parents[2])]
    program = OPENS.format(paths=paths, folder=str(tmp_path), in_a_thread=in_a_thread, at_work=at_work)
    if at_work:
        os.mkfifo(tmp_path / "hangs")
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        pid = int(parent.stdout.readline())
        if at_work:
            assert (tmp_path / "hangs").read_text() == "now"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert ended(pid)


def test_a_thread_that_opened_a_bench_may_end_before_it(tmp_path):
    opened = []
    thread = threading.Thread(target=lambda: opened.append(a_bench(tmp_path)))
    thread.start()
    thread.join()
    with opened[0] as bench:
        assert not ended(bench.pid, within_ms=100)
        assert bench.time((1,), (TIMES,)).status is Status.OK


def test_two_benches_queue_and_never_measure_at_once(tmp_path):
    with a_bench(tmp_path) as one, a_bench(tmp_path) as other:
        timings = [bench.time((1,), (MEETS,)) for bench in (one, other)]  # both are up before they race
        start = threading.Barrier(2)

        def use(bench):
            start.wait()
            timings.extend(bench.time((1,), (MEETS,)) for _ in range(25))

        threads = [threading.Thread(target=use, args=(bench,)) for bench in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [timing.message for timing in timings] == [""] * 52


def test_a_bench_whose_process_was_killed_gives_the_lock_back(tmp_path):
    with a_bench(tmp_path) as one, a_bench(tmp_path) as other:
        assert one.time((1,), (HANGS,)).status is Status.TIMED_OUT
        assert other.time((1,), (TIMES,)).status is Status.OK


def test_what_does_not_compile_is_unlaunchable_and_never_reaches_the_gpu(bench, tmp_path):
    before = bench.pid
    timing = bench.time((1,), REFUSED)
    assert timing.status is Status.UNLAUNCHABLE
    assert timing.message == "needs 300,000 bytes of shared memory of 232,448"
    said = bench.time((1,), KILLS_COMPILER)
    assert said.status is Status.UNLAUNCHABLE and "takes the compiler with it" in said.message
    said = bench.time((1,), HANGS_COMPILER)
    assert said.status is Status.UNLAUNCHABLE and "did not come back from compiling" in said.message
    assert bench.pid == before
    assert bench.time((1,), (TIMES,)).status is Status.OK


def test_each_variant_is_compiled_once(bench, tmp_path):
    bench.prepare([((size,), (TIMES, 0, number)) for size in (1, 2) for number in range(6)])
    bench.time((3,), (TIMES, 0, 4))
    bench.time((3,), (TIMES, 0, 9))
    compiled = [line.partition(" ")[2] for line in (tmp_path / "compiled").read_text().splitlines()]
    assert sorted(compiled) == [f"[0, 0, {number}]" for number in (*range(6), 9)]


def test_what_fails_while_many_are_compiled_ahead_fails_again_when_it_is_timed(bench):
    bench.prepare([((1,), configuration) for configuration in (KILLS_COMPILER, REFUSED, (TIMES,), HANGS_COMPILER)])
    assert bench.time((1,), KILLS_COMPILER).status is Status.UNLAUNCHABLE
    assert bench.time((1,), REFUSED).status is Status.UNLAUNCHABLE
    assert bench.time((1,), (TIMES,)).status is Status.OK


def test_variables_that_change_what_is_measured_do_not_reach_the_process():
    kept = environment({"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1", "TRITON_CACHE_DIR": "/x", "TRITON_INTERPRET": "1"})
    assert kept == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1", "TRITON_CACHE_DIR": "/x"}
    assert environment({"PYTORCH_CUDA_ALLOC_CONF": "backend:cudaMallocAsync", "CUDA_LAUNCH_BLOCKING": "1"}) == {}
    assert environment({"DISABLE_PTXAS_OPT": "1", "PTXAS_OPTIONS": "-O0", "CUDA_INJECTION64_PATH": "/x.so"}) == {}


def test_the_lock_loses_patience_before_a_bench_does():
    assert owner.PATIENCE["queueing"] > owner.PATIENCE_SECONDS


def test_the_judge_has_more_patience_than_all_phases_of_a_request_take():
    longest = sum(owner.PATIENCE.values()) + max(compilers.PATIENCE.values())
    assert longest < catalog.load("gemm_tiles").limits.step_seconds
