"""The table of system calls and the filter made of it."""

import errno
import re
import struct
from pathlib import Path

import pytest

from evolve.sandbox import seccomp

HEADERS = [
    Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Path("/usr/include/asm/unistd_64.h"),
    Path("/usr/include/asm-x86/unistd_64.h"),
]
TABLES = (seccomp.ALLOWED, seccomp.NOT_EXECUTABLE, seccomp.HOSTILE, seccomp.NO_SUCH_CALL)
CODE = list(struct.iter_unpack("<HBBI", seccomp.program()))
KEPT_OUT = (2, 41, 56, 57, 58, 59, 62, 101, 157, 160, 200, 231 + 26, 302, 319, 322, 425, 435)
"""open, socket, clone, fork, vfork, execve, kill, ptrace, prctl, setrlimit, tkill, openat, prlimit64,
memfd_create, execveat, io_uring_setup, clone3."""


def verdict(number: int, *, arch: int = seccomp.AUDIT_ARCH_X86_64, argument_2: int = 0) -> int:
    """Runs the program as the kernel would (Linux, kernel/seccomp.c) and returns its action."""
    data = struct.pack("<IIQ6Q", number, arch, 0, 0, 0, argument_2, 0, 0, 0)
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = CODE[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x06:
            return value
        else:
            tests = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
            at += if_true if tests[operation] else if_false


def test_the_numbers_are_those_of_the_kernel_headers():
    header = next((path for path in HEADERS if path.is_file()), None)
    if header is None:
        pytest.skip("no kernel headers on this machine")
    known = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", header.read_text())}
    for table in TABLES:
        for name, number in table.items():
            if name in known:  # headers older than a call do not know it
                assert known[name] == number, name
    assert known.keys() & seccomp.ALLOWED.keys()


def test_no_number_stands_in_two_tables():
    numbers = [number for table in TABLES for number in table.values()]
    assert len(numbers) == len(set(numbers))


def test_the_program_is_short_enough_for_the_kernel_and_jumps_nowhere_beyond_its_end():
    program = seccomp.program()
    assert len(program) % 8 == 0
    count = len(program) // 8
    assert count <= 4096
    for index in range(count):
        operation, if_true, if_false, _ = struct.unpack_from("<HBBI", program, 8 * index)
        if operation & 7 == 5:
            assert index + 1 + max(if_true, if_false) < count
    assert struct.unpack_from("<H", program, 8 * (count - 1))[0] == 0x06


def test_every_listed_call_gets_its_action():
    assert {verdict(number) for number in seccomp.ALLOWED.values()} == {seccomp.ALLOW}
    assert {verdict(number) for number in seccomp.HOSTILE.values()} == {seccomp.KILL_PROCESS}
    assert {verdict(number) for number in seccomp.NO_SUCH_CALL.values()} == {seccomp.ERRNO | errno.ENOSYS}


def test_everything_else_is_denied():
    listed = {number for table in TABLES for number in table.values()}
    others = {verdict(number) for number in range(600) if number not in listed}
    assert others == {seccomp.ERRNO | errno.EPERM}
    assert all(verdict(number) != seccomp.ALLOW for number in KEPT_OUT)


@pytest.mark.parametrize("number", seccomp.NOT_EXECUTABLE.values())
@pytest.mark.parametrize("protection", range(8))
def test_memory_is_had_unless_it_is_executable(number, protection):
    denied = seccomp.ERRNO | errno.EACCES
    assert verdict(number, argument_2=protection) == (denied if protection & 4 else seccomp.ALLOW)
    assert verdict(number, argument_2=protection | 1 << 40) == (denied if protection & 4 else seccomp.ALLOW)


def test_other_entries_into_the_kernel_are_fatal():
    i386 = 0x4000_0003
    assert verdict(1, arch=i386) == seccomp.KILL_PROCESS
    assert verdict(1 | seccomp.X32_BIT) == seccomp.KILL_PROCESS
    assert verdict(0xFFFF_FFFF) == seccomp.KILL_PROCESS
