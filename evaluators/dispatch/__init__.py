"""The problem `dispatch`; see problem.py and README.md."""
