"""Problems that come with evolve, one folder each.  A folder without ``problem.py`` is shared code."""
