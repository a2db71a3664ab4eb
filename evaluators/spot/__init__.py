"""The problem `spot`; see problem.py and README.md."""
