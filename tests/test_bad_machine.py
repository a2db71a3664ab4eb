"""A bad machine: no room on its disks, and processes that are killed.  What was told stays, and nothing is left."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny

EVALUATIONS = 60
SECONDS_TO_GO = 1.0
SPINNING = "def guess(x):\n    while True:\n        pass\n"


def evolve(*arguments):
    return shlex.join([sys.executable, "-m", "evolve", *map(str, arguments)])


def run():
    return evolve("run", "tiny.py", "--evaluations", EVALUATIONS, "--out", "small/run", "--workers", 2)


def in_a_mount_namespace(folder, *lines):
    """Runs a shell script whose mounts nobody else sees, in a folder with the problem; skips where that is denied."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk, as root has")
    tiny.write(folder)
    (folder / "small").mkdir()
    script = "\n".join(lines)
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script], cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )


def told(text):
    """Returns what a search was told, by its log; finalists are judged on validation only at its end."""
    steps = json.loads(text or "[]")
    return [{name: value for name, value in step.items() if not name.startswith("validation")} for step in steps]


@pytest.mark.parametrize("size", ["100k", "300k", "500k"])
def test_a_full_disk_ends_a_run_in_a_line_and_with_room_the_same_command_goes_on(tmp_path, size):
    log = evolve("log", "small/run", "--all", "--json")
    done = in_a_mount_namespace(
        tmp_path,
        f"mount -t tmpfs -o size={size} none small",
        f"{run()} >out.txt 2>errors.txt; echo $? >status.txt",
        f"{log} >before.json 2>/dev/null",
        "mount -o remount,size=50m small",
        f"{run()} >again.txt 2>&1 || exit 1",
        f"{log} >after.json",
    )
    assert done.returncode == 0, (done.stderr, (tmp_path / "again.txt").read_text())
    assert (tmp_path / "status.txt").read_text() == "1\n"
    errors = (tmp_path / "errors.txt").read_text()
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("evolve: ")
    assert "disk is full); make room on its disk, and the same command goes on" in errors.splitlines()[-1]
    before, after = (told((tmp_path / name).read_text()) for name in ("before.json", "after.json"))
    assert len(after) == EVALUATIONS
    assert after[: len(before)] == before
    assert len(before) < EVALUATIONS
    assert before or size == "100k"


MADE = """
import subprocess, sys
from pathlib import Path
from evolve.journal.database import JournalError
from evolve.journal.header import Header
from evolve.journal import Journal

file = Path("small/journal.sqlite")
for size in range(40, 400, 12):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", "small"], check=True)
    try:
        Journal.create(file, Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "", "h", "now")).close()
    except JournalError as error:
        assert "make room on its disk" in str(error), (size, error)
    if file.exists():
        subprocess.run(["mount", "-o", "remount,size=50m", "small"], check=True)
        with Journal.open(file) as journal:
            journal.check()
    print(size, file.exists())
    subprocess.run(["umount", "-l", "small"], check=True)
"""


def test_on_a_full_disk_a_journal_is_made_whole_or_not_at_all(tmp_path):
    done = in_a_mount_namespace(tmp_path, f"{shlex.join([sys.executable, '-c', MADE])}")
    assert done.returncode == 0, done.stderr
    assert {line.split()[1] for line in done.stdout.splitlines()} == {"False", "True"}


def test_a_full_shared_memory_disturbs_nothing(tmp_path):
    done = in_a_mount_namespace(
        tmp_path,
        "mount -t tmpfs -o size=64k none /dev/shm",
        "dd if=/dev/zero of=/dev/shm/full bs=4k 2>/dev/null",
        f"exec {run()}",
    )
    assert done.returncode == 0, done.stderr
    assert f"judged    {EVALUATIONS} evaluations" in done.stdout


# Killed processes.  Each of ours, also a policy's, has the module path of its maker in its command line.


def ours(marker):
    """Returns the processes that a command with a marker in its path has started, itself included; no zombies."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
            parent = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if str(marker) in words:
            found[int(folder.name)] = parent
    return found


def below(of, marker):
    """Returns the descendants of a process."""
    parents, found = ours(marker), {of}
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found - {of}


def wait_for(what, seconds):
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.01)
    return found


@pytest.fixture
def begin(tmp_path):
    """Starts a command whose processes all carry the folder's name."""
    marker, started = tmp_path / "marker", []
    marker.mkdir()
    tiny.write(tmp_path)
    (tmp_path / "spinning.py").write_text(SPINNING)

    def begin(*arguments):
        command = [sys.executable, "-m", "evolve", *arguments, "--workers", "1"]
        env = {**os.environ, "PYTHONPATH": f"{marker}{os.pathsep}{os.pathsep.join(sys.path)}"}
        started.append(
            subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return started[-1]

    begin.marker = marker
    yield begin
    for process in started:
        process.kill()
        process.communicate()
    for pid in ours(marker):
        os.kill(pid, signal.SIGKILL)


def judging(begin, command, processes):
    """Waits until there are a worker, a guard, a zygote and, if it is to last, a policy; returns all of these."""
    started = wait_for(lambda: pids if len(pids := below(command.pid, begin.marker)) >= processes else None, 20)
    assert started, "nothing was judged"
    return started


def spinning(begin, command):
    return judging(begin, command, 4)


def workers(begin, command):
    return [pid for pid, parent in ours(begin.marker).items() if parent == command.pid]


def left(begin, pids):
    """Returns those that are there after a second in which all could go."""
    wait_for(lambda: not (pids & set(ours(begin.marker))), SECONDS_TO_GO)
    return pids & set(ours(begin.marker))


def test_of_a_killed_command_no_process_is_left_after_a_second_not_even_a_policy_that_spins(begin):
    command = begin("score", "tiny.py", "spinning.py")
    started = spinning(begin, command)
    command.kill()
    command.wait()
    assert left(begin, started | {command.pid}) == set()


def test_of_a_killed_worker_no_process_is_left_after_a_second_and_the_run_goes_on(begin, tmp_path):
    command = begin("run", "tiny.py", "--evaluations", "400", "--out", "run")
    judging(begin, command, 3)  # its policies come and go too fast to be met
    (worker,) = workers(begin, command)
    started = below(worker, begin.marker) | {worker}
    os.kill(worker, signal.SIGKILL)
    assert left(begin, started) == set()
    out, errors = command.communicate(timeout=60)
    assert command.returncode == 0, errors
    assert "judged    400 evaluations" in out


def test_a_worker_killed_over_and_over_with_one_policy_ends_the_command_in_a_line(begin):
    command = begin("score", "tiny.py", "spinning.py")
    for _ in range(2):
        started = spinning(begin, command)
        (worker,) = wait_for(lambda: workers(begin, command), 5)
        os.kill(worker, signal.SIGKILL)
        assert left(begin, started) == set()
    _, errors = command.communicate(timeout=30)
    assert command.returncode == 1
    assert "Traceback" not in errors
    assert "worker processes died over the same policy" in errors
