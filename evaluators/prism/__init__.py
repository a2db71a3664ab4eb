"""The problem `prism`; see problem.py and README.md."""
