"""The lock of a GPU: one holder, whoever it is, and none that outlives its process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluators.gpu import lock
from evaluators.gpu.bench import GpuError
from evaluators.gpu.lock import GpuLock

ROOT = str(Path(__file__).parents[3])


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def a_lock(folder, clock=None) -> GpuLock:
    clock = clock or Clock()
    return GpuLock("GPU-12ab", folder, clock=clock, sleep=clock.sleep)


def test_a_lock_is_held_by_one_and_then_by_the_next(tmp_path):
    clock = Clock()
    refused = pytest.raises(GpuError, match=r"for 60 s; see who with `fuser .*GPU-12ab\.lock`")
    with a_lock(tmp_path).held(), refused, a_lock(tmp_path, clock).held(60.0):
        pass
    assert clock.now >= 60.0
    with a_lock(tmp_path).held(0.0):
        pass


def test_locks_of_two_gpus_have_nothing_to_do_with_each_other(tmp_path):
    with a_lock(tmp_path).held(), GpuLock("GPU-34cd", tmp_path).held(0.0):
        pass


def test_a_lock_goes_when_its_holder_is_killed(tmp_path):
    program = (
        f"import sys; sys.path[:0] = [{ROOT!r}]\nfrom pathlib import Path\nfrom evaluators.gpu.lock import GpuLock\n"
        f"with GpuLock('GPU-12ab', Path({str(tmp_path)!r})).held(): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(GpuError, match="another process"), a_lock(tmp_path).held(0.0):
            pass
        holder.kill()
        holder.wait()
        with a_lock(tmp_path).held(0.0):
            pass


def test_every_user_can_open_the_file_whatever_the_umask(tmp_path):
    mask = os.umask(0o077)
    try:
        with a_lock(tmp_path).held():
            pass
    finally:
        os.umask(mask)
    files = list(tmp_path.iterdir())
    assert [(file.name, file.stat().st_mode & 0o777) for file in files] == [("evolve-gpu-GPU-12ab.lock", 0o644)]


def test_a_file_that_may_only_be_read_is_enough(tmp_path):
    lock = a_lock(tmp_path)
    lock.file.touch(mode=0o444)
    with lock.held():
        pass


def test_a_link_or_a_pipe_in_its_place_is_neither_followed_nor_waited_for(tmp_path):
    lock = a_lock(tmp_path)
    (tmp_path / "target").touch()
    lock.file.symlink_to(tmp_path / "target")
    with pytest.raises(GpuError, match="remove what is there"), lock.held():
        pass
    lock.file.unlink()
    os.mkfifo(lock.file)
    with pytest.raises(GpuError, match="no plain file"), lock.held():
        pass


def test_a_name_cannot_lead_out_of_the_folder(tmp_path):
    assert GpuLock("../../etc/x", tmp_path).file.parent == tmp_path


def test_a_file_that_was_taken_away_while_somebody_waited_is_locked_anew(tmp_path):
    one = a_lock(tmp_path)
    taken = lock._taken

    def cleaned(descriptor):
        one.file.unlink()  # as those do who clean up /tmp
        patch.undo()
        return taken(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "_taken", cleaned)
        with one.held():
            assert one.file.exists()
            with pytest.raises(GpuError, match="another process"), a_lock(tmp_path).held(0.0):
                pass
