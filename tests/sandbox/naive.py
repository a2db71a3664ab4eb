"""Two naive judges, as others have them: what shows that a forgery forges.

The first imports the policy into the process that keeps score, times it with ``time.perf_counter`` and writes
a JSON file.  The second runs the policy in a process of its own, which it trusts to answer in pickles.
``believed`` runs one of them on a policy and returns what it believes.
"""

import contextlib
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
from math import fsum, inf
from pathlib import Path

SECRETS = [13, 87, 42, 66]
"""What a policy is to guess, once for each case."""

REPEATS = 3
RESULT = "result.json"
MEMORY_BYTES, FILE_BYTES, CPU_SECONDS = 1 << 29, 1 << 28, 20
"""Kept by the suite, so that a control does no harm; such judges have no limits."""
_DYING_SECONDS = 0.5


def in_process(rounds):
    for number in range(rounds):
        policy = imported(number)
        result = evaluate(policy)
    with open(RESULT, "w") as file:  # noqa: PTH123 - as such judges do
        json.dump(result, file)


def imported(number=0):
    source = Path("policy.py").read_text(encoding="utf-8", errors="surrogatepass")
    module = type(sys)(f"policy_{number}")
    exec(compile(source, "policy.py", "exec"), vars(module))
    return module


def evaluate(policy):
    """Returns hits, plus a share of one that falls with the distance, less the seconds of the fastest calls."""
    hits, losses, seconds = 0, [], 0.0
    for secret in SECRETS:
        bounds, fastest = [0, 100], inf
        for _ in range(REPEATS):
            started = time.perf_counter()
            answer = policy.guess(bounds)
            fastest = min(fastest, time.perf_counter() - started)
        losses.append(abs(answer - secret) / (bounds[1] - bounds[0]))
        if answer == secret:
            hits += 1
        seconds += fastest
    return {"score": hits + 1 / (1 + mean(losses)) - seconds}


def mean(losses):
    numpy = sys.modules.get("numpy")  # such judges import it; this one has no time to, unless the policy does
    return fsum(losses) / len(losses) if numpy is None else numpy.mean(losses)


def piped():
    """Has a policy of another process answer; believes every word."""
    requests, replies = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(requests[1])
        os.close(replies[0])
        serve(requests[0], replies[1])
    os.close(requests[0])
    os.close(replies[1])
    losses, said = [], os.fdopen(replies[0], "rb")
    for secret in SECRETS:
        send(requests[1], [0, 100])
        answer = receive(said, pid)
        losses.append(abs(answer - secret) / 100)
    with open(RESULT, "w") as file:  # noqa: PTH123
        json.dump({"score": 1 / (1 + mean(losses))}, file)


def serve(requests, replies):
    """The policy's side; its names are those of ours, so that the same policies attack both."""
    policy, asked = imported(), os.fdopen(requests, "rb")
    while True:
        send(replies, policy.guess(receive(asked, 0)))


def send(descriptor, value):
    body = pickle.dumps(value)
    data = len(body).to_bytes(4, "little") + body
    while data:
        data = data[os.write(descriptor, data) :]


def receive(pipe, pid):
    head = pipe.read(4)
    if not head and pid:
        os.waitpid(pid, 0)  # it will be done soon
    if not head:
        os._exit(1)
    return pickle.loads(pipe.read(int.from_bytes(head, "little")))


def believed(source: str, *, isolated: bool = False, rounds: int = 1, patience_seconds: float = 30.0) -> float | str:
    """Returns the score that a naive judge believes, or "crashed", "hung" or "outlived SIGTERM".

    ``isolated``: the second of them; ``rounds``: how often the first judges the policy, in one process.
    """
    with tempfile.TemporaryDirectory(prefix="evolve-naive-") as folder:
        (Path(folder) / "policy.py").write_text(source, encoding="utf-8", errors="surrogatepass")
        judge = subprocess.Popen(
            [sys.executable, "-I", *([] if "numpy" in source else ["-S"]), __file__, "0" if isolated else str(rounds)],
            cwd=folder,
            env={"OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        ended = _ended(judge, patience_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(judge.pid, signal.SIGKILL)
        judge.wait()
        try:
            return ended or float(json.loads((Path(folder) / RESULT).read_text(encoding="ascii"))["score"])
        except (OSError, ValueError):  # there is none, or half of one
            return "crashed"


def _ended(judge: "subprocess.Popen[bytes]", patience_seconds: float) -> str:
    """Returns how such a judge is ended, or nothing if it ends by itself."""
    try:
        judge.wait(patience_seconds)
        return ""
    except subprocess.TimeoutExpired:
        judge.terminate()
    try:
        judge.wait(_DYING_SECONDS)
        return "hung"
    except subprocess.TimeoutExpired:
        return "outlived SIGTERM"


if __name__ == "__main__":
    for what, amount in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (amount, amount))
    rounds = int(sys.argv[1])
    if rounds:
        in_process(rounds)
    else:
        piped()
