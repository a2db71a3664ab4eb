"""Simulators that never come back."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from evolve.patience import Overdue, Patience

SECONDS = 0.1


def loop():
    while True:
        pass


def test_a_simulator_that_never_comes_back_is_overdue():
    with Patience[str](SECONDS) as patience, pytest.raises(Overdue):
        patience.at = "here"
        loop()
    assert patience.overdue == "here"


def test_who_swallows_exceptions_does_not_swallow_this_one():
    with Patience[str](SECONDS) as patience, pytest.raises(Overdue):
        patience.at = "here"
        while True:
            with suppress(Exception):
                loop()


def test_a_finally_that_hangs_as_well_is_ended_too():
    with Patience[str](SECONDS) as patience, pytest.raises(Overdue):
        patience.at = "here"
        try:
            loop()
        finally:
            loop()


def test_who_swallows_all_is_known_all_the_same():
    with Patience[str](SECONDS) as patience:
        patience.at = "here"
        try:
            loop()
        except BaseException:  # noqa: BLE001 - the point of it
            patience.at = None
        assert patience.overdue == "here"


def test_many_short_steps_are_not_overdue_however_long_they_take_together():
    until = time.monotonic() + 5 * SECONDS
    with Patience[str](SECONDS) as patience:
        while time.monotonic() < until:
            patience.at = "here"
        patience.at = None
    assert patience.overdue is None


def test_who_waits_for_a_policy_is_not_overdue():
    until = time.monotonic() + 5 * SECONDS
    with Patience[str](SECONDS) as patience:
        patience.at = "here"
        patience.at = None
        while time.monotonic() < until:
            pass
    assert patience.overdue is None


def test_handlers_and_timers_are_put_back():
    def handler(number, frame):
        raise AssertionError("nothing is due")

    handlers = {signal.SIGALRM: handler, signal.SIGPROF: signal.SIG_IGN}
    timers = (signal.ITIMER_REAL, signal.ITIMER_PROF)
    before = {number: signal.signal(number, mine) for number, mine in handlers.items()}
    try:
        for timer in timers:
            signal.setitimer(timer, 1000, 2000)
        with Patience[str](SECONDS) as patience, pytest.raises(Overdue):
            patience.at = "here"
            loop()
        assert {number: signal.getsignal(number) for number in handlers} == handlers
        for timer in timers:
            left, interval = signal.getitimer(timer)
            assert 990 < left < 1001
            assert interval == 2000
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
        for number, theirs in before.items():
            signal.signal(number, theirs)


def test_without_timers_of_before_none_are_left():
    with Patience[str](SECONDS):
        assert signal.getitimer(signal.ITIMER_REAL)[1] > 0
        assert signal.getitimer(signal.ITIMER_PROF)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def test_in_another_thread_it_stands_aside():
    said = []

    def judge():
        with Patience[str](SECONDS) as patience:
            patience.at = "here"
            said.append(signal.getitimer(signal.ITIMER_REAL))

    thread = threading.Thread(target=judge)
    thread.start()
    thread.join()
    assert said == [(0, 0)]


def test_a_process_that_loops_in_c_is_ended_by_the_kernel():
    script = (
        "import itertools; from evolve.patience import Patience\n"
        f"with Patience({SECONDS}) as patience:\n"
        "    patience.at = 'here'\n"
        "    sum(itertools.repeat(0))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=30).returncode == -signal.SIGPROF


def test_a_process_that_swallows_all_for_ever_is_ended_by_the_kernel():
    script = (
        "from evolve.patience import Patience\n"
        f"with Patience({SECONDS}) as patience:\n"
        "    patience.at = 'here'\n"
        "    while True:\n"
        "        try:\n"
        "            x = 1  # an exception at the first instruction of a block would leave it\n"
        "            while True: pass\n"
        "        except BaseException: pass\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=30).returncode == -signal.SIGPROF


def test_a_process_that_works_in_python_for_longer_than_the_last_resort_lives():
    until = time.process_time() + 5 * SECONDS
    with Patience[str](SECONDS) as patience:
        for _ in itertools.takewhile(lambda _: time.process_time() < until, itertools.count()):
            patience.at = "here"
    assert patience.overdue is None
