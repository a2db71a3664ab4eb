"""Which walls stand, which do not, and what is left when the judge, the guard or the zygote is killed."""

import os
import signal
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import tiny

from evolve import catalog
from evolve.cases import split_cases
from evolve.judge import Judge
from evolve.sandbox import Sandbox, SandboxError, landlock
from evolve.types import MINIMUM, Layer

LOOK = """
import random
os = random._os

def look():
    try:
        root = [str(error) for error in [None] if not os.listdir("/")] + os.listdir("/")
    except PermissionError:
        root = ["denied"]
    return [root, os.getuid(), os.getpid(), os.environ.get("PLANTED", "")]
"""


def looked(sandbox):
    with sandbox.start(LOOK, 0) as child:
        return child.ask([(0, "look", ())])[0]


def alone(*layers):
    sandbox = Sandbox(layers=layers, unsafe=True)
    if missing := set(layers) - sandbox.layers:
        reasons = [f"{layer}: {sandbox.missing[layer]}" for layer in missing]
        sandbox.close()
        pytest.skip(f"not on this machine: {'; '.join(reasons)}")
    return sandbox


def test_a_machine_says_of_every_wall_that_it_stands_or_why_not(sandbox):
    assert sandbox.layers >= MINIMUM
    assert sandbox.layers | sandbox.missing.keys() == set(Layer)
    assert not sandbox.layers & sandbox.missing.keys()
    assert all(sandbox.missing.values())


@pytest.mark.parametrize("layer", Layer)
def test_every_wall_can_stand_alone(layer):
    with alone(layer) as sandbox:
        assert sandbox.layers == {layer}
        assert set(sandbox.missing.values()) == {"it was left out"}
        looked(sandbox)


@pytest.mark.parametrize("left_out", sorted(MINIMUM))
def test_below_the_minimum_no_policy_is_judged(left_out):
    with pytest.raises(SandboxError) as caught:
        Sandbox(layers=set(Layer) - {left_out})
    assert f"{left_out} (it was left out)" in str(caught.value)
    assert "--unsafe" in str(caught.value)


def test_without_walls_the_machine_lies_open_and_with_each_a_part_of_it_is_gone(monkeypatch):
    monkeypatch.setenv("PLANTED", "a secret")
    with Sandbox(layers=[], unsafe=True) as sandbox:
        root, user, number, planted = looked(sandbox)
    assert "etc" in root
    assert (user, planted) == (os.getuid(), "a secret")
    with alone(Layer.ENVIRONMENT) as sandbox:
        assert looked(sandbox)[3] == ""
    with alone(Layer.SECCOMP) as sandbox:
        assert looked(sandbox)[0] == ["denied"]
    with alone(Layer.LANDLOCK) as sandbox:
        assert looked(sandbox)[0] == ["denied"]
    with alone(Layer.USER) as sandbox:
        assert looked(sandbox)[1] != 0
    with alone(Layer.NAMESPACES) as sandbox:
        root, _, number, _ = looked(sandbox)
    assert root == ["None"]
    assert number < 100  # processes are counted anew


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (1, [0x1FFF]),
        (2, [0x3FFF]),
        (3, [0x7FFF]),
        (4, [0x7FFF, 3]),
        (5, [0xFFFF, 3]),
        (6, [0xFFFF, 3, 3]),
        (99, [0xFFFF, 3, 3]),
    ],
)
def test_a_ruleset_handles_all_that_its_version_of_landlock_knows(version, words):
    assert landlock.attributes(version) == struct.pack(f"<{len(words)}Q", *words)


def test_an_evaluation_says_which_walls_stood(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path)))
    with Sandbox() as sandbox:
        evaluation = Judge(split_cases(problem, "train"), sandbox).evaluate(problem.baselines()[0].source)
        assert set(evaluation.layers) == sandbox.layers
        assert not evaluation.unsafe
    with Sandbox(layers=[Layer.ENVIRONMENT], unsafe=True) as sandbox:
        evaluation = Judge(split_cases(problem, "train"), sandbox).evaluate(problem.baselines()[0].source)
        assert evaluation.layers == (Layer.ENVIRONMENT,)
        assert evaluation.unsafe


JUDGE = """
import sys, time
from evolve.sandbox import Sandbox
print("begun", flush=True)
sandbox = Sandbox()
child = sandbox.start("import time\\ndef wait():\\n    while True: pass\\n", 0)
print("started", flush=True)
child.ask([(0, "wait", ())])
"""


@contextmanager
def judge(until):
    """Yields a process that judges a policy that never answers, once it has said ``until``; kills it at the end."""
    with subprocess.Popen([sys.executable, "-c", JUDGE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.strip() == until for line in process.stdout)
        yield process
        process.kill()


def descendants(pid):
    """Returns the processes below one, by their number and the moment of their start, which no other ever has."""
    found, todo = {}, [pid]
    while todo:
        for task in Path(f"/proc/{todo.pop()}/task").glob("*"):
            children = [int(word) for word in (task / "children").read_text().split()]
            found.update({child: started(child) for child in children})
            todo += children
    return found


def started(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def left(processes, within_seconds=1.0):
    """Returns which of them still run after that long; zombies are dead, whoever should reap them."""
    deadline = time.monotonic() + within_seconds
    while True:
        running = [pid for pid, start in processes.items() if started(pid) == start and state(pid) not in "Zgone"]
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(0.01)


def wait_for(condition, within_seconds=20.0):
    deadline = time.monotonic() + within_seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def test_a_judge_that_is_killed_leaves_nothing_behind_within_a_second():
    with judge("started") as process:
        below = descendants(process.pid)
        assert len(below) == 3  # the guard, the zygote, the child
    assert left(below) == []


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_judge_that_is_killed_while_its_zygote_starts_leaves_nothing_behind(seconds):
    with judge("begun") as process:
        wait_for(lambda: descendants(process.pid))
        time.sleep(seconds)  # a start has many moments
        below = descendants(process.pid)
    assert left(below) == []


@pytest.mark.parametrize("victim", [0, 1], ids=["guard", "zygote"])
def test_a_guard_or_zygote_that_is_killed_takes_the_others_along_and_the_judge_is_told(victim):
    sandbox = Sandbox()
    child = sandbox.start("def f():\n    return 1\n", 0)
    guard = next(pid for pid in descendants(os.getpid()) if sandbox.zygote_pid in descendants(pid))
    below = {guard: started(guard), **descendants(guard)}
    assert len(below) == 3
    os.kill([guard, sandbox.zygote_pid][victim], signal.SIGKILL)
    assert left(below) == []
    with pytest.raises(SandboxError, match="zygote has ended"):
        child.close()
    with pytest.raises(SandboxError, match="zygote has ended"):
        sandbox.start("def f():\n    return 1\n", 0)
    sandbox.close()


def test_a_closed_sandbox_has_ended_its_processes():
    sandbox = Sandbox()
    guard = next(pid for pid in descendants(os.getpid()) if sandbox.zygote_pid in descendants(pid))
    below = {guard: started(guard), **descendants(guard)}
    sandbox.close()
    assert left(below) == []


@pytest.mark.alone
def test_the_price_of_all_walls_is_known_and_small():
    with Sandbox() as sandbox:
        bare = sorted(sandbox.fork_and_exit() for _ in range(100))
        locked = sorted(sandbox.fork_and_exit(locked=True) for _ in range(100))
    assert locked[50] < 4 * bare[50]  # `make bench` promises a millisecond; this machine may be slow or busy
