"""The host's own share in what a child computes, and how much of that a policy could save by forging answers.

Both are of one transcript of questions, and of policies that do nothing for their answers: one in the host
as it is, and one in a loop that does the least that an answer takes.
"""

import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from evolve.judge.lane import Driver
from evolve.sandbox import Child, wire

NOTHING = """class Policy:
    def __getattr__(self, name):
        return lambda *arguments: None
"""
"""A policy that answers whatever it is asked and does nothing for it."""

LOOP = """import collections
sys = collections._sys
os = sys.modules["os"]
sys.modules["gc"].disable()
class Policy:
    def __getattr__(self, name):
        return take_over
def take_over(*arguments):
    frame = sys._getframe()
    while frame.f_code.co_name != "serve":
        frame = frame.f_back
    host, read, write = frame.f_locals, os.read, os.write
    requests, replies = host["requests"], host["replies"]
    host["channel"].write(sys.modules["evolve.sandbox.wire"].pack([host["nonce"], [None]]))
    ends = {0xCC: 7, 0xCD: 8, 0xCE: 10, 0xCF: 14}
    heads = [(max(0, end - 2)).to_bytes(4, "little") + b"\\x92" for end in range(15)]
    while True:
        data = read(requests, 65536)
        if not data:
            os._exit(0)
        left = 4 + int.from_bytes(data[:4], "little") - len(data)
        while left:
            left -= len(read(requests, min(left, 65536)))
        end = ends.get(data[5], 6)
        write(replies, heads[end] + data[5:end] + b"\\x91\\xc0")
"""
"""The same as a forger would have it: the nonce is copied, and the rest of a question thrown away."""

_FEWEST, _MOST = 3, 7
"""Children of each kind that count."""

_TRANSCRIPTS = 1024
"""How many transcripts are remembered."""


@dataclass(frozen=True, slots=True)
class Share:
    """CPU seconds of the host: in the middle, at the least, and what of it a policy could save."""

    median: float
    least: float
    savable: float


class Shares:
    """The shares of the transcripts that children of one driver were last asked."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._known: dict[bytes, tuple[deque[float], deque[float]]] = {}
        self._loading = 0.0

    def of(self, digest: bytes, frames: Sequence[bytes], cpu_seconds: float) -> Share:
        """Returns the host's share in a policy that was asked this and took so long.

        At every use one more child of each kind is run, so that it follows the machine; and more of them where
        the policy used far less, for the machine may have been busy.

        Raises:
            PolicyFailure: a policy that does nothing cannot bear such questions.
            SandboxError: the sandbox failed.
        """
        if not self._known:  # to compile the loop takes longer, which says nothing of its answers
            loading = [min(self._asked(source, ()) for _ in range(_MOST)) for source in (LOOP, NOTHING)]
            self._loading = loading[0] - loading[1]
        hosts, loops = self._known.setdefault(digest, (deque(maxlen=_MOST), deque(maxlen=_MOST)))
        if len(self._known) > _TRANSCRIPTS:
            del self._known[next(iter(self._known))]
        hosts.append(self._asked(NOTHING, frames))
        loops.append(self._asked(LOOP, frames))
        while len(hosts) < _FEWEST or (len(hosts) < _MOST and cpu_seconds < min(hosts) / 2):
            hosts.append(self._asked(NOTHING, frames))
            loops.append(self._asked(LOOP, frames))
        return Share(statistics.median(hosts), min(hosts), max(0.0, min(hosts) - min(loops) + self._loading))

    def _asked(self, source: str, frames: Sequence[bytes]) -> float:
        child = Child(self._driver.sandbox, self._driver.limits)
        try:
            child.load(source, self._driver.cases.seed)
            for frame in frames:
                child.ask(wire.unpack(frame, trusted=True))
        finally:
            child.close()
        return child.cpu_seconds
