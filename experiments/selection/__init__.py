"""One answer out of several candidates: rules, their accuracy against the number of candidates, and what they cost.

``columns.py`` reads candidates and scores from files, ``maths.py`` says which answers are the same. ``votes.py``,
``best_of_majority.py`` and ``representatives.py`` (VecCISC) are the rules of the literature; ``rules.py`` names them
and ``pick.py`` applies one to a question. ``reranking.py`` is how often a rule is right, ``subsets.py`` the same over
random subsets, ``temperature.py`` chooses the temperature of a weighted vote on questions set aside for it.
``select_job.py`` is the command ``select``; ``curve_job.py``, ``curve_rows.py`` and ``curve_plot.py`` are ``curves``.

Imports of the other rooms ``data``, ``drawing`` and ``stats``.
"""
