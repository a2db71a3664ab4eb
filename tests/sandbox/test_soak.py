"""What is left after very many policies, half of them hostile: nothing."""

import copy
import gc
import os
from pathlib import Path

import pytest
import tiny

from evolve import catalog
from evolve.cases import split_cases
from evolve.judge import Judge
from evolve.sandbox import Sandbox
from evolve.types import Limits, Verdict
from tests.sandbox.attack import PREAMBLE
from tests.sandbox.suite import ATTACKS
from tests.sandbox.world import World

EVALUATIONS, WARM_UP = 20_000, 2_000
GROWTH_MIB = 4.0
"""Allocators keep some of what they once had; what leaks at every evaluation is several times that by the end."""


BODIES = (
    "while True: pass",
    "time.sleep(9)",
    "w = [bytearray(1 << 20) for _ in range(1 << 20)]",
    "ctypes.string_at(0)",
    "os.write(pipe_end() + 1, b'\\xff' * 4096)",
    "os.write(pipe_end() + 1, b'\\xff\\xff\\xff\\xff' + b'\\x90' * 60000)",
    "print('x' * 10**6)",
    "os._exit(0)",
    "os.closerange(0, 16)",
    "return attack(w)",
    "raise SystemExit",
)
"""Beside the attacks on the machine: ways to hang, to die and to talk nonsense."""


def belongings(sandbox: Sandbox) -> dict[str, float]:
    """Returns what the judge and the processes below it hold."""
    gc.collect()
    own, zygote = Path("/proc/self"), Path(f"/proc/{sandbox.zygote_pid}")
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "zygote's descriptors": len(list((zygote / "fd").iterdir())) if os.access(zygote / "fd", os.R_OK) else 0,
        "children": len((zygote / "task" / zygote.name / "children").read_text().split()),
        "MiB": _mib(own),
        "zygote's MiB": _mib(zygote),
    }


def _mib(process: Path) -> float:
    return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def hostile(source: str, facts: object) -> str:
    """Returns a policy that tries an attack, hides what came of it, and then decides as the reference does."""
    return (
        f"{source}\n"
        "def guess(x):\n"
        "    try:\n"
        f"        attack({facts!r})\n"
        "    except ValueError:\n"
        "        pass\n"
        "    return 2.5 * x + 1 if x > 40 else 2 * x + 1\n"
    )


def limited(problem, call_seconds: float):
    """Returns a copy of a problem that gives a policy so long for an answer."""
    limits = Limits(cpu_seconds=10, wall_seconds=5 * call_seconds, call_seconds=call_seconds, memory_mib=64)
    other = copy.copy(problem)
    other.limits = limits
    return other


@pytest.mark.soak
def test_twenty_thousand_evaluations_half_of_them_hostile_leave_nothing_behind(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path)))
    honest = problem.baselines()[0].source
    with World() as world, Sandbox() as sandbox:
        patient, impatient = (
            Judge(split_cases(limited(problem, seconds), "train"), sandbox) for seconds in (30.0, 0.2)
        )
        sources = [attack.source for attack in ATTACKS]
        sources += [f"{PREAMBLE}\ndef attack(w):\n    {body}\n" for body in BODIES]
        attacks = [hostile(source, world.facts(sandbox)) for source in sources]
        verdicts = set()
        for number in range(EVALUATIONS // 2):
            if number == WARM_UP // 2:
                before = belongings(sandbox)
            verdicts.add(impatient.evaluate(attacks[number % len(attacks)]).verdict)
            assert patient.evaluate(honest).score == 1.0
        after = belongings(sandbox)
    assert verdicts == set(Verdict)
    growth = {what: after[what] - before[what] for what in before}
    assert {what: growth[what] for what in growth if "MiB" not in what} == dict.fromkeys(
        ("descriptors", "zygote's descriptors", "children"), 0
    )
    assert growth["MiB"] < GROWTH_MIB
    assert growth["zygote's MiB"] < GROWTH_MIB
