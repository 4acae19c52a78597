"""A GPU in one command: tests on the card, passes of 7B and 8B shapes beside peers, and vLLM's protocol.

``suite.py`` runs the parts of ``parts.py``, each in a process of its own (``__main__.py``) that is stopped at its
limit, and writes one file and one page (``document.py``) after each. ``innerjudge bench --suite gpu`` and ``make gpu``
start it; ``--device cpu`` runs all of it with tiny shapes, to show that it runs.
"""
