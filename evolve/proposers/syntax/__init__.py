"""Policies as syntax trees whose source text can be edited: what ``mutate`` and ``tune`` are built on.

From the ground up: ``splice`` edits text at tree positions, ``scope`` and ``kinds`` say which names are
bound and what sort of value they hold, ``anatomy`` finds the places of a policy where an edit can go,
``constants`` its numbers, ``donors`` and ``material`` what other policies can lend, and ``expressions``
and ``statements`` are the mutations themselves.
"""
