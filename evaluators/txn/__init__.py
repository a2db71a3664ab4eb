"""The problem `txn`; see problem.py and README.md."""
