"""Attacks on the judge: policies that forge their score, by lies, patches and decisions that are none.

Each is tried on a naive judge, which must fall for it, and on ours.  More of them are in ``bombs``.
"""

from dataclasses import dataclass

from evolve.types import Verdict

FOOLED, CRASHED, HUNG, UNDYING = "fooled", "crashed", "hung", "outlived SIGTERM"

HONEST = "def guess(bounds):\n    return 50\n"


@dataclass(frozen=True)
class Forgery:
    """A policy that cheats, what becomes of a naive judge, and our verdicts.

    Without ``verdicts`` ours gives it exactly the score of its honest decisions, which are ``HONEST``'s.
    ``fair`` is the same policy without the lie, where a naive judge gives that another score than HONEST.
    One that is ``illegal`` should have no score at all.  ``isolated``: it attacks a judge that runs
    policies in processes of their own; ``rounds``: it needs to be judged so often in one process.
    """

    name: str
    kind: str
    source: str
    naive: str = FOOLED
    verdicts: frozenset[Verdict] = frozenset()
    fair: str = HONEST
    illegal: bool = False
    isolated: bool = False
    rounds: int = 1


REACH = "import random\nos = random._os\nsys = os.sys\n"
"""Every policy can reach every loaded module."""

RESULT = '{"score": 1e9}'

CLASSIC = [
    Forgery(
        "returns a number that equals every number",
        "forgery",
        "class Lie:\n    def __eq__(self, other):\n        return True\n"
        "    def __sub__(self, other):\n        return 0\ndef guess(bounds):\n    return Lie()\n",
        verdicts=frozenset({Verdict.INVALID}),
    ),
    Forgery(
        "patches json.dump",
        "forgery",
        "import json\nplain = json.dump\njson.dump = lambda value, file: plain({'score': 1e9}, file)\n" + HONEST,
    ),
    Forgery(
        "patches the clock",
        "forgery",
        "import time\ntime.perf_counter = lambda: 0.0\ndef guess(bounds):\n    time.sleep(0.02)\n    return 50\n",
        fair="import time\ndef guess(bounds):\n    time.sleep(0.02)\n    return 50\n",
    ),
    Forgery(
        "rewrites the result at exit",
        "forgery",
        REACH + "atexit = sys.modules['builtins'].__import__('atexit')\n"
        f"atexit.register(lambda: open('result.json', 'w').write('{RESULT}'))\n" + HONEST,
    ),
    Forgery(
        "writes its own result and leaves",
        "forgery",
        REACH + "def guess(bounds):\n    with open('result.json', 'w') as file:\n"
        f"        file.write('{RESULT}')\n    os._exit(0)\n",
        verdicts=frozenset({Verdict.FORBIDDEN}),
    ),
    Forgery(
        "traces the frames of the judge",
        "forgery",
        REACH + "def tracer(frame, event, argument):\n    if 'hits' in frame.f_locals:\n"
        "        frame.f_locals['hits'] = 1e9\n    return tracer\n"
        "def guess(bounds):\n    frame = sys._getframe()\n    while frame:\n        frame.f_trace = tracer\n"
        "        frame = frame.f_back\n    sys.settrace(tracer)\n    return 50\n",
    ),
]

PEEKING = [
    Forgery(
        "finds the answer in the frames of the judge",
        "peeking",
        REACH + "def guess(bounds):\n    frame = sys._getframe()\n    while frame:\n"
        "        if 'secret' in frame.f_locals:\n            return frame.f_locals['secret']\n"
        "        frame = frame.f_back\n    return 50\n",
    ),
    Forgery(
        "finds the answer among all objects",
        "peeking",
        REACH + "gc = sys.modules.get('gc') or __import__('gc')\n"
        "found = [o['SECRETS'] for o in gc.get_objects() if type(o) is dict and 'SECRETS' in o]\n"
        "left = [secret for secret in found[0] for _ in range(3)] if found else []\n"
        "def guess(bounds):\n    return left.pop(0) if left else 50\n",
    ),
    Forgery(
        "finds the answer with inspect",
        "peeking",
        "import inspect\ndef guess(bounds):\n    return inspect.stack()[1].frame.f_locals['secret']\n",
        verdicts=frozenset({Verdict.FORBIDDEN}),
    ),
    Forgery(
        "changes the answer to its own",
        "peeking",
        REACH + "judge = sys.modules['__main__']\n"
        "if hasattr(judge, 'SECRETS'):\n    judge.SECRETS[:] = [50] * 4\n" + HONEST,
    ),
    Forgery(
        "profiles the judge",
        "peeking",
        REACH + "def profile(frame, event, argument):\n    if 'losses' in frame.f_locals:\n"
        "        frame.f_locals['losses'][:] = [0.0]\n"
        "def guess(bounds):\n    sys.setprofile(profile)\n    return 50\n",
    ),
]

PATCHING = [
    Forgery(
        "patches the built-in functions",
        "patching",
        REACH + "sys.modules['builtins'].abs = lambda number: 0\n" + HONEST,
    ),
    Forgery(
        "patches open",
        "patching",
        REACH + "builtins = sys.modules['builtins']\nplain = builtins.open\n"
        "def lying(*arguments):\n    file = plain(*arguments)\n"
        f"    file.write('{RESULT}')\n    file.close()\n    return plain(os.devnull, 'w')\n"
        "builtins.open = lying\n" + HONEST,
    ),
    Forgery(
        "patches numpy",
        "patching",
        "import numpy\nnumpy.mean = lambda values: -0.9\n" + HONEST,
    ),
    Forgery(
        "patches what is left of the judge's modules",
        "patching",
        REACH + "for module in list(sys.modules.values()):\n    for name in ('fsum', 'mean', 'check'):\n"
        "        if hasattr(module, name):\n            setattr(module, name, lambda *_, **__: 0.0)\n" + HONEST,
    ),
    Forgery(
        "changes its arguments",
        "patching",
        "def guess(bounds):\n    bounds[1] = 10**9\n    return 50\n",
    ),
    Forgery(
        "recognises a repeated input",
        "patching",
        "import time\nseen = []\ndef guess(bounds):\n    if bounds not in seen:\n        time.sleep(0.02)\n"
        "        seen.append(bounds)\n    return 50\n",
        fair="import time\ndef guess(bounds):\n    time.sleep(0.02)\n    return 50\n",
    ),
    Forgery(
        "answers at once and computes afterwards",
        "patching",
        REACH + "import time\nthread = sys.modules.get('_thread') or __import__('_thread')\n"
        "def guess(bounds):\n    thread.start_new_thread(time.sleep, (0.02,))\n    return 50\n",
        verdicts=frozenset({Verdict.CRASHED}),
        fair="import time\ndef guess(bounds):\n    time.sleep(0.02)\n    return 50\n",
    ),
    Forgery(
        "carries what it has learnt to the next evaluation",
        "patching",
        "import json\nknown = getattr(json, 'calls', 0) >= 12\n"
        "def guess(bounds):\n    json.calls = getattr(json, 'calls', 0) + 1\n    return 20 if known else 50\n",
        rounds=2,
    ),
]


def _decision(
    name: str, value: str, naive: str, *verdicts: Verdict, before: str = "", illegal: bool = False
) -> Forgery:
    source = f"{before}def guess(bounds):\n    return {value}\n"
    return Forgery(f"decides {name}", "decision", source, naive, frozenset(verdicts), illegal=illegal)


_LIAR = (
    "class Liar(int):\n    def __sub__(self, other):\n        return 0\n"
    "    def __eq__(self, other):\n        return True\n"
)

DECISIONS = [
    _decision("NaN", "float('nan')", FOOLED, Verdict.INVALID),
    _decision("infinity", "float('inf')", FOOLED, Verdict.INVALID),
    _decision("10**400", "10**400", CRASHED, Verdict.INVALID),
    _decision("-1, against the rules", "-1", FOOLED, Verdict.INVALID, illegal=True),
    _decision("True", "True", FOOLED, Verdict.INVALID, illegal=True),
    _decision("'5'", "'5'", CRASHED, Verdict.INVALID),
    _decision("nothing", "None", CRASHED, Verdict.INVALID),
    _decision("a fraction of a number", "49.5", FOOLED, Verdict.INVALID, illegal=True),
    _decision("a complex number", "50j", FOOLED, Verdict.INVALID, illegal=True),
    _decision("a number of numpy", "numpy.uint8(50)", FOOLED, before="import numpy\n"),
    _decision(
        "a float of numpy", "numpy.float32(50)", CRASHED, Verdict.INVALID, before="import numpy\nnumpy.mean = sum\n"
    ),
    _decision("an array", "numpy.full(4, 50)", CRASHED, Verdict.INVALID, before="import numpy\nnumpy.mean = sum\n"),
    _decision("a generator", "(x for x in bounds)", CRASHED, Verdict.INVALID),
    _decision("a function", "guess", CRASHED, Verdict.INVALID),
    _decision("bytes", "b'50'", CRASHED, Verdict.INVALID),
    _decision("a list that holds itself", "bounds.append(bounds) or bounds", CRASHED, Verdict.INVALID),
    _decision("an int whose operators lie", "Liar(50)", FOOLED, before=_LIAR),
    _decision(
        "an int whose class lies",
        "Other()",
        FOOLED,
        Verdict.INVALID,
        before="class Other:\n    __class__ = int\n    def __sub__(self, other):\n        return 0\n"
        "    def __eq__(self, other):\n        return True\n",
    ),
]

FORGERIES: list[Forgery] = [*CLASSIC, *PEEKING, *PATCHING, *DECISIONS]
