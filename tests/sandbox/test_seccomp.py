"""The table of system calls and the filter made of it."""

import errno
import platform
import re
import struct
from pathlib import Path

import pytest

from evolve.sandbox import seccomp

HEADERS = {
    "x86_64": [
        Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        Path("/usr/include/asm/unistd_64.h"),
        Path("/usr/include/asm-x86/unistd_64.h"),
    ],
    "aarch64": [Path("/usr/include/asm-generic/unistd.h")],
}
PROCESSORS = list(seccomp.AUDIT)
TABLES = (
    seccomp.ALLOWED,
    seccomp.NAMELESS,
    seccomp.OWN_CORES,
    seccomp.CLOCKS,
    seccomp.LOCKS,
    seccomp.NOT_EXECUTABLE,
    seccomp.HOSTILE,
    seccomp.NO_SUCH_CALL,
)
DENIED = seccomp.ERRNO | errno.EPERM
CODE = {processor: list(struct.iter_unpack("<HBBI", seccomp.program(processor))) for processor in PROCESSORS}
KEPT_OUT = {
    "x86_64": (2, 41, 56, 57, 58, 59, 62, 101, 157, 160, 200, 257, 302, 319, 322, 425, 435),
    "aarch64": (56, 198, 220, 221, 129, 117, 167, 164, 130, 131, 261, 279, 281, 425, 435),
}
"""open(at), socket, clone, fork, vfork, execve, kill, ptrace, prctl, setrlimit, t(g)kill, prlimit64, memfd_create,
execveat, io_uring_setup, clone3."""

pytestmark = pytest.mark.parametrize("processor", PROCESSORS)


def verdict(processor: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Runs the program as the kernel would (Linux, kernel/seccomp.c) and returns its action."""
    arch = seccomp.AUDIT[processor] if arch is None else arch
    data = struct.pack("<IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = CODE[processor][at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x06:
            return value
        else:
            tests = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
            at += if_true if tests[operation] else if_false


def test_the_numbers_are_those_of_the_kernel_headers(processor):
    header = next((path for path in HEADERS[processor] if path.is_file()), None)
    if header is None:
        pytest.skip("no kernel headers on this machine")
    found = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", header.read_text())
    known = {name: int(number) for name, number in reversed(found)}  # of two the first is the 64-bit one
    for table in TABLES:
        for name, number in seccomp.numbers(table, processor).items():
            if name in known:  # headers older than a call do not know it
                assert known[name] == number, name
    listed = {name for table in TABLES for name in table}
    assert len(known.keys() & listed) >= 49
    missing = {name for table in TABLES for name, row in table.items() if row[PROCESSORS.index(processor)] is None}
    assert not known.keys() & missing


def test_no_number_stands_in_two_tables(processor):
    numbers = [number for table in TABLES for number in seccomp.numbers(table, processor).values()]
    assert len(numbers) == len(set(numbers))


def test_the_program_is_short_enough_for_the_kernel_and_jumps_nowhere_beyond_its_end(processor):
    program = seccomp.program(processor)
    assert len(program) % 8 == 0
    count = len(program) // 8
    assert count <= 4096
    for index in range(count):
        operation, if_true, if_false, _ = struct.unpack_from("<HBBI", program, 8 * index)
        if operation & 7 == 5:
            assert index + 1 + max(if_true, if_false) < count
    assert struct.unpack_from("<H", program, 8 * (count - 1))[0] == 0x06


def test_every_listed_call_gets_its_action(processor):
    def actions(table):
        return {verdict(processor, number) for number in seccomp.numbers(table, processor).values()}

    assert actions(seccomp.ALLOWED) == {seccomp.ALLOW}
    assert actions(seccomp.NAMELESS) == {seccomp.ERRNO}
    assert actions(seccomp.HOSTILE) == {seccomp.KILL_PROCESS}
    assert actions(seccomp.NO_SUCH_CALL) == {seccomp.ERRNO | errno.ENOSYS}


def test_everything_else_is_denied(processor):
    listed = {number for table in TABLES for number in seccomp.numbers(table, processor).values()}
    others = {verdict(processor, number) for number in range(600) if number not in listed}
    assert others == {seccomp.ERRNO | errno.EPERM}
    assert all(verdict(processor, number) != seccomp.ALLOW for number in KEPT_OUT[processor])


@pytest.mark.parametrize("name", seccomp.NOT_EXECUTABLE)
@pytest.mark.parametrize("protection", range(8))
def test_memory_is_had_unless_it_is_executable(processor, name, protection):
    number = seccomp.numbers(seccomp.NOT_EXECUTABLE, processor)[name]
    expected = seccomp.ERRNO | errno.EACCES if protection & 4 else seccomp.ALLOW
    assert verdict(processor, number, 0, 0, protection) == expected
    assert verdict(processor, number, 0, 0, protection | 1 << 40) == expected


def test_clocks_and_cores_are_those_of_the_machine_and_not_of_other_processes(processor):
    for number in seccomp.numbers(seccomp.CLOCKS, processor).values():
        assert {verdict(processor, number, clock) for clock in range(12)} == {seccomp.ALLOW}
        others = [12, 0xFFFF_FFFA, (~1234 << 3 | 2) & 0xFFFF_FFFF, (~1234 << 3 | 2) & (1 << 64) - 1]
        assert {verdict(processor, number, clock) for clock in others} == {DENIED}
    (cores,) = seccomp.numbers(seccomp.OWN_CORES, processor).values()
    assert [verdict(processor, cores, process) for process in (0, 1, 4321)] == [seccomp.ALLOW, DENIED, DENIED]


def test_locks_are_those_of_the_process_itself(processor):
    (futex,) = seccomp.numbers(seccomp.LOCKS, processor).values()
    wait, wake, lock_pi, wait_bitset, private, real_time = 0, 1, 6, 9, 128, 256
    allowed = [wait | private, wake | private, wait_bitset | private, wait_bitset | private | real_time]
    assert {verdict(processor, futex, 0, command) for command in allowed} == {seccomp.ALLOW}
    shared = [wait, wake, wait_bitset, wait_bitset | real_time, lock_pi]
    denied = [*shared, lock_pi | private, 2 | private, 1 << 31 | private]
    assert {verdict(processor, futex, 0, command) for command in denied} == {DENIED}


def test_other_entries_into_the_kernel_are_fatal(processor):
    others = {0x4000_0003, 0x4000_0028, *seccomp.AUDIT.values()} - {seccomp.AUDIT[processor]}  # 32-bit x86 and ARM too
    assert {verdict(processor, 63, arch=arch) for arch in others} == {seccomp.KILL_PROCESS}
    if processor == "x86_64":
        assert verdict(processor, 1 | seccomp.X32_BIT) == seccomp.KILL_PROCESS
        assert verdict(processor, 0xFFFF_FFFF) == seccomp.KILL_PROCESS


def test_a_processor_without_a_table_is_named(processor, monkeypatch):
    assert processor in seccomp.missing("riscv64")
    assert "riscv64" in seccomp.missing("riscv64")
    monkeypatch.setattr(seccomp.kernel, "knows_filters", lambda: False)
    assert "takes no system-call filters" in seccomp.missing(processor)
    assert platform.machine() not in PROCESSORS or "takes no" in seccomp.missing()
