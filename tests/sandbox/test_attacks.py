"""Attacks from within a child: each works where no layer stands, and none where policies are judged.

A policy gets further than honest ones ever do here: it has ``os``, ``ctypes`` and every other loaded
module, and makes any system call it likes.  The attacks are in ``reach``, ``havoc`` and ``depths``, those on
the judge in ``forgeries`` and ``bombs``.
"""

import errno
import json
import os
import platform
import re
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evolve.sandbox import PolicyFailure, Sandbox, SandboxError, launcher, seccomp, selftest
from evolve.types import Layer, Limits, Verdict
from tests.sandbox import depths, forgeries, suite, table, tiers
from tests.sandbox.attack import CALLS, PREAMBLE, X86
from tests.sandbox.suite import ATTACKS, COLUMNS, FORGERIES, JUDGING, Measured, Outcome

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="needs Linux")

LIMITS = Limits(cpu_seconds=4, wall_seconds=60, call_seconds=20, memory_mib=128)

ENOUGH = 60
"""How many attacks must have been seen to work, and then not to."""

DENIED = {errno.EPERM, errno.EACCES, errno.ENOSYS}

UNUSUAL = {
    "starts a thread": "can't start new thread",
    "starts many threads": "can't start new thread",
    "has a function made at run time": "MemoryError",
}
"""How a library words what the kernel denied it."""


@pytest.fixture(scope="module")
def measured() -> Measured:
    try:
        return suite.measured()
    except SandboxError as error:
        pytest.skip(str(error))


def sandboxed(sandbox, body: str, *arguments, limits: Limits = LIMITS):
    lines = "\n".join("    " + line for line in body.splitlines())
    with sandbox.start(f"{PREAMBLE}\ndef attack(*given):\n{lines}\n", 0, limits) as child:
        return child.ask([(0, "attack", arguments)])[0]


# Attacks on the machine


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_works_where_no_layer_stands_and_not_where_policies_are_judged(measured, attack):
    for column in JUDGING:
        assert measured.attacks[column][attack.name].outcome in (Outcome.STOPPED, Outcome.NOT_RUN)
    control = measured.live[attack.name]
    assert control.outcome is not Outcome.BROKEN, control.detail
    if control.outcome is Outcome.NOT_RUN:
        pytest.skip(f"not run: {control.detail}")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_layer_that_is_there_for_an_attack_stops_it_alone(measured, attack):
    if measured.standing[attack.layer] != {attack.layer}:
        pytest.skip(f"this machine lacks {attack.layer}")
    finding = measured.attacks[attack.layer][attack.name]
    if finding.outcome is Outcome.NOT_RUN:
        pytest.skip(f"not run: {finding.detail}")
    assert finding.outcome is Outcome.STOPPED, finding.detail
    if attack.layer is Layer.SECCOMP:  # it failed because it was denied, not for want of what it looked for
        killed = "made a system call that no policy needs" in finding.detail
        assert killed or finding.error in DENIED or UNUSUAL.get(attack.name, "?") in finding.detail, finding.detail


def test_enough_attacks_were_seen_to_work_and_to_be_stopped(measured):
    live = [name for name, finding in measured.live.items() if finding.outcome is Outcome.WORKED]
    assert len(live) >= ENOUGH
    for column in JUDGING:
        assert {measured.attacks[column][name].outcome for name in live} == {Outcome.STOPPED}


@pytest.mark.parametrize(
    ("column", "header"),
    [(0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), (1, "/usr/include/asm-generic/unistd.h")],
)
def test_the_numbers_are_those_of_the_kernel_headers(column, header):
    if not Path(header).is_file():
        pytest.skip(f"no {header}")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", Path(header).read_text())
    known = {name: int(number) for name, number in defined}
    wrong = {name: row[column] for name, row in CALLS.items() if name in known and known[name] != row[column]}
    assert not wrong
    assert known.keys() & CALLS.keys()


def test_every_attack_has_a_name_of_its_own():
    names = [attack.name for attack in (*ATTACKS, *FORGERIES)]
    assert len(set(names)) == len(names)


# Forgeries


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forgery_deceives_a_naive_judge_and_not_ours(measured, forgery):
    assert measured.naive[forgery.name].detail == forgery.naive
    for column in JUDGING:
        finding = measured.forgeries[column][forgery.name]
        assert finding.outcome is Outcome.STOPPED, finding.detail


def test_the_six_classic_forgeries_forge():
    assert len(forgeries.CLASSIC) == 6
    assert {forgery.naive for forgery in forgeries.CLASSIC} == {forgeries.FOOLED}


# What is written down


@pytest.mark.parametrize("column", COLUMNS)
def test_the_table_says_of_a_column_what_is_seen_here(measured, column):
    text = table.FILE.read_text(encoding="utf-8")
    if why := table.incomparable(text, column, measured.standing):
        pytest.skip(why)
    differing = table.differing(table.cells(text)[column], table.marks(measured.attacks[column]))
    assert not differing, f"run `python -m tests.sandbox.suite --markdown > {table.FILE}` if this is meant: {differing}"


@pytest.mark.parametrize("column", [table.NAIVE, *JUDGING])
def test_the_table_says_of_a_judge_what_is_seen_here(measured, column):
    written = table.cells(table.FILE.read_text(encoding="utf-8"))[f"{column} (forgeries)"]
    seen = (
        {name: finding.detail for name, finding in measured.naive.items()}
        if column == table.NAIVE
        else table.marks(measured.forgeries[column])
    )
    assert written == seen


def test_the_table_has_a_row_for_every_attack():
    cells = table.cells(table.FILE.read_text(encoding="utf-8"))
    assert list(cells["all"]) == [attack.name for attack in ATTACKS]
    assert list(cells["all (forgeries)"]) == [forgery.name for forgery in FORGERIES]


def test_a_table_that_has_rotted_is_noticed(measured):
    cells = table.cells(table.markdown(measured))
    seen = table.marks(measured.attacks["all"])
    live = next(name for name, mark in seen.items() if mark == "+")
    assert table.differing(cells["all"], seen) == []
    assert table.differing({**cells["all"], live: "-"}, seen) == [live]
    assert table.differing({name: mark for name, mark in cells["all"].items() if name != live}, seen) == [live]


# Poorer machines


@pytest.fixture(scope="module")
def reports(measured):
    """What the suite sees on every tier; several at a time."""
    with ThreadPoolExecutor(3) as threads:
        return {name: threads.submit(report, name, measured) for name in tiers.TIERS}


def report(name: str, measured: Measured):
    if why := tiers.why_not(tiers.TIERS[name]):
        return why
    if tiers.TIERS[name] == tiers.Tier():  # it is where the tests run
        return suite.report(measured.live, measured.standing["all"], measured.attacks["all"], measured.forgeries["all"])
    done = tiers.inside(name, "-m", "tests.sandbox.suite", "--json")
    if done.returncode == tiers.NOT_HERE:
        return done.stdout.strip()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", tiers.TIERS)
def test_everything_is_stopped_on_every_machine_that_judges(reports, name):
    found = reports[name].result()
    if isinstance(found, str):
        pytest.skip(f"not run: {found}")
    assert not tiers.TIERS[name].without & set(found["layers"])
    live = {name for name, (outcome, *_) in found["controls"].items() if outcome == Outcome.WORKED}
    broken = {name: finding for name, finding in found["controls"].items() if finding[0] == Outcome.BROKEN}
    assert not broken
    assert len(live) >= ENOUGH
    assert {name: found["attacks"][name] for name in live if found["attacks"][name][0] != Outcome.STOPPED} == {}
    assert {name: finding for name, finding in found["forgeries"].items() if finding[0] != Outcome.STOPPED} == {}


@pytest.mark.parametrize(("name", "said"), [("no seccomp", "seccomp"), ("an old kernel", "needs Linux 5.3")])
def test_a_machine_that_cannot_judge_says_so_in_a_line(name, said):
    code = (
        "from evolve.sandbox import Sandbox, SandboxError\n"
        "try:\n    Sandbox()\nexcept SandboxError as error:\n    print(error)\n"
    )
    done = tiers.inside(name, "-c", code)
    if done.returncode == tiers.NOT_HERE:
        pytest.skip(f"not run: {done.stdout.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert said in done.stdout


# What no single attack shows


def test_no_other_system_call_does_anything(sandbox):
    tables = (seccomp.ALLOWED, seccomp.NAMELESS, seccomp.CLOCKS, seccomp.NOT_EXECUTABLE, seccomp.HOSTILE)
    tables += (seccomp.OWN_CORES,)  # with no argument all of these may do what they do
    listed = {number for calls in tables for number in seccomp.numbers(calls).values()}
    probes = {335, 336}  # the kernel itself calls uretprobe and uprobe; from elsewhere they are fatal
    others = [number for number in range(480) if number not in listed | probes]
    codes = sandboxed(sandbox, "return [call(number, 0, 0, 0, 0, 0, 0) for number in given[0]]", others)
    assert set(codes) <= {-errno.EPERM, -errno.ENOSYS}


@pytest.mark.parametrize("name", seccomp.HOSTILE)
def test_a_call_that_reads_other_processes_is_fatal(sandbox, name):
    with pytest.raises(PolicyFailure) as caught:
        sandboxed(sandbox, f'return call("{name}", os.getppid(), 0, 0, 0, 0, 0)')
    assert caught.value.verdict is Verdict.FORBIDDEN
    assert "made a system call" in caught.value.message


@pytest.mark.skipif(platform.machine() != X86, reason="only x86-64 has a second table")
@pytest.mark.parametrize("entry", [seccomp.X32_BIT | 39, seccomp.X32_BIT | 520])
def test_the_other_table_of_system_calls_is_fatal(sandbox, entry):
    with pytest.raises(PolicyFailure) as caught:
        sandboxed(sandbox, f"return call({entry})")
    assert caught.value.verdict is Verdict.FORBIDDEN


@pytest.mark.skipif(platform.machine() != X86, reason="only x86-64 has such a gate")
def test_the_gate_of_32_bit_programs_is_fatal_even_to_who_finds_it_in_executable_memory():
    code = (
        "import ctypes, mmap, os, sys\n"
        "from evolve.sandbox import kernel, seccomp\n"
        f"memory = mmap.mmap(-1, 4096, prot=7)\nmemory.write(bytes.fromhex('{depths.INT_80}'))\n"
        "gate = ctypes.PYFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))\n"
        "if sys.argv[1:]:\n    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)\n"
        "    kernel.install_filter(seccomp.program())\n"
        "os._exit(0 if gate() == os.getpid() else 1)\n"
    )
    at_large, filtered = (subprocess.run([sys.executable, "-c", code, *how], check=False) for how in ([], ["filtered"]))
    if at_large.returncode != 0:
        pytest.skip("this kernel runs no 32-bit programs")
    assert filtered.returncode == -signal.SIGSYS


def test_secrets_of_the_judge_are_not_in_the_child(sandbox):
    body = "return [sorted(os.environ), sys.path, sys.argv, sys.orig_argv]"
    environment, *places = sandboxed(sandbox, body)
    assert set(environment) == set(launcher.ENVIRONMENT)
    assert len(environment) == 6
    assert places == [[], [""], []]


def test_a_child_holds_its_pipes_and_its_output_and_nothing_else(sandbox):
    body = (
        "found = []\n"
        "for number in range(4096):\n"
        '    if call("fstat", number, room()) == 0:\n'
        "        found.append(number)\n"
        "return found"
    )
    assert len(sandboxed(sandbox, body)) == 5


def test_limits_are_set_to_the_last_one(sandbox):
    body = (
        "limits = {}\n"
        "for what in range(16):\n"
        "    pair = (ctypes.c_uint64 * 2)()\n"
        '    assert call("getrlimit", what, pair) == 0\n'
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
    codes = sandboxed(sandbox, 'return [call("dup", 0) for _ in range(20)]')
    assert codes[-1] == -errno.EMFILE


def test_the_judge_and_the_zygote_survive_being_attacked(sandbox):
    body = 'return [call("kill", pid, 9) for pid in (*given, 0, -1)] + [call("pidfd_send_signal", 3, 9, 0, 0)]'
    assert set(sandboxed(sandbox, body, os.getpid(), sandbox.zygote_pid)) == {-errno.EPERM}
    assert Path(f"/proc/{sandbox.zygote_pid}").exists()


def test_memory_of_one_child_is_not_in_the_next(sandbox):
    sandboxed(sandbox, "import json\njson.planted = sys.planted = 'a secret'\nos.environ['PLANTED'] = 'yes'\nreturn 1")
    body = "import json\nreturn [hasattr(json, 'planted'), hasattr(sys, 'planted'), 'PLANTED' in os.environ]"
    assert sandboxed(sandbox, body) == [False, False, False]


def test_a_judge_is_not_disturbed_by_signals_of_a_child(sandbox):
    received = []
    old = signal.signal(signal.SIGUSR1, lambda *_: received.append(1))
    try:
        assert sandboxed(sandbox, 'return call("rt_sigqueueinfo", given[0], 10, 0)', os.getpid()) == -errno.EPERM
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert received == []


# What `evolve doctor` shows


def test_the_self_test_finds_every_wall_standing(sandbox):
    findings = selftest.attack_all(sandbox)
    assert [finding for finding in findings if not finding.stopped] == []
    assert len(findings) == len(selftest.ATTACKS)


def test_the_self_test_would_notice_an_environment_that_is_not_fresh(monkeypatch):
    monkeypatch.setitem(launcher.ENVIRONMENT, "SECRET_KEY", "1")  # after the attack was written down
    with Sandbox() as leaky:
        found = {finding.name: finding for finding in selftest.attack_all(leaky)}
    assert not found["read the environment"].stopped
    assert all(finding.stopped for name, finding in found.items() if name != "read the environment")
