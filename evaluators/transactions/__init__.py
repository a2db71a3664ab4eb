"""What `txn` and `txn_online` share: the schedule of ordered transactions, its bound and its words; no problem."""
