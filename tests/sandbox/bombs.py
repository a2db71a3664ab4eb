"""Attacks on the judge: policies that crash or hang whoever judges them, or answer in words of their own."""

from evolve.types import Verdict
from tests.sandbox.forgeries import CRASHED, FOOLED, HONEST, HUNG, REACH, UNDYING, Forgery

_ENDS = (Verdict.CRASHED, Verdict.OUT_OF_MEMORY)
"""How a stack ends depends on the Python."""

BOMBS = [
    Forgery(name, "bomb", source, naive, frozenset(verdicts))
    for name, source, naive, *verdicts in (
        ("computes for ever", "def guess(bounds):\n    while True: pass\n", HUNG, Verdict.TIMED_OUT),
        ("computes for ever while it is imported", f"x = 9**9**9\n{HONEST}", HUNG, Verdict.TIMED_OUT),
        ("sleeps", "import time\ndef guess(bounds):\n    time.sleep(99)\n", HUNG, Verdict.TIMED_OUT),
        (
            "ignores SIGTERM",
            REACH + "signal = sys.modules.get('signal') or __import__('signal')\n"
            "import time\nsignal.signal(15, signal.SIG_IGN)\ndef guess(bounds):\n    while True: time.sleep(1)\n",
            UNDYING,
            Verdict.TIMED_OUT,
        ),
        (
            "matches an expression that never ends",
            "import re\ndef guess(bounds):\n    return re.match('(a+)+$', 'a' * 64 + 'b')\n",
            HUNG,
            Verdict.TIMED_OUT,
        ),
        ("prints for ever", "def guess(bounds):\n    while True: print('x' * 999)\n", HUNG, Verdict.TIMED_OUT),
        ("has null bytes", f"{HONEST}# \0\n", CRASHED, Verdict.CRASHED),
        ("has lone surrogates", f"{HONEST}# \ud800\n", CRASHED, Verdict.CRASHED),
        ("is nested too deeply to parse", "x = " + "(" * 9999 + ")" * 9999 + f"\n{HONEST}", CRASHED, Verdict.CRASHED),
        ("is nested too deeply to compile", f"x = {'-' * 200_000}1\n{HONEST}", CRASHED, *_ENDS),
        ("is compiled to more than memory", f"x = (1,) * (1 << 40)\n{HONEST}", CRASHED, Verdict.OUT_OF_MEMORY),
        (
            "takes all memory",
            "kept = []\ndef guess(bounds):\n    while True: kept.append(bytes(1 << 24))\n",
            CRASHED,
            Verdict.OUT_OF_MEMORY,
        ),
        (
            "recurses deeper than the stack",
            REACH + "sys.setrecursionlimit(10**9)\n"
            "class Deep:\n    def __getattr__(self, name):\n        return getattr(self, name)\n"
            "def guess(bounds):\n    return Deep().x\n",
            CRASHED,
            *_ENDS,
        ),
        ("recurses", "def guess(bounds):\n    return guess(bounds)\n", CRASHED, Verdict.CRASHED),
        (
            "crashes the interpreter",
            REACH + "ctypes = sys.modules.get('ctypes') or __import__('ctypes')\n"
            "def guess(bounds):\n    return ctypes.string_at(0)\n",
            CRASHED,
            Verdict.CRASHED,
        ),
        ("leaves", f"{REACH}os._exit(0)\n", CRASHED, Verdict.CRASHED),
        ("raises what ends a program", "def guess(bounds):\n    raise SystemExit\n", CRASHED, Verdict.CRASHED),
        ("is no policy", "x = 1\n", CRASHED, Verdict.CRASHED),
    )
]

_WIRE = REACH + (
    "def local(function, name):\n    frame = sys._getframe()\n    while frame.f_code.co_name != function:\n"
    "        frame = frame.f_back\n    return frame.f_locals[name]\n"
    "replies, requests = local('serve', 'replies'), local('serve', 'requests')\n"
    "wire, pickle = sys.modules.get('evolve.sandbox.wire'), sys.modules.get('pickle')\n"
    "def framed(body):\n    return len(body).to_bytes(4, 'little') + body\n"
    "def answer(value):\n    return wire.pack([5, [value]]) if wire else framed(pickle.dumps(value))\n"
    "def send(data):\n    while data:\n        data = data[os.write(replies, data):]\n"
)

_CODE = (
    "__import__('json').dump(dict(score=1e9), (file := open('result.json', 'w'))), file.close(), "
    "__import__('os')._exit(0)"
)
"""Forges the result wherever it is run."""


def _message(name: str, body: str, naive: str, *verdicts: Verdict, before: str = "") -> Forgery:
    lines = "\n".join("    " + line for line in body.splitlines())
    source = f"{_WIRE}{before}def guess(bounds):\n{lines}\n"
    return Forgery(name, "wire", source, naive, frozenset(verdicts), isolated=True)


_FOR_EVER = "\nwhile True: pass"
_LIES = (Verdict.FORBIDDEN, Verdict.INVALID)

MESSAGES = [
    _message("answers before it is asked", "return 50", FOOLED, *_LIES, before="send(answer(0))\n"),
    _message("answers twice", "send(answer(0) + answer(0))\nreturn 50", FOOLED, *_LIES),
    _message("announces 4 GiB", "send(b'\\xff' * 4)" + _FOR_EVER, CRASHED, *_LIES),
    _message("announces more than it sends", "send(b'\\x09\\0\\0\\0\\x92')" + _FOR_EVER, HUNG, Verdict.TIMED_OUT),
    _message("sends garbage", "send(framed(b'\\xc1\\xc1'))" + _FOR_EVER, CRASHED, *_LIES),
    _message("sends nothing but lengths", "send(bytes(4))" + _FOR_EVER, CRASHED, *_LIES),
    _message(
        "sends lists in lists in lists",
        "deep = 100_000\n"
        "send(framed(b'\\x91' * deep + b'\\xc0' if wire else b'\\x80\\4' + b']' * deep + b'a' * (deep - 1) + b'.'))"
        + _FOR_EVER,
        CRASHED,
        *_LIES,
    ),
    _message("floods the pipe", "while True: send(bytes(1 << 16))", CRASHED, *_LIES),
    _message(
        "sends one byte at a time",
        "send((7 << 20).to_bytes(4, 'little'))\nwhile True:\n    send(b'\\x90')\n    time.sleep(0.01)",
        HUNG,
        Verdict.TIMED_OUT,
        before="import time\n",
    ),
    _message(
        "closes the pipe and lingers",
        "os.close(replies)\nwhile True: time.sleep(1)",
        HUNG,
        Verdict.CRASHED,
        before="import time\n",
    ),
    _message("reads no more", "os.close(requests)\nreturn 50", CRASHED, Verdict.CRASHED, Verdict.FORBIDDEN),
    _message(
        "sends a pickle that runs code",
        "send(framed(b'cbuiltins\\nexec\\n(V' + CODE.encode() + b'\\ntR.'))" + _FOR_EVER,
        FOOLED,
        *_LIES,
        before=f'CODE = "{_CODE}"\n',
    ),
    _message(
        "decides an object that runs code when it is read",
        "return Runs()",
        FOOLED,
        *_LIES,
        before=f'class Runs:\n    def __reduce__(self):\n        return exec, ("{_CODE}",)\n',
    ),
    _message("decides 100 MB", "return 'x' * 25_000_000", CRASHED, *_LIES),
    _message("decides lists by the hundred thousand", "return [[] for _ in range(100_000)]", CRASHED, *_LIES),
    _message("leaves without an answer", "os._exit(0)", CRASHED, Verdict.CRASHED),
]

FORGERIES: list[Forgery] = [*BOMBS, *MESSAGES]
