"""Long searches: what a candidate costs after fifty thousand, and what racing saves over ten seeds."""

import pytest

from tests.bench_engine import engine_cost
from tests.bench_racing import racing_saves


@pytest.mark.soak
def test_after_fifty_thousand_candidates_the_next_costs_what_the_first_did():
    broken = [row for row in engine_cost(50_000) if not row.kept]
    assert broken == []


@pytest.mark.soak
def test_over_ten_seeds_racing_comes_to_the_same_best_with_a_third_of_the_simulated_cases():
    row = racing_saves(seeds=range(1, 11), evaluations=400)
    assert row.kept, row
