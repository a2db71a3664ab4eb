"""The problem `eplb`; see problem.py and README.md."""
