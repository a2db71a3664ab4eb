"""The problem `txn_online`; see problem.py and README.md."""
