"""File order: the transactions as they come."""


def order(transactions):
    return list(range(len(transactions)))
