"""Policies as syntax trees whose source text can be edited: what the embedded proposers are built on.

From the ground up: ``splice`` edits text at tree positions, ``scope`` and ``kinds`` say which names are
bound and what sort of value they hold, ``anatomy`` finds the places of a policy where an edit can go,
``constants`` its numbers and ``dials`` turns them, ``signatures`` and ``soundness`` say what a child must
keep of its parent, ``donors`` and ``material`` what other policies can lend, ``stock`` which these are,
``expressions`` and ``statements`` are the mutations themselves, and ``exchange`` the crossovers.
"""
