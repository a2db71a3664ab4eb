"""The main promise, at full length: a minute of search finds a better spot scheduler, whatever the seed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evolve.report.tables import table

SEEDS = range(5)
MEASURED = Path(os.environ.get("EVOLVE_DATA", "")) / "spot" / "single_region.json"


@dataclass(frozen=True)
class Discovery:
    """What one seed came to."""

    seed: int
    verified: dict[str, Any]
    real_cost: float | None
    real_best_baseline: float | None

    @property
    def beats_every_baseline(self) -> bool:
        return all(duel["interval"]["low"] > 1 for duel in self.verified["duels"])

    @property
    def row(self) -> tuple[str, ...]:
        found, best = (
            self.verified["standings"][-1],
            min(self.verified["duels"], key=lambda duel: duel["interval"]["mean"]),
        )
        interval = best["interval"]
        return (
            str(self.seed),
            f"{found['evaluation']['score']:.4f}",
            f"{best['baseline']}: {interval['mean']:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]",
            f"{best['better']}/{best['equal']}/{best['worse']}",
            f"{found['gap']:.1%}",
            "-" if self.real_cost is None else f"{self.real_cost:.2f} against {self.real_best_baseline:.2f}",
        )


def evolve(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "evolve", *arguments, "--json"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def discover(seed: int, folder: Path) -> Discovery:
    run = folder / f"seed-{seed}"
    evolve("run", "spot", "--minutes", "1", "--seed", str(seed), "--out", str(run))
    verified = evolve("verify", str(run))
    if not MEASURED.is_file():
        return Discovery(seed, verified, None, None)
    baselines = [standing["name"] for standing in verified["standings"][:-1]]
    rows = evolve("score", "spot", str(run / "best.py"), *baselines, "--cases", str(MEASURED))
    return Discovery(seed, verified, rows[0]["mean"], min(row["mean"] for row in rows[1:]))


@pytest.mark.soak
def test_a_minute_of_search_beats_every_baseline_on_sealed_cases_in_at_least_three_of_five_seeds(tmp_path, capsys):
    found = [discover(seed, tmp_path) for seed in SEEDS]
    headings = (
        "seed",
        "sealed score",
        "closest baseline, ratio",
        "better/equal/worse",
        "gap closed",
        "real windows, $",
    )
    with capsys.disabled():
        print("\n" + table(headings, [discovery.row for discovery in found]))
    assert all(discovery.verified["standings"][-1]["evaluation"]["verdict"] == "OK" for discovery in found)
    assert all(discovery.verified["cases"] >= 100 for discovery in found)
    assert sum(discovery.beats_every_baseline for discovery in found) >= 3
    for discovery in found:
        if discovery.real_cost is not None:
            assert discovery.real_cost <= discovery.real_best_baseline
