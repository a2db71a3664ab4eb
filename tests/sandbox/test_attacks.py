"""Attacks on the machine from within a child, each shown to work where there is no sandbox.

A policy gets further than honest ones ever do here: it has ``os``, ``ctypes`` and every other loaded
module, and makes any system call it likes.
"""

import ast
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evolve.sandbox import PolicyFailure, Sandbox, launcher, seccomp, selftest
from evolve.types import Layer, Limits, Verdict

LIMITS = Limits(cpu_seconds=2, wall_seconds=6, call_seconds=2, memory_mib=128)
PREAMBLE = """
import random, time
os = random._os
sys = os.sys
ctypes = sys.modules["ctypes"]
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if type(a) is int else a for a in arguments])
    return result if result >= 0 else -ctypes.get_errno()
"""


def sandboxed(sandbox, body: str, *arguments, limits: Limits = LIMITS):
    with sandbox.start(f"{PREAMBLE}\ndef attack(*given):\n{indented(body)}", [0], limits) as child:
        return child.ask([(0, "attack", arguments)])[0]


def at_large(body: str, *arguments):
    """Runs the same attack in an ordinary process and returns what it returned."""
    attack = f"def attack(*given):\n{indented(body)}\nprint(repr(attack(*{arguments!r})), flush=True)"
    code = f"import ctypes\n{PREAMBLE}\n{attack}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout.splitlines()[-1])


def indented(body: str) -> str:
    return "\n".join("    " + line for line in body.splitlines()) + "\n"


ATTACKS = {
    "reads a file": "return open('/etc/passwd').read()[:4]",
    "reads a file by system call": "return call(2, b'/etc/passwd', 0)",
    "reads a file by openat": "return call(257, -100, b'/etc/passwd', 0, 0)",
    "reads a file by openat2": "return call(437, -100, b'/etc/passwd', (ctypes.c_uint64 * 3)(), 24)",
    "reads the environment of its parent": "return call(2, f'/proc/{os.getppid()}/environ'.encode(), 0)",
    "reads a file through /proc/self/root": "return call(2, b'/proc/self/root' b'/etc/passwd', 0)",
    "looks a file up": "return len(os.stat('/etc/passwd'))",
    "looks a file up by statx": "return call(332, -100, b'/etc/passwd', 0, 4095, ctypes.create_string_buffer(512))",
    "lists a folder": "return len(os.listdir('/'))",
    "asks where a link leads": "return len(os.readlink('/proc/self/exe'))",
    "changes its folder": "return os.chdir('/tmp') or 0",
    "opens a socket": "return call(41, 2, 1, 0)",
    "opens a unix socket": "return call(41, 1, 1, 0)",
    "opens a pair of sockets": "return call(53, 1, 1, 0, (ctypes.c_int * 2)())",
    "forks": "pid = os.fork()\nif pid == 0:\n    os._exit(0)\nos.waitpid(pid, 0)\nreturn 1",
    "forks by system call": "pid = call(57)\nif pid == 0:\n    os._exit(0)\nreturn pid",
    "forks by clone": "pid = call(56, 17, 0, 0, 0, 0)\nif pid == 0:\n    os._exit(0)\nreturn pid",
    "starts a thread": "return sys.modules['_thread'].start_new_thread(time.sleep, (0,)) and 1",
    "makes a file in memory": "return os.memfd_create('x')",
    "makes secret memory": "return call(447, 0)",
    "makes a segment of shared memory": "return call(29, 0, 4096, 0o1600)",
    "makes a message queue": "return call(68, 0, 0o1600)",
    "makes a pipe": "return len(os.pipe())",
    "makes an event descriptor": "return call(290, 0, 0)",
    "sets a timer": "return call(37, 0)",
    "asks for control of a descriptor": "return call(16, os.pipe()[0], 0x541B, ctypes.create_string_buffer(8))",
    "asks whether it can be traced": "return call(157, 3, 0, 0, 0, 0)",
    "names itself": "return call(157, 15, b'nobody', 0, 0, 0)",
    "leaves its death to chance": "return call(157, 1, 0, 0, 0, 0)",
    "asks for executable memory": "return call(9, 0, 4096, 7, 0x22, -1, 0) > 0 and 1 or -1",
    "makes memory executable": (
        "at = call(9, 0, 4096, 3, 0x22, -1, 0)\nassert at > 0\nresult = call(10, at, 4096, 5)\nreturn result"
    ),
    "has a function made at run time": "return ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)()",
    "signals itself": "return call(62, os.getpid(), 0)",
    "signals its thread": "return call(234, os.getpid(), call(186), 0)",
    "raises its limits": "return call(302, 0, 9, (ctypes.c_uint64 * 2)(1 << 40, 1 << 40), 0)",
    "looks at the limits of its parent": "return call(302, os.getppid(), 9, 0, (ctypes.c_uint64 * 2)())",
    "lowers its priority": "return os.nice(1)",
    "chooses its cores": "return call(203, 0, 8, ctypes.byref(ctypes.c_uint64(1)))",
    "asks for another name space": "pid = call(272, 0x10000000)\nreturn pid",
    "shapes its own pipes": "return call(72, 0, 1, 0)",
    "copies a descriptor over another": "return call(33, 0, 0)",
    "watches files": "return call(253)",
    "makes a ring of requests": "return call(425, 1, ctypes.create_string_buffer(120))",
    "adds a key": "return call(250, 0, -3, 1)",
    "runs a program": "return call(59, b'/no/such/program', 0, 0) != -2 and -1 or 1",
}
"""Each returns something that is not negative when it works."""

MAY_FAIL_AT_LARGE = {"makes secret memory", "makes a ring of requests", "asks for another name space", "adds a key"}
"""What other walls of the machine may stop already."""

UNUSUAL = {
    "starts a thread": "can't start new thread",
    "has a function made at run time": "",
}
"""Errors other than PermissionError, and what they say."""


@pytest.mark.parametrize("what", ATTACKS)
def test_an_attack_works_outside_and_not_inside(sandbox, what):
    outside = at_large(ATTACKS[what])
    assert what in MAY_FAIL_AT_LARGE or not isinstance(outside, int) or outside >= 0
    try:
        inside = sandboxed(sandbox, ATTACKS[what])
    except PolicyFailure as failure:
        denied = "PermissionError" in failure.message and failure.verdict is Verdict.FORBIDDEN
        assert denied or (what in UNUSUAL and UNUSUAL[what] in failure.message), failure.message
    else:
        assert type(inside) is int
        assert inside < 0


def test_no_other_system_call_does_anything(sandbox):
    tables = (seccomp.ALLOWED, seccomp.NOT_EXECUTABLE, seccomp.HOSTILE)
    listed = {name: number for table in tables for name, number in seccomp.numbers(table).items()}
    probes = {335, 336}  # the kernel itself calls uretprobe and uprobe; from elsewhere they are fatal
    others = [number for number in range(480) if number not in {*listed.values(), *probes}]
    codes = sandboxed(sandbox, "return [call(number, 0, 0, 0, 0, 0, 0) for number in given[0]]", others)
    assert set(codes) <= {-1, -38}


@pytest.mark.parametrize("name", seccomp.HOSTILE)
def test_a_call_that_reads_other_processes_is_fatal(sandbox, name):
    with pytest.raises(PolicyFailure) as caught:
        sandboxed(sandbox, f"return call({seccomp.numbers(seccomp.HOSTILE)[name]}, os.getppid(), 0, 0, 0, 0, 0)")
    assert caught.value.verdict is Verdict.FORBIDDEN
    assert "made a system call" in caught.value.message


@pytest.mark.parametrize("entry", [seccomp.X32_BIT | 39, seccomp.X32_BIT | 520])
def test_the_other_table_of_system_calls_is_fatal(sandbox, entry):
    with pytest.raises(PolicyFailure) as caught:
        sandboxed(sandbox, f"return call({entry})")
    assert caught.value.verdict is Verdict.FORBIDDEN


def test_secrets_of_the_judge_are_not_in_the_child(sandbox):
    body = "return [sorted(os.environ), sys.path, sys.argv, sys.orig_argv]"
    environment, *places = sandboxed(sandbox, body)
    assert set(environment) == {
        "PATH",
        "LANG",
        "PYTHONHASHSEED",
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
    }
    assert places == [[], [""], []]


def test_a_child_holds_its_pipes_and_its_output_and_nothing_else(sandbox):
    body = (
        "found = []\n"
        "for number in range(4096):\n"
        "    if call(5, number, ctypes.create_string_buffer(256)) == 0:\n"
        "        found.append(number)\n"
        "return found"
    )
    assert len(sandboxed(sandbox, body)) == 5


def test_limits_are_set_to_the_last_one(sandbox):
    body = (
        "limits = {}\n"
        "for what in range(16):\n"
        "    pair = (ctypes.c_uint64 * 2)()\n"
        "    assert call(97, what, pair) == 0\n"
        "    limits[what] = [min(amount, 1 << 62) for amount in pair]\n"
        "return limits"
    )
    limits = sandboxed(sandbox, body)
    exact = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: LIMITS.cpu_seconds,
        resource.RLIMIT_FSIZE: 64 << 10,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 16,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_STACK: 8 << 20,
    }
    assert {what: limits[what] for what in exact} == {what: [amount] * 2 for what, amount in exact.items()}
    assert limits[resource.RLIMIT_AS][1] < (4 << 30) + (LIMITS.memory_mib << 20)


def test_a_child_is_no_root(sandbox):
    assert Layer.USER in sandbox.layers
    assert 0 not in sandboxed(sandbox, "return [os.getuid(), os.geteuid()]")


def test_descriptors_run_out_soon(sandbox):
    too_many_open_files = -24
    codes = sandboxed(sandbox, "return [call(32, 0) for _ in range(20)]")
    assert codes[-1] == too_many_open_files


def test_the_output_file_cannot_be_grown_or_mapped_to_fill_memory(sandbox):
    assert sandboxed(sandbox, "return [call(77, 1, 1 << 30), call(285, 1, 0, 0, 1 << 30)]") == [-1, -1]
    far = "os.lseek(1, 1 << 30, 0)\nreturn os.write(1, b'x')"
    with pytest.raises(PolicyFailure, match="File too large"):
        sandboxed(sandbox, far)


def test_the_judge_and_the_zygote_survive_being_attacked(sandbox):
    body = "return [call(62, pid, 9) for pid in given] + [call(62, 0, 9), call(62, -1, 9), call(424, 3, 9, 0, 0)]"
    assert set(sandboxed(sandbox, body, os.getpid(), sandbox.zygote_pid)) == {-1}
    assert Path(f"/proc/{sandbox.zygote_pid}").exists()


def test_memory_of_one_child_is_not_in_the_next(sandbox):
    sandboxed(sandbox, "import json\njson.planted = sys.planted = 'a secret'\nos.environ['PLANTED'] = 'yes'\nreturn 1")
    body = "import json\nreturn [hasattr(json, 'planted'), hasattr(sys, 'planted'), 'PLANTED' in os.environ]"
    assert sandboxed(sandbox, body) == [False, False, False]


def test_no_way_leads_into_the_memory_of_the_judge(sandbox):
    body = (
        "path = f'/proc/{given[0]}/mem'.encode()\n"
        "return [call(2, path, 2), call(257, -100, path, 2, 0), call(438, 3, 0, 0), call(434, given[0], 0)]"
    )
    assert set(sandboxed(sandbox, body, os.getpid())) == {-1}


def test_the_self_test_finds_every_wall_standing(sandbox):
    findings = selftest.attack_all(sandbox)
    assert [finding for finding in findings if not finding.stopped] == []
    assert len(findings) == len(selftest.ATTACKS)


def test_a_judge_is_not_disturbed_by_signals_of_a_child(sandbox):
    received = []
    old = signal.signal(signal.SIGUSR1, lambda *_: received.append(1))
    try:
        assert sandboxed(sandbox, "return call(129, given[0], 10, 0)", os.getpid()) == -1
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert received == []


def test_the_self_test_would_notice_an_environment_that_is_not_fresh(monkeypatch):
    monkeypatch.setitem(launcher.ENVIRONMENT, "SECRET_KEY", "1")  # after the attack was written down
    with Sandbox() as leaky:
        found = {finding.name: finding for finding in selftest.attack_all(leaky)}
    assert not found["read the environment"].stopped
    assert all(finding.stopped for name, finding in found.items() if name != "read the environment")
