"""What the doctor says of GPUs, from what the driver's program prints."""

import os
import sys
import time
from pathlib import Path

import pytest

from evolve.report import doctor, gpu, tables
from evolve.report.gpu import Gpu, describe, examine, run

H200 = "NVIDIA H200, 143771 MiB, 550.54.15, 9.0\n"
HOURS = f"7200.{os.getpid()}"  # what no other process sleeps
HERE = {"torch": "2.9.1", "triton": "3.5.1"}.get


def nothing(name):
    return None


def failing(message):
    def ask(command):
        raise OSError(message)

    return ask


def test_a_gpu_and_what_drives_it_are_named():
    found = examine(lambda command: H200, HERE)
    assert found.found == (Gpu("NVIDIA H200", "143771 MiB", "550.54.15", "9.0"),)
    assert (found.why_none, found.missing) == ("", [])
    assert describe(found) == [
        "NVIDIA H200, 143771 MiB, driver 550.54.15, compute capability 9.0",
        "torch 2.9.1, triton 3.5.1",
    ]


def test_the_driver_is_asked_for_what_is_shown():
    asked = []
    examine(lambda command: asked.append(tuple(command)) or H200, HERE)
    fields = "name,memory.total,driver_version,compute_cap"
    assert asked == [("nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader")]


def test_several_gpus_have_a_line_each_and_a_comma_in_a_name_is_part_of_it():
    found = examine(lambda command: H200 + "Some, odd card, [N/A], 1.2, [N/A]\n", HERE)
    assert [card.name for card in found.found] == ["NVIDIA H200", "Some, odd card"]
    assert len(describe(found)) == 3


@pytest.mark.parametrize("said", ["", "\n", "No devices were found\n"])
def test_a_driver_without_a_gpu_is_one_line(said):
    found = examine(lambda command: said, HERE)
    assert found.found == ()
    assert describe(found)[0] == f"none: nvidia-smi names none{': No devices were found' if said.strip() else ''}"
    assert "replay tables" in describe(found)[-1]


def test_where_nothing_can_be_measured_it_says_what_is_missing_and_that_tables_replay():
    found = examine(failing("nvidia-smi is not on the path"), nothing)
    assert found.missing == ["torch", "triton"]
    assert describe(found) == [
        "none: nvidia-smi is not on the path",
        "torch not installed, triton not installed (needed to measure on a GPU: pip install torch triton)",
        "nothing can be measured here; problems of GPU kernels replay tables of times, where some were recorded",
    ]


def test_a_gpu_without_the_packages_says_how_to_get_them():
    lines = describe(examine(lambda command: H200, {"torch": "2.9.1"}.get))
    assert lines[1] == "torch 2.9.1, triton not installed (needed to measure on a GPU: pip install torch triton)"


def test_what_a_driver_prints_is_shown_and_not_obeyed():
    hostile = "\x1b[2J" + "x" * 10_000
    for found in (examine(failing(hostile), HERE), examine(lambda command: f"{hostile}, 1, 2, 3", HERE)):
        assert all(line.isprintable() and len(line) < 400 for line in describe(found))


def test_a_machine_without_a_gpu_is_as_sound_as_with_one(monkeypatch):
    monkeypatch.setattr(gpu, "run", failing("nvidia-smi is not on the path"))
    health = doctor.examine()
    assert health.sound
    assert "gpu       none: nvidia-smi is not on the path\n" in doctor.describe(health)
    assert '"why_none": "nvidia-smi is not on the path"' in tables.as_json(health)


def test_the_doctor_does_not_load_what_measures(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # to import it would fail
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.setattr(gpu, "run", lambda command: H200)
    assert "gpu       NVIDIA H200, 143771 MiB" in doctor.describe(doctor.examine())


# the program itself


def program(folder: Path, script: str) -> str:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_program_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(OSError, match=r"nvidia-smi is not on the path; it comes with the driver of an NVIDIA GPU"):
        run([str(tmp_path / "nvidia-smi")])
    (tmp_path / "nvidia-smi").mkdir()
    with pytest.raises(OSError, match=r"^nvidia-smi cannot be started: Permission denied$"):
        run([str(tmp_path / "nvidia-smi")])


def test_a_program_that_fails_is_quoted(tmp_path):
    with pytest.raises(OSError, match=r"nvidia-smi failed: couldn't communicate with the NVIDIA driver$"):
        run([program(tmp_path, 'echo "couldn\'t communicate with the NVIDIA driver"; exit 9')])
    with pytest.raises(OSError, match=r"nvidia-smi failed: status 3$"):
        run([program(tmp_path, "exit 3")])


def test_a_program_that_answers_is_heard(tmp_path):
    assert run([program(tmp_path, f"echo '{H200.strip()}'")]) == H200


def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path):
    hanging = program(tmp_path, f"sleep {HOURS} & sleep {HOURS}")
    with pytest.raises(OSError, match=r"nvidia-smi did not answer within 0\.1 s: its driver hangs"):
        run([hanging], 0.1)
    until = time.monotonic() + 5
    while left := [name for name in commands() if hanging in name or HOURS in name]:
        assert time.monotonic() < until, left  # they are killed, and it takes a moment to be gone


def commands():
    """Yields the command lines of all processes."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue
