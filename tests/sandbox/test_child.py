"""One child: what it answers, and the verdict and line of explanation for each way to fail."""

import gc
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evolve.sandbox import Child, PolicyFailure, Sandbox, SandboxError, WireError, wire
from evolve.sandbox.host import MAX_PRINTED_BYTES
from evolve.types import Limits, Verdict

LIMITS = Limits(cpu_seconds=10, wall_seconds=30, call_seconds=10, memory_mib=64)
IMPATIENT = replace(LIMITS, call_seconds=0.3)
ECHO = "def decide(x):\n    return x\n"
OS = "import random\nos, sys = random._os, random._os.sys\n"
"""Every policy can reach every loaded module; the walls have to stand elsewhere."""

FRAMES = OS + (
    "def host_frame(name):\n"
    "    frame = sys._getframe()\n"
    "    while frame.f_code.co_name != name:\n"
    "        frame = frame.f_back\n"
    "    return frame.f_locals\n"
)


def ask(child: Child, *arguments, name: str = "decide", case: int = 0):
    return child.ask([(case, name, arguments)])[0]


def failure_of(sandbox: Sandbox, source: str, *arguments, limits: Limits = LIMITS) -> PolicyFailure:
    """Loads a policy, asks it twice and returns how it failed; then checks that the next child works."""
    with pytest.raises(PolicyFailure) as caught, sandbox.start(source, 0, limits) as child:
        for _ in range(2):
            ask(child, *arguments)
    with sandbox.start(ECHO, 0) as child:
        assert ask(child, "next") == "next"
    message = caught.value.message
    assert message
    assert "\n" not in message
    assert len(message) <= 300
    return caught.value


def test_a_policy_answers_what_it_is_asked(sandbox):
    with sandbox.start(ECHO) as child:
        for value in (None, True, -5, 0.25, "text", [1, [2]], {"a": 1, 3: []}):
            assert ask(child, value) == value
        assert np.array_equal(ask(child, np.arange(3.0)), np.arange(3.0))


def test_one_message_carries_many_calls_and_their_answers_come_in_order(sandbox):
    with sandbox.start(ECHO, 0) as child:
        assert child.ask([(case, "decide", (case * 2,)) for case in range(100)]) == list(range(0, 200, 2))


def test_arguments_and_sources_may_be_larger_than_a_pipe_and_than_any_answer(sandbox):
    source = f"# {'x' * (1 << 20)}\ndef decide(x):\n    return len(x)\n"
    with sandbox.start(source, 0) as child:
        assert ask(child, list(range(1_500_000))) == 1_500_000
        assert ask(child, "x" * wire.MAX_REPLY_BYTES * 2) == wire.MAX_REPLY_BYTES * 2
        assert ask(child, [[]] * (wire.MAX_CONTAINERS + 1)) == wire.MAX_CONTAINERS + 1


def test_an_argument_without_a_place_on_the_wire_is_the_callers_mistake(sandbox):
    with sandbox.start(ECHO) as child:
        with pytest.raises(WireError):
            ask(child, {1, 2})
        assert ask(child, 1) == 1


def test_numpy_scalars_count_as_the_numbers_they_are(sandbox):
    with sandbox.start("import numpy as np\ndef decide(x):\n    return [np.argmax(x), np.float32(0.5)]\n") as child:
        assert ask(child, [1, 5, 2]) == [1, 0.5]


def test_a_class_policy_has_one_instance_for_each_case(sandbox):
    source = (
        "class Policy:\n    def __init__(self):\n        self.seen = []\n"
        "    def decide(self, x):\n        self.seen.append(x)\n        return self.seen\n"
        "    def other(self):\n        return len(self.seen)\n"
    )
    with sandbox.start(source) as child:
        assert child.ask([(0, "decide", (1,)), (1, "decide", (2,)), (0, "decide", (3,))]) == [[1, 3], [2], [1, 3]]
        assert ask(child, name="other", case=1) == 1


def test_globals_belong_to_one_case(sandbox):
    source = "seen = []\ndef decide(x):\n    seen.append(x)\n    return len(seen)\n"
    with sandbox.start(source) as child:
        assert child.ask([(0, "decide", (1,)), (1, "decide", (2,)), (1, "decide", (3,)), (2, "decide", (3,))]) == [
            1,
            1,
            2,
            1,
        ]


def test_dataclasses_with_written_annotations_work(sandbox):
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Job:\n    name: str\n    size: int = 3\n"
        "def decide(x):\n    return Job(x).size\n"
    )
    with sandbox.start(source) as child:
        assert ask(child, "a") == 3


def test_every_module_that_policies_may_import_can_be_imported(sandbox):
    from evolve.sandbox import imports

    lines = "\n".join(f"import {name}" for name in (*imports.STANDARD, *imports.NUMPY, "collections.abc"))
    with sandbox.start(
        f"from __future__ import annotations\n{lines}\ndef decide(x):\n    import json\n    return 1\n"
    ) as child:
        assert ask(child, 0) == 1


FAILURES = {
    "does not parse": ("def decide(x:\n", Verdict.CRASHED, "line 1: SyntaxError"),
    "has null bytes": ("def decide(x): return 1\0", Verdict.CRASHED, "null bytes"),
    "has lone surrogates": ("def decide(x): return '\ud800'", Verdict.CRASHED, "not valid Unicode"),
    "nests too deeply to parse": ("x = " + "(" * 5000 + ")" * 5000, Verdict.CRASHED, "parenthes"),
    "lacks the entry": ("def other(x):\n    return x\n", Verdict.CRASHED, "defines no function `decide`"),
    "is a class without the method": ("class Policy:\n    pass\n", Verdict.CRASHED, "defines no function `decide`"),
    "has an entry that is no function": ("decide = 5\n", Verdict.CRASHED, "defines no function `decide`"),
    "takes other arguments": ("def decide():\n    return 1\n", Verdict.CRASHED, "TypeError"),
    "raises while loading": ("x = 1\nx = 1 / 0\n", Verdict.CRASHED, "line 2: ZeroDivisionError"),
    "raises": ("def decide(x):\n    return {}['key']\n", Verdict.CRASHED, "line 2: KeyError: 'key'"),
    "raises an exception that cannot be shown": (
        "class E(Exception):\n    def __str__(self):\n        raise self\ndef decide(x):\n    raise E\n",
        Verdict.CRASHED,
        "line 5: E",
    ),
    "raises an exception with a surrogate": (
        "def decide(x):\n    raise ValueError('\\ud800')\n",
        Verdict.CRASHED,
        "ValueError",
    ),
    "raises control characters": (
        "def decide(x):\n    raise ValueError('\\x1b[2J\\n' * 999)\n",
        Verdict.CRASHED,
        "[2J",
    ),
    "exits": ("def decide(x):\n    raise SystemExit(3)\n", Verdict.CRASHED, "SystemExit: 3"),
    "exits while loading": ("exit(0)\n", Verdict.CRASHED, "SystemExit"),
    "interrupts": ("def decide(x):\n    raise KeyboardInterrupt\n", Verdict.CRASHED, "KeyboardInterrupt"),
    "leaves through os": (OS + "def decide(x):\n    os._exit(7)\n", Verdict.CRASHED, "exited with status 7"),
    "leaves while loading": (OS + "os._exit(0)\n", Verdict.CRASHED, "exited with status 0"),
    "recurses without end": ("def decide(x):\n    return decide(x)\n", Verdict.CRASHED, "RecursionError"),
    "crashes the interpreter": (
        OS + "def decide(x):\n    sys.modules['ctypes'].string_at(0)\n",
        Verdict.CRASHED,
        "SIGSEGV",
    ),
    "aborts": (OS + "def decide(x):\n    os.abort()\n", Verdict.CRASHED, "was killed by SIG"),
    "loops": ("def decide(x):\n    while True:\n        pass\n", Verdict.TIMED_OUT, "did not answer within"),
    "loops while loading": ("while True:\n    pass\n", Verdict.TIMED_OUT, "did not load within"),
    "loops in C": ("def decide(x):\n    return 9 ** 9 ** 9\n", Verdict.TIMED_OUT, "did not answer within"),
    "is compiled for ever": ("def decide(x):\n    return x\nx = 9 ** 9 ** 9\n", Verdict.TIMED_OUT, "load"),
    "sleeps": ("import time\ndef decide(x):\n    time.sleep(99)\n", Verdict.TIMED_OUT, "did not answer within"),
    "ignores signals and lingers": (
        OS + "import time\ndef decide(x):\n    signal = sys.modules['signal']\n"
        "    for n in signal.valid_signals() - {9, 19, 32, 33}:\n        signal.signal(n, signal.SIG_IGN)\n"
        "    while True: pass\n",
        Verdict.TIMED_OUT,
        "did not answer within",
    ),
    "allocates without end": (
        "kept = []\ndef decide(x):\n    while True:\n        kept.append(bytearray(1 << 20))\n",
        Verdict.OUT_OF_MEMORY,
        "line 4: MemoryError",
    ),
    "allocates small things without end": (
        "kept = []\ndef decide(x):\n    while True:\n        kept.append([x] * 50)\n",
        Verdict.OUT_OF_MEMORY,
        "MemoryError",
    ),
    "allocates an array": (
        "import numpy as np\ndef decide(x):\n    return np.ones(1 << 40)\n",
        Verdict.OUT_OF_MEMORY,
        "MemoryError",
    ),
    "is a compile bomb": ("x = (1,) * (1 << 40)\n", Verdict.OUT_OF_MEMORY, "MemoryError"),
    "prints without end": ("def decide(x):\n    while True:\n        print(x)\n", Verdict.TIMED_OUT, "within"),
    "imports what it may not": (
        "import socket\n",
        Verdict.FORBIDDEN,
        "may not import 'socket'; they may import: numpy",
    ),
    "imports it later": ("def decide(x):\n    import os.path\n", Verdict.FORBIDDEN, "may not import 'os'"),
    "imports it by name": ("def decide(x):\n    __import__('o' + 's')\n", Verdict.FORBIDDEN, "may not import 'os'"),
    "imports a sibling": ("from . import x\n", Verdict.FORBIDDEN, "may not import"),
    "opens a file": ("def decide(x):\n    open('/etc/passwd')\n", Verdict.FORBIDDEN, "line 2: PermissionError"),
    "returns a set": ("def decide(x):\n    return {1}\n", Verdict.INVALID, "a value of type set"),
    "returns a generator": ("def decide(x):\n    yield 1\n", Verdict.INVALID, "a value of type generator"),
    "returns itself": ("def decide(x):\n    a = []\n    a.append(a)\n    return a\n", Verdict.INVALID, "returned"),
    "returns a huge integer": ("def decide(x):\n    return 10 ** 400\n", Verdict.INVALID, "beyond 64 bits"),
    "returns surrogates": ("def decide(x):\n    return '\\ud800'\n", Verdict.INVALID, "not valid Unicode"),
    "returns keys of tuples": ("def decide(x):\n    return {(1, 2): 3}\n", Verdict.INVALID, "neither str nor int"),
    "returns too much": ("def decide(x):\n    return 'x' * (9 << 20)\n", Verdict.INVALID, "more than 8 MiB"),
    "returns an object that reduces": (
        "class R:\n    def __reduce__(self):\n        return (print, ())\ndef decide(x):\n    return R()\n",
        Verdict.INVALID,
        "a value of type R",
    ),
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_policy_that_fails_gets_its_verdict_and_one_line(sandbox, how):
    source, verdict, said = FAILURES[how]
    failure = failure_of(sandbox, source, 1, limits=IMPATIENT if verdict is Verdict.TIMED_OUT else LIMITS)
    assert failure.verdict is verdict, failure.message
    assert said in failure.message


def test_a_policy_that_uses_up_its_cpu_is_timed_out(sandbox):
    source = "def decide(x):\n    while True:\n        pass\n"
    failure = failure_of(sandbox, source, 1, limits=replace(LIMITS, cpu_seconds=1))
    assert failure.verdict is Verdict.TIMED_OUT
    assert failure.message == "used up 1 s of CPU"


def test_a_policy_that_is_slow_in_every_call_is_timed_out_in_the_end(sandbox):
    limits = replace(IMPATIENT, wall_seconds=0.5)
    with (
        pytest.raises(PolicyFailure) as caught,
        sandbox.start("import time\ndef decide(x):\n    time.sleep(0.1)\n", 0, limits) as child,
    ):
        for _ in range(20):
            ask(child, 1)
    assert caught.value.verdict is Verdict.TIMED_OUT
    assert caught.value.message == "was not done within the 0.5 s it had left"


def test_the_time_between_two_questions_is_not_the_policys(sandbox):
    with sandbox.start(ECHO, 0, replace(LIMITS, wall_seconds=0.5)) as child:
        ask(child, 1)
        time.sleep(0.6)
        assert ask(child, 2) == 2


def test_a_child_that_somebody_else_kills_is_taken_for_out_of_memory(sandbox):
    with pytest.raises(PolicyFailure) as caught, sandbox.start(ECHO, 0, LIMITS) as child:
        os.kill(children_of(sandbox.zygote_pid)[0], signal.SIGKILL)
        ask(child, 1)
    assert caught.value.verdict is Verdict.OUT_OF_MEMORY
    assert "from outside" in caught.value.message


def test_an_answer_that_a_policy_writes_itself_counts_like_one_that_it_returns(sandbox):
    source = REPLIES + (
        "wire = sys.modules['evolve.sandbox.wire']\n"
        "def decide(x):\n    nonce = host_frame('_answers')['nonce']\n"
        "    os.write(replies, wire.pack([nonce, [x + 1]]))\n    os._exit(0)\n"
    )
    with pytest.raises(PolicyFailure, match="exited with status 0"), sandbox.start(source, 0, LIMITS) as child:
        assert ask(child, 1) == 2
        ask(child, 1)


def test_a_failure_names_the_case_it_answered(sandbox):
    source = "def decide(x):\n    return {1} if x == 2 else 1 / (x - 3)\n"
    for bad in (2, 3):
        with pytest.raises(PolicyFailure) as caught, sandbox.start(source, 0) as child:
            child.ask([(case, "decide", (case,)) for case in range(bad - 1, bad + 1)] + [(4, "decide", (4,))])
        assert caught.value.case == bad


REPLIES = FRAMES + "replies = host_frame('serve')['replies']\nnumber = 0\n"
"""Finds the descriptor that answers go to."""

FORGERIES = {
    "answers before it is asked": (
        REPLIES + "os.write(replies, b'\\x04\\0\\0\\0\\x92\\x01\\x91\\x01')\n" + ECHO,
        "",
    ),
    "says twice that it has loaded": (REPLIES + "os.write(replies, b'\\x01\\0\\0\\0\\x90')\n" + ECHO, ""),
    "answers twice": (
        REPLIES + "def decide(x):\n    os.write(replies, b'\\x04\\0\\0\\0\\x92\\x05\\x91\\x01')\n    return 1\n",
        "",
    ),
    "answers another call": (
        REPLIES
        + "def decide(x):\n    os.write(replies, b'\\x04\\0\\0\\0\\x92\\x05\\x91\\x01')\n    while True: pass\n",
        "not asked",
    ),
    "answers with another number of decisions": (
        FRAMES + "def decide(x):\n    host_frame('_answers')['decisions'].append(1)\n    return 1\n",
        "another number of calls",
    ),
    "answers with something else than decisions": (
        FRAMES + "wire = sys.modules['evolve.sandbox.wire']\npack = wire.pack\n"
        "def decide(x):\n    wire.pack = lambda value: pack([value[0], {}])\n",
        "another number of calls",
    ),
    "reports an unknown verdict": (
        REPLIES + "wire = sys.modules['evolve.sandbox.wire']\n"
        "def decide(x):\n    os.write(replies, wire.pack([None, 0, 'OK', 'a fine policy']))\n    while True: pass\n",
        "not asked",
    ),
    "reports nonsense": (
        REPLIES + "wire = sys.modules['evolve.sandbox.wire']\n"
        "def decide(x):\n    os.write(replies, wire.pack([None, {}, [], 5]))\n    while True: pass\n",
        "not asked",
    ),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_policy_that_writes_its_own_answers_is_forbidden(sandbox, how):
    source, said = FORGERIES[how]
    failure = failure_of(sandbox, source, 1)
    assert failure.verdict is Verdict.FORBIDDEN
    assert said in failure.message


def test_a_policy_can_confess_to_a_failure_of_its_choice_and_to_nothing_else(sandbox):
    source = REPLIES + (
        "wire = sys.modules['evolve.sandbox.wire']\n"
        "def decide(x):\n    os.write(replies, wire.pack([None, -7, x, 'y' * 9999]))\n    while True: pass\n"
    )
    for verdict in Verdict:
        failure = failure_of(sandbox, source, str(verdict))
        honest = verdict not in (Verdict.OK, Verdict.TIMED_OUT, Verdict.OUTRACED)
        assert failure.verdict is (verdict if honest else Verdict.FORBIDDEN)


GARBAGE = {
    "a huge length": ("os.write(replies, b'\\xff\\xff\\xff\\xff')\n", Verdict.INVALID, "more than 8 MiB"),
    "bytes that are no message": (
        "os.write(replies, b'\\x02\\0\\0\\0\\xc1\\xc1')\n",
        Verdict.INVALID,
        "not plain data",
    ),
    "a pickle": ("os.write(replies, b'\\x04\\0\\0\\0\\x80\\x04N.')\n", Verdict.INVALID, ""),
    "an empty message": ("os.write(replies, bytes(4))\n", Verdict.INVALID, ""),
    "half a length": ("os.write(replies, b'\\xff')\n", Verdict.TIMED_OUT, ""),
    "half a message": ("os.write(replies, b'\\x09\\0\\0\\0\\x92')\n", Verdict.TIMED_OUT, ""),
    "one byte at a time": (
        "os.write(replies, b'\\xff\\xff\\x7f\\0')\n    while True: os.write(replies, b'\\x90')\n",
        Verdict.TIMED_OUT,
        "",
    ),
    "a flood": ("\n    while True: os.write(replies, bytes(1 << 16))\n", Verdict.INVALID, ""),
    "seven million empty lists": (
        "body = b'\\x97' + (b'\\xdd\\0\\x0f\\x42\\x40' + b'\\x90' * 1_000_000) * 7\n"
        "    frame = len(body).to_bytes(4, 'little') + body\n"
        "    while frame: frame = frame[os.write(replies, frame):]\n",
        Verdict.INVALID,
        "lists, dicts and arrays",
    ),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_a_policy_that_sends_garbage_gets_a_verdict(sandbox, what):
    body, verdict, said = GARBAGE[what]
    source = REPLIES + f"def decide(x):\n    {body}    while True: pass\n"
    failure = failure_of(sandbox, source, 1, limits=IMPATIENT if verdict is Verdict.TIMED_OUT else LIMITS)
    assert failure.verdict in (verdict, Verdict.FORBIDDEN) if what == "a flood" else failure.verdict is verdict
    assert said in failure.message


@pytest.mark.parametrize("which", ["requests", "replies"])
def test_a_policy_that_closes_a_pipe_fails_at_once_even_if_it_lingers(sandbox, which):
    source = FRAMES + f"def decide(x):\n    os.close(host_frame('serve')['{which}'])\n"
    source += "    while True: pass\n" if which == "replies" else "    return 1\n"
    started = time.monotonic()
    assert failure_of(sandbox, source, 1).verdict in (Verdict.CRASHED, Verdict.FORBIDDEN)
    assert time.monotonic() - started < LIMITS.call_seconds / 2


def test_a_policy_that_reads_no_more_cannot_block_the_judge(sandbox):
    source = OS + "import time\ndef decide(x):\n    os.read = lambda *_: time.sleep(99)\n    return 1\n"
    with pytest.raises(PolicyFailure) as caught, sandbox.start(source, 0, IMPATIENT) as child:
        assert ask(child, 1) == 1
        ask(child, "x" * (32 << 20))
    assert caught.value.verdict is Verdict.TIMED_OUT


def test_arguments_that_do_not_fit_into_a_policys_memory_are_out_of_memory(sandbox):
    with pytest.raises(PolicyFailure) as caught, sandbox.start(ECHO, 0, LIMITS) as child:
        ask(child, "x" * (64 << 20))
    assert caught.value.verdict is Verdict.OUT_OF_MEMORY


def test_what_a_policy_prints_is_kept_up_to_a_limit_and_in_order(sandbox):
    child = sandbox.start(OS + "def decide(x):\n    print(x)\n    print('oh', file=sys.stderr)\n    return 1\n")
    assert ask(child, "hello") == 1
    assert child.close() == "hello\noh\n"
    child = sandbox.start("def decide(x):\n    for i in range(9999): print('ä' * 99)\n    return 1\n")
    assert ask(child, 1) == 1
    assert len(child.close().encode()) <= MAX_PRINTED_BYTES + 2


def test_writing_to_standard_output_directly_ends_at_the_file_size_limit(sandbox):
    source = OS + "def decide(x):\n    while True: os.write(1, b'x' * 4096)\n"
    failure = failure_of(sandbox, source, 1)
    assert (failure.verdict, failure.message) == (Verdict.CRASHED, "line 4: OSError: [Errno 27] File too large")


def test_the_file_size_signal_kills_only_who_asks_for_it(sandbox):
    source = (
        OS
        + "signal = sys.modules['signal']\ndef decide(x):\n    signal.signal(25, signal.SIG_DFL)\n"
        + "    while True:\n        os.write(1, b'x' * 4096)\n"
    )
    failure = failure_of(sandbox, source, 1)
    assert (failure.verdict, failure.message) == (Verdict.CRASHED, "was killed by SIGXFSZ")


def test_usage_is_what_the_kernel_charged(sandbox):
    child = sandbox.start("def decide(x):\n    return sum(range(10 ** 7))\n")
    ask(child, 1)
    with pytest.raises(ValueError, match="once it is closed"):
        _ = child.cpu_seconds
    child.close()
    assert 0.02 < child.cpu_seconds < 5


def test_a_child_that_never_started_has_used_nothing(sandbox):
    child = Child(sandbox, LIMITS)
    with pytest.raises(PolicyFailure):
        child.load("'\ud800'", [0])
    child.close()
    assert child.cpu_seconds == 0
    assert child.close() == ""


@pytest.fixture(scope="module")
def another_sandbox():
    with Sandbox() as another:
        yield another


CLOCKS = (
    "import time, random, numpy as np\n"
    "def decide(x):\n    return [time.time(), time.monotonic_ns(), time.perf_counter(), time.process_time(),\n"
    "        time.clock_gettime(0), time.gmtime().tm_year, time.strftime('%Y')]\n"
)


def test_clocks_stand_still(sandbox):
    with sandbox.start(CLOCKS) as child:
        assert ask(child, 1) == [0.0, 0, 0.0, 0.0, 0.0, 1970, "1970"]


DRAWS = {
    "random": "import random\ndef decide(x):\n    return random.random()\n",
    "random.seed": "import random\ndef decide(x):\n    random.seed()\n    return random.random()\n",
    "Random": "import random\nrng = random.Random()\ndef decide(x):\n    return rng.random()\n",
    "Random, anew each time": "from random import Random\ndef decide(x):\n    return Random().random()\n",
    "SystemRandom": "import random\ndef decide(x):\n    return random.SystemRandom().random()\n",
    "gauss": "import random\ndef decide(x):\n    return random.gauss(0, 1)\n",
    "numpy": "import numpy as np\ndef decide(x):\n    return np.random.standard_normal()\n",
    "numpy seed": "import numpy as np\ndef decide(x):\n    np.random.seed()\n    return np.random.random()\n",
    "default_rng": "import numpy as np\nrng = np.random.default_rng()\ndef decide(x):\n    return rng.random()\n",
    "RandomState": "import numpy as np\ndef decide(x):\n    return np.random.RandomState().random_sample()\n",
    "PCG64": "from numpy.random import PCG64, Generator\ndef decide(x):\n    return Generator(PCG64()).random()\n",
    "samples": "from statistics import NormalDist\ndef decide(x):\n    return NormalDist().samples(1)[0]\n",
    "hash": "def decide(x):\n    return float(hash('text'))\n",
}


@pytest.mark.parametrize("how", DRAWS)
def test_what_a_policy_draws_depends_on_its_case_alone(sandbox, another_sandbox, how):
    with sandbox.start(DRAWS[how], 11) as child:
        together = [child.ask([(case, "decide", (0,)) for case in (2, 0, 1)]) for _ in range(3)]
    with another_sandbox.start(DRAWS[how], 11) as child:
        alone = [ask(child, 0) for _ in range(3)]
    assert together == [[draw] * 3 for draw in alone]
    if how != "hash":
        assert len({draw for row in together for draw in row}) == 3
        with sandbox.start(DRAWS[how], 12) as child:
            assert ask(child, 0) != together[0][0]


def test_hundreds_of_broken_children_leave_nothing_behind(sandbox):
    slow = (Verdict.TIMED_OUT, Verdict.OUT_OF_MEMORY)
    count_growth(sandbox, [source for source, verdict, _ in FAILURES.values() if verdict not in slow], 300)


@pytest.mark.soak
def test_a_thousand_hostile_children_leave_nothing_behind(sandbox):
    hostile = [source for source, *_ in (*FAILURES.values(), *FORGERIES.values())]
    hostile += [REPLIES + f"def decide(x):\n    {body}    while True: pass\n" for body, *_ in GARBAGE.values()]
    count_growth(sandbox, hostile, 1000)


def count_growth(sandbox: Sandbox, sources: list[str], count: int) -> None:
    limits = replace(LIMITS, call_seconds=0.1)

    def spend(children: int) -> None:
        for number in range(children):
            with (
                pytest.raises(PolicyFailure),
                sandbox.start(sources[number % len(sources)], 0, limits) as child,
            ):
                ask(child, 1)
                ask(child, 1)

    spend(2 * len(sources))
    before = belongings(sandbox)
    spend(count)
    after = belongings(sandbox)
    assert after["processes"] == before["processes"] == 0
    assert after["descriptors"] == before["descriptors"]
    assert after["zygote's descriptors"] == before["zygote's descriptors"]
    assert after["MiB"] - before["MiB"] < 8
    assert after["zygote's MiB"] - before["zygote's MiB"] < 8


def belongings(sandbox: Sandbox) -> dict[str, float]:
    gc.collect()
    zygote = Path(f"/proc/{sandbox.zygote_pid}")
    children = children_of(sandbox.zygote_pid)
    try:
        zygotes_descriptors = len(list((zygote / "fd").iterdir()))
    except PermissionError:
        zygotes_descriptors = -1  # it runs as somebody else
    return {
        "processes": len(children),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "zygote's descriptors": zygotes_descriptors,
        "MiB": resident_mib(Path("/proc/self")),
        "zygote's MiB": resident_mib(zygote),
    }


def children_of(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def resident_mib(process: Path) -> float:
    return int((process / "statm").read_text().split()[1]) * 4096 / (1 << 20)


def test_the_death_of_the_zygote_is_a_fault_of_the_machine_and_said_at_once():
    with Sandbox() as sandbox:
        child = sandbox.start(ECHO, 0)
        os.kill(sandbox.zygote_pid, signal.SIGKILL)
        started = time.monotonic()
        with pytest.raises(SandboxError, match="zygote has ended"):
            for _ in range(1000):
                ask(child, 1)
                time.sleep(0.001)
        with pytest.raises(SandboxError):
            sandbox.start(ECHO, 0)
        assert time.monotonic() - started < 2
        assert child.close() == ""


def test_a_module_that_cannot_be_imported_is_named():
    with pytest.raises(SandboxError, match="no_such_module"):
        Sandbox(("no_such_module",))


def test_a_sandbox_outlives_the_thread_that_made_it():
    import threading

    made: list[Sandbox] = []
    thread = threading.Thread(target=lambda: made.append(Sandbox()))
    thread.start()
    thread.join()
    with made[0] as sandbox, sandbox.start(ECHO, 0) as child:
        time.sleep(0.05)
        assert ask(child, 1) == 1


def test_an_interrupted_start_does_not_confuse_the_next_one(sandbox):
    requests, replies, output = os.pipe(), os.pipe(), os.memfd_create("output")
    pidfd = sandbox.fork((requests[0], replies[1], output), LIMITS)
    for descriptor in (*requests, *replies, output, pidfd):
        os.close(descriptor)  # the child ends, and nobody waits for it
    with sandbox.start(ECHO, 0) as child:
        assert ask(child, 1) == 1


def test_answers_that_are_small_enough_alone_may_not_add_up_to_anything(sandbox, monkeypatch):
    monkeypatch.setattr("evolve.sandbox.child.MAX_ANSWERS_BYTES", 1 << 20)
    with sandbox.start("def decide(x):\n    return 'x' * x\n", 0) as child:
        for _ in range(4):
            assert len(ask(child, 250_000)) == 250_000
        with pytest.raises(PolicyFailure, match="all decisions take more than 1 MiB") as caught:
            ask(child, 250_000)
    assert caught.value.verdict is Verdict.INVALID
