"""Search strategies at equal budget: ordinary runs, one for each problem, strategy and seed, and what they show."""
