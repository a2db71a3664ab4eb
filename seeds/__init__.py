"""Baselines: one policy per file, ``seeds/<problem>/``.  They import nothing of ours."""
